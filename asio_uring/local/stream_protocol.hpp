// asio_uring/local/stream_protocol.hpp: UNIX-domain streams on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_LOCAL_STREAM_PROTOCOL_HPP
#define ASIO_URING_LOCAL_STREAM_PROTOCOL_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_socket_acceptor.hpp)
#include ASIO_URING_ASIO(basic_stream_socket.hpp)
#include ASIO_URING_ASIO(local/stream_protocol.hpp)

namespace asio_uring::local {

/// asio::local::stream_protocol with its I/O objects on io_uring; everything else is inherited.
struct stream_protocol : asio::local::stream_protocol
{
  using socket = asio::basic_stream_socket<asio::local::stream_protocol, any_io_executor>;
  using acceptor = asio::basic_socket_acceptor<asio::local::stream_protocol, any_io_executor>;
};

} // namespace asio_uring::local

#endif // ASIO_URING_LOCAL_STREAM_PROTOCOL_HPP
