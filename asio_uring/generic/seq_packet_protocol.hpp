// asio_uring/generic/seq_packet_protocol.hpp: sequenced packets of any family on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_GENERIC_SEQ_PACKET_PROTOCOL_HPP
#define ASIO_URING_GENERIC_SEQ_PACKET_PROTOCOL_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_seq_packet_socket.hpp)
#include ASIO_URING_ASIO(generic/seq_packet_protocol.hpp)

namespace asio_uring::generic {

/// asio::generic::seq_packet_protocol with its I/O objects on io_uring; everything else is inherited.
struct seq_packet_protocol : asio::generic::seq_packet_protocol
{
  using asio::generic::seq_packet_protocol::seq_packet_protocol;
  using socket = asio::basic_seq_packet_socket<asio::generic::seq_packet_protocol, any_io_executor>;
};

} // namespace asio_uring::generic

#endif // ASIO_URING_GENERIC_SEQ_PACKET_PROTOCOL_HPP
