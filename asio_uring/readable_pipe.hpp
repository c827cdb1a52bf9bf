// asio_uring/readable_pipe.hpp: the reading end of a pipe, on io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_READABLE_PIPE_HPP
#define ASIO_URING_READABLE_PIPE_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_readable_pipe.hpp)

namespace asio_uring {

/// asio::readable_pipe on io_uring.
using readable_pipe = asio::basic_readable_pipe<any_io_executor>;

} // namespace asio_uring

#endif // ASIO_URING_READABLE_PIPE_HPP
