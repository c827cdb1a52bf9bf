// test/whole_program/after_asio_uring.cpp: does not compile.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio_uring/ip/tcp.hpp>

#include <asio_uring/as_default.hpp>
