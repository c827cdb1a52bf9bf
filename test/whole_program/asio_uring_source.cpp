// test/whole_program/asio_uring_source.cpp: our functions, with ASIO_URING_SEPARATE_COMPILATION.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio_uring/src.hpp>
