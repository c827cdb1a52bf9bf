// test/whole_program/after_asio.cpp: does not compile.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <boost/asio/steady_timer.hpp>

#include <asio_uring/as_default.hpp>
