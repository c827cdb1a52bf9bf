// asio_uring/detail/asio/late_macros.hpp: says so where a source defines a macro for Boost.Asio
// that comes too late.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

// A macro that a source defines before it includes Boost.Asio has no effect, or half of it, when
// as_default.hpp has included Boost.Asio already. Asio asks us: detail/handler_tracking.hpp, which
// <boost/asio.hpp> and whatever reads, writes or connects includes, includes the file that
// BOOST_ASIO_CUSTOM_HANDLER_TRACKING names. So its guard is taken away, and it includes this file a second
// time, once. Not seen are macros of a source that includes none of those headers, and all of them where
// handler tracking is enabled.

#if !defined(ASIO_URING_DETAIL_ASIO_LATE_MACROS_HPP)
#define ASIO_URING_DETAIL_ASIO_LATE_MACROS_HPP

// What is in time.
#if defined(BOOST_ASIO_DISABLE_THREADS)
#define ASIO_URING_HAS_DISABLE_THREADS
#endif
#if defined(BOOST_ASIO_DISABLE_EVENTFD)
#define ASIO_URING_HAS_DISABLE_EVENTFD
#endif
#if defined(BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
#define ASIO_URING_HAS_DISABLE_SMALL_BLOCK_RECYCLING
#endif
#if defined(BOOST_ASIO_ENABLE_BUFFER_DEBUGGING)
#define ASIO_URING_HAS_ENABLE_BUFFER_DEBUGGING
#endif
#if defined(BOOST_ASIO_SEPARATE_COMPILATION)
#define ASIO_URING_HAS_SEPARATE_COMPILATION
#endif
#if defined(BOOST_ASIO_DYN_LINK)
#define ASIO_URING_HAS_DYN_LINK
#endif
#if defined(BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
#define ASIO_URING_HAS_USE_TS_EXECUTOR_AS_DEFAULT
#endif
#if defined(BOOST_ASIO_NO_DEPRECATED)
#define ASIO_URING_HAS_NO_DEPRECATED
#endif
#if defined(BOOST_ASIO_NO_TS_EXECUTORS)
#define ASIO_URING_HAS_NO_TS_EXECUTORS
#endif
#if defined(BOOST_ASIO_NO_EXTENSIONS)
#define ASIO_URING_HAS_NO_EXTENSIONS
#endif

#include <boost/asio/detail/handler_tracking.hpp>
#if !defined(BOOST_ASIO_ENABLE_HANDLER_TRACKING) && !defined(BOOST_ASIO_CUSTOM_HANDLER_TRACKING)
#undef BOOST_ASIO_DETAIL_HANDLER_TRACKING_HPP
#define BOOST_ASIO_CUSTOM_HANDLER_TRACKING "asio_uring/detail/asio/late_macros.hpp"
#endif

// Before Boost 1.84 headers that come before those fail, for they need this: let it tell why.
#if !defined(BOOST_ASIO_NO_DEPRECATED)
#define asio_handler_allocate_is_no_longer_used                                                              \
  BOOST_ASIO_NO_DEPRECATED_comes_too_late__define_it_on_the_command_line
#endif

#else

#undef BOOST_ASIO_CUSTOM_HANDLER_TRACKING

#if defined(BOOST_ASIO_ENABLE_HANDLER_TRACKING)
#error                                                                                                       \
    "asio_uring/as_default.hpp: BOOST_ASIO_ENABLE_HANDLER_TRACKING comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_DISABLE_EPOLL)
#error "asio_uring/as_default.hpp: BOOST_ASIO_DISABLE_EPOLL comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_HAS_IO_URING)
#error "asio_uring/as_default.hpp: BOOST_ASIO_HAS_IO_URING comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_DISABLE_THREADS) && !defined(ASIO_URING_HAS_DISABLE_THREADS)
#error "asio_uring/as_default.hpp: BOOST_ASIO_DISABLE_THREADS comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_DISABLE_EVENTFD) && !defined(ASIO_URING_HAS_DISABLE_EVENTFD)
#error "asio_uring/as_default.hpp: BOOST_ASIO_DISABLE_EVENTFD comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING) &&                                                     \
    !defined(ASIO_URING_HAS_DISABLE_SMALL_BLOCK_RECYCLING)
#error                                                                                                       \
    "asio_uring/as_default.hpp: BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_ENABLE_BUFFER_DEBUGGING) && !defined(ASIO_URING_HAS_ENABLE_BUFFER_DEBUGGING)
#error                                                                                                       \
    "asio_uring/as_default.hpp: BOOST_ASIO_ENABLE_BUFFER_DEBUGGING comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_SEPARATE_COMPILATION) && !defined(ASIO_URING_HAS_SEPARATE_COMPILATION)
#error                                                                                                       \
    "asio_uring/as_default.hpp: BOOST_ASIO_SEPARATE_COMPILATION comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_DYN_LINK) && !defined(ASIO_URING_HAS_DYN_LINK)
#error "asio_uring/as_default.hpp: BOOST_ASIO_DYN_LINK comes too late: define it on the command line"
#endif
#if defined(BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT) && !defined(ASIO_URING_HAS_USE_TS_EXECUTOR_AS_DEFAULT)
#error                                                                                                       \
    "asio_uring/as_default.hpp: BOOST_ASIO_USE_TS_EXECUTOR_AS_DEFAULT comes too late: define it on the command line"
#endif

// These only take names away.
#if defined(BOOST_ASIO_NO_DEPRECATED) && !defined(ASIO_URING_HAS_NO_DEPRECATED)
#pragma message(                                                                                             \
    "asio_uring/as_default.hpp: BOOST_ASIO_NO_DEPRECATED comes too late: define it on the command line")
#endif
#if defined(BOOST_ASIO_NO_TS_EXECUTORS) && !defined(ASIO_URING_HAS_NO_TS_EXECUTORS)
#pragma message(                                                                                             \
    "asio_uring/as_default.hpp: BOOST_ASIO_NO_TS_EXECUTORS comes too late: define it on the command line")
#endif
#if defined(BOOST_ASIO_NO_EXTENSIONS) && !defined(ASIO_URING_HAS_NO_EXTENSIONS)
#pragma message(                                                                                             \
    "asio_uring/as_default.hpp: BOOST_ASIO_NO_EXTENSIONS comes too late: define it on the command line")
#endif

#endif
