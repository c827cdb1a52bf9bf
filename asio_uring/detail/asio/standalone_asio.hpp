// asio_uring/detail/asio/standalone_asio.hpp: says so where a program with as_default.hpp uses Asio without
// Boost.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

// Namespace asio is another library than boost::asio, and stays on epoll. It tells us when it is included:
// asio/detail/handler_tracking.hpp includes the file that ASIO_CUSTOM_HANDLER_TRACKING names. It includes
// this one, which then leaves handler tracking as it was.
//
// ASIO_URING_ALLOW_STANDALONE_ASIO is for programs that use both on purpose.

#if !defined(ASIO_URING_DETAIL_ASIO_STANDALONE_ASIO_HPP)
#define ASIO_URING_DETAIL_ASIO_STANDALONE_ASIO_HPP

#if !defined(ASIO_URING_ALLOW_STANDALONE_ASIO) && !defined(ASIO_CUSTOM_HANDLER_TRACKING)
#define ASIO_CUSTOM_HANDLER_TRACKING "asio_uring/detail/asio/standalone_asio.hpp"
#endif

#else

#undef ASIO_CUSTOM_HANDLER_TRACKING
#undef ASIO_DETAIL_HANDLER_TRACKING_HPP

#if !defined(ASIO_URING_ALLOW_STANDALONE_ASIO)
#error                                                                                                       \
    "asio_uring/as_default.hpp puts boost::asio on io_uring, not <asio.hpp>, which stays on epoll; if that is intended, define ASIO_URING_ALLOW_STANDALONE_ASIO"
#endif

#include <asio/detail/handler_tracking.hpp>

#endif
