// asio_uring/config.hpp: what the library is built against, checked in one place.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_CONFIG_HPP
#define ASIO_URING_CONFIG_HPP

// Asio's own backend changes the layout of Asio's thread state and renames its services: one program is
// either Asio's io_uring or ours.
#if defined(BOOST_ASIO_HAS_IO_URING)
#error                                                                                                       \
    "asio_uring: do not define BOOST_ASIO_HAS_IO_URING; asio_uring brings io_uring to the default build of Asio"
#else

#include <asio_uring/ring/config.hpp>
#include <boost/asio/detail/config.hpp>
#include <boost/asio/version.hpp>

#if BOOST_ASIO_VERSION < 102600
#error "asio_uring: needs Boost 1.81 (Asio 1.26) or newer"
#elif !defined(BOOST_ASIO_HAS_EPOLL)
#error "asio_uring: needs Asio's epoll reactor; do not define BOOST_ASIO_DISABLE_EPOLL"
#else
#define ASIO_URING_IS_SUPPORTED
#endif

#endif

// As in ring/config.hpp.
#if !defined(ASIO_URING_IS_SUPPORTED)
#include <asio_uring/see_the_error_above>
#endif

#endif // ASIO_URING_CONFIG_HPP
