// test/standalone/one_asio.cpp: a unit of a program, compiled for either Asio.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio_uring/backend.hpp>

#if defined(ASIO_URING_STANDALONE)
int main() {}
#endif
