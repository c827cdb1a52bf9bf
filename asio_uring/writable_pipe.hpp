// asio_uring/writable_pipe.hpp: the writing end of a pipe, on io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_WRITABLE_PIPE_HPP
#define ASIO_URING_WRITABLE_PIPE_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_writable_pipe.hpp)

namespace asio_uring {

/// asio::writable_pipe on io_uring.
using writable_pipe = asio::basic_writable_pipe<any_io_executor>;

} // namespace asio_uring

#endif // ASIO_URING_WRITABLE_PIPE_HPP
