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
#elif !defined(__linux__)
#error "asio_uring: needs Linux"
#elif __cplusplus < 202002L
#error "asio_uring: needs C++20 (-std=c++20)"
#elif !defined(__cpp_exceptions)
#error "asio_uring: needs exceptions: one tells that a ring cannot be had, and why"
#else

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

// A file that does not exist ends the compilation; hundreds of errors would hide the one that counts.
#if !defined(ASIO_URING_IS_SUPPORTED)
#include <asio_uring/see_the_error_above>
#endif

// Functions that are not templates: inline in a header-only build, ordinary functions of one translation unit
// (the one that includes asio_uring/src.hpp) with ASIO_URING_SEPARATE_COMPILATION.
#if defined(ASIO_URING_SEPARATE_COMPILATION)
#define ASIO_URING_DECL
#else
#define ASIO_URING_DECL inline
#define ASIO_URING_HEADER_ONLY
#endif

// Declares a function that the usual path passes by: kept out of line. Its definition says nothing, for g++
// warns of "inline" there.
#define ASIO_URING_COLD [[gnu::noinline, gnu::cold]] ASIO_URING_DECL

#endif // ASIO_URING_CONFIG_HPP
