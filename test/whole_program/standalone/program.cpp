// test/whole_program/standalone/program.cpp: uses Asio without Boost.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio.hpp>
#include <boost/asio.hpp>

#if !defined(ASIO_HANDLER_TRACKING_INIT)
#error "handler tracking is not as it was"
#endif
