// asio_uring/config.hpp: the Asio that the library is built on: its names, and the checks of its version.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_CONFIG_HPP
#define ASIO_URING_CONFIG_HPP

// Chooses Boost.Asio or, with ASIO_URING_STANDALONE, Asio without Boost, and defines what differs in name:
//
//   #include ASIO_URING_ASIO(ip/tcp.hpp)         a header of Asio's
//   asio, asio_uring::asio                       its namespace
//   struct asio_uring::asio::async_result<...>   a specialisation, outside of all namespaces
//   ASIO_URING_ASIO_BEGIN, ASIO_URING_ASIO_END   around a declaration that has to be in its namespace
//   ASIO_URING_ASIO_MACRO(VERSION)               what a macro of Asio's stands for
//   ASIO_URING_ASIO_HAS_EPOLL, ...               whether one is defined
//   error_code, system_error, system_category, …  its errors
//
// A macro cannot define another one. So files that define or remove macros of Asio's name both variants; they
// are in detail/asio/.

#include <asio_uring/ring/config.hpp>
#include <asio_uring/version.hpp>

#if defined(ASIO_URING_STANDALONE)

#include <asio/detail/config.hpp>
#include <asio/error_code.hpp>
#include <asio/system_error.hpp>
#include <asio/version.hpp>

// clang-format off
#define ASIO_URING_ASIO(header) <asio/header>
// clang-format on
#define ASIO_URING_ASIO_MACRO(name) ASIO_##name
#define ASIO_URING_ASIO_NAMESPACE asio
#define ASIO_URING_ASIO_HAS_LOCAL_SEQ_PACKET
#if defined(ASIO_HAS_IO_URING)
#define ASIO_URING_ASIO_HAS_IO_URING
#endif
#if defined(ASIO_HAS_EPOLL)
#define ASIO_URING_ASIO_HAS_EPOLL
#endif
#if defined(ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
#define ASIO_URING_ASIO_USE_TS_EXECUTOR_AS_DEFAULT
#endif
#if defined(ASIO_INLINE_NAMESPACE_BEGIN)
#define ASIO_URING_ASIO_HAS_INLINE_NAMESPACE
#endif

#else

#include <boost/asio/detail/config.hpp>
#include <boost/asio/version.hpp>
#include <boost/system/system_error.hpp>

// clang-format off
#define ASIO_URING_ASIO(header) <boost/asio/header>
// clang-format on
#define ASIO_URING_ASIO_MACRO(name) BOOST_ASIO_##name
#define ASIO_URING_ASIO_NAMESPACE boost::asio
#define ASIO_URING_HAS_BEAST
#if __has_include(<boost/asio/local/seq_packet_protocol.hpp>) // Boost 1.82
#define ASIO_URING_ASIO_HAS_LOCAL_SEQ_PACKET
#endif
#if defined(BOOST_ASIO_HAS_IO_URING)
#define ASIO_URING_ASIO_HAS_IO_URING
#endif
#if defined(BOOST_ASIO_HAS_EPOLL)
#define ASIO_URING_ASIO_HAS_EPOLL
#endif
#if defined(BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
#define ASIO_URING_ASIO_USE_TS_EXECUTOR_AS_DEFAULT
#endif
#if defined(BOOST_ASIO_INLINE_NAMESPACE_BEGIN)
#define ASIO_URING_ASIO_HAS_INLINE_NAMESPACE
#endif

#endif

#if defined(ASIO_URING_ASIO_HAS_INLINE_NAMESPACE) // Asio 1.38
#define ASIO_URING_ASIO_BEGIN                                                                                \
  namespace ASIO_URING_ASIO_NAMESPACE {                                                                      \
  ASIO_URING_ASIO_MACRO(INLINE_NAMESPACE_BEGIN)
#define ASIO_URING_ASIO_END                                                                                  \
  ASIO_URING_ASIO_MACRO(INLINE_NAMESPACE_END)                                                                \
  }
#else
#define ASIO_URING_ASIO_BEGIN namespace ASIO_URING_ASIO_NAMESPACE {
#define ASIO_URING_ASIO_END }
#endif

// Asio's own io_uring backend changes the layout of Asio's thread state and renames its services, so a
// program uses that backend or this library.
#if defined(ASIO_URING_ASIO_HAS_IO_URING)
#if defined(ASIO_URING_STANDALONE)
#error "asio_uring: do not define ASIO_HAS_IO_URING; asio_uring brings io_uring to the default build of Asio"
#else
#error                                                                                                       \
    "asio_uring: do not define BOOST_ASIO_HAS_IO_URING; asio_uring brings io_uring to the default build of Asio"
#endif
#elif defined(ASIO_URING_STANDALONE) && ASIO_URING_ASIO_MACRO(VERSION) < 103000
#error "asio_uring: needs Asio 1.30 or newer, or with Boost 1.81"
#elif ASIO_URING_ASIO_MACRO(VERSION) < 102600
#error "asio_uring: needs Boost 1.81 (Asio 1.26) or newer"
#elif !defined(ASIO_URING_ASIO_HAS_EPOLL) && defined(ASIO_URING_STANDALONE)
#error "asio_uring: needs Asio's epoll reactor; do not define ASIO_DISABLE_EPOLL"
#elif !defined(ASIO_URING_ASIO_HAS_EPOLL)
#error "asio_uring: needs Asio's epoll reactor; do not define BOOST_ASIO_DISABLE_EPOLL"
#else
#define ASIO_URING_IS_SUPPORTED
#endif

// As in ring/config.hpp.
#if !defined(ASIO_URING_IS_SUPPORTED)
#include <asio_uring/see_the_error_above>
#endif

ASIO_URING_ASIO_BEGIN
ASIO_URING_ASIO_END

namespace asio_uring {

namespace asio = ::ASIO_URING_ASIO_NAMESPACE;
#if defined(ASIO_URING_STANDALONE)
using asio::error_category;
using asio::error_code;
using asio::system_category; // Asio's own; not std::system_category()
using asio::system_error;
using std::error_condition;
using std::generic_category;
#else
using boost::system::error_category;
using boost::system::error_code;
using boost::system::error_condition;
using boost::system::generic_category;
using boost::system::system_category;
using boost::system::system_error;
#endif

} // namespace asio_uring

#endif // ASIO_URING_CONFIG_HPP
