// asio_uring/generic/datagram_protocol.hpp: datagrams of any family on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_GENERIC_DATAGRAM_PROTOCOL_HPP
#define ASIO_URING_GENERIC_DATAGRAM_PROTOCOL_HPP

#include <asio_uring/any_io_executor.hpp>
#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/generic/datagram_protocol.hpp>

namespace asio_uring::generic {

/// boost::asio::generic::datagram_protocol with its I/O objects on io_uring; everything else is inherited.
struct datagram_protocol : boost::asio::generic::datagram_protocol
{
  using boost::asio::generic::datagram_protocol::datagram_protocol;
  using socket = boost::asio::basic_datagram_socket<boost::asio::generic::datagram_protocol, any_io_executor>;
};

} // namespace asio_uring::generic

#endif // ASIO_URING_GENERIC_DATAGRAM_PROTOCOL_HPP
