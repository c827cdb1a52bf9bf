// test/whole_program/standalone/asio.hpp: stands for Asio without Boost.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio/detail/handler_tracking.hpp>
