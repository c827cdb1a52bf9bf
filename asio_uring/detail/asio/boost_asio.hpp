// asio_uring/detail/asio/boost_asio.hpp: says so where a program that has as_default.hpp for Asio without
// Boost uses Boost.Asio.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

// What standalone_asio.hpp is the other way round. Boost.Beast, for instance, is on Boost.Asio.
//
// ASIO_URING_ALLOW_BOOST_ASIO is for programs that use both on purpose.

#if !defined(ASIO_URING_DETAIL_ASIO_BOOST_ASIO_HPP)
#define ASIO_URING_DETAIL_ASIO_BOOST_ASIO_HPP

#if !defined(ASIO_URING_ALLOW_BOOST_ASIO) && !defined(BOOST_ASIO_CUSTOM_HANDLER_TRACKING)
#define BOOST_ASIO_CUSTOM_HANDLER_TRACKING "asio_uring/detail/asio/boost_asio.hpp"
#endif

#else

#undef BOOST_ASIO_CUSTOM_HANDLER_TRACKING
#undef BOOST_ASIO_DETAIL_HANDLER_TRACKING_HPP

#if !defined(ASIO_URING_ALLOW_BOOST_ASIO)
#error                                                                                                       \
    "asio_uring/as_default.hpp with ASIO_URING_STANDALONE puts <asio.hpp> on io_uring, not boost::asio, which stays on epoll; if that is intended, define ASIO_URING_ALLOW_BOOST_ASIO"
#endif

#include <boost/asio/detail/handler_tracking.hpp>

#endif
