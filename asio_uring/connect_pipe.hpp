// asio_uring/connect_pipe.hpp: makes a pipe.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_CONNECT_PIPE_HPP
#define ASIO_URING_CONNECT_PIPE_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(connect_pipe.hpp)

namespace asio_uring {

/// Connects two ends of a new pipe. Asio's own function: it works on whatever executor the ends have.
using asio::connect_pipe;

} // namespace asio_uring

#endif // ASIO_URING_CONNECT_PIPE_HPP
