// asio_uring/local/connect_pair.hpp: makes a pair of connected sockets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_LOCAL_CONNECT_PAIR_HPP
#define ASIO_URING_LOCAL_CONNECT_PAIR_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(local/connect_pair.hpp)

namespace asio_uring::local {

/// Connects two new sockets with each other. Asio's own function: it works on whatever executor they have.
using asio::local::connect_pair;

} // namespace asio_uring::local

#endif // ASIO_URING_LOCAL_CONNECT_PAIR_HPP
