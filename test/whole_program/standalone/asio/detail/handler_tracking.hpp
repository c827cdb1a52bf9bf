// test/whole_program/standalone/asio/detail/handler_tracking.hpp: what of Asio tells that it is included.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_DETAIL_HANDLER_TRACKING_HPP
#define ASIO_DETAIL_HANDLER_TRACKING_HPP

#if defined(ASIO_CUSTOM_HANDLER_TRACKING)
#include ASIO_CUSTOM_HANDLER_TRACKING
#endif

#if !defined(ASIO_CUSTOM_HANDLER_TRACKING)
#define ASIO_HANDLER_TRACKING_INIT (void)0
#endif

#endif
