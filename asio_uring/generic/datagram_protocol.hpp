// asio_uring/generic/datagram_protocol.hpp: datagrams of any family on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_GENERIC_DATAGRAM_PROTOCOL_HPP
#define ASIO_URING_GENERIC_DATAGRAM_PROTOCOL_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_datagram_socket.hpp)
#include ASIO_URING_ASIO(generic/datagram_protocol.hpp)

namespace asio_uring::generic {

/// asio::generic::datagram_protocol with its I/O objects on io_uring; everything else is inherited.
struct datagram_protocol : asio::generic::datagram_protocol
{
  using asio::generic::datagram_protocol::datagram_protocol;
  using socket = asio::basic_datagram_socket<asio::generic::datagram_protocol, any_io_executor>;
};

} // namespace asio_uring::generic

#endif // ASIO_URING_GENERIC_DATAGRAM_PROTOCOL_HPP
