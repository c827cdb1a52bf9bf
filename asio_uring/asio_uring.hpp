// asio_uring/asio_uring.hpp: the whole library.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_ASIO_URING_HPP
#define ASIO_URING_ASIO_URING_HPP

#include <asio_uring/any_io_executor.hpp>
#include <asio_uring/backend.hpp>
#include <asio_uring/enable_io_uring.hpp>
#include <asio_uring/generic/stream_protocol.hpp>
#include <asio_uring/ip/tcp.hpp>
#include <asio_uring/local/stream_protocol.hpp>
#include <asio_uring/options.hpp>
#include <asio_uring/ring/ring.hpp>

#endif // ASIO_URING_ASIO_URING_HPP
