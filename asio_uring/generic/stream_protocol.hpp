// asio_uring/generic/stream_protocol.hpp: streams of any protocol on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_GENERIC_STREAM_PROTOCOL_HPP
#define ASIO_URING_GENERIC_STREAM_PROTOCOL_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_socket_acceptor.hpp)
#include ASIO_URING_ASIO(basic_stream_socket.hpp)
#include ASIO_URING_ASIO(generic/stream_protocol.hpp)

namespace asio_uring::generic {

/// asio::generic::stream_protocol with its I/O objects on io_uring; everything else is inherited.
struct stream_protocol : asio::generic::stream_protocol
{
  using asio::generic::stream_protocol::stream_protocol;
  using socket = asio::basic_stream_socket<asio::generic::stream_protocol, any_io_executor>;
};

} // namespace asio_uring::generic

#endif // ASIO_URING_GENERIC_STREAM_PROTOCOL_HPP
