// asio_uring/local/seq_packet_protocol.hpp: UNIX-domain sequenced packets on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_LOCAL_SEQ_PACKET_PROTOCOL_HPP
#define ASIO_URING_LOCAL_SEQ_PACKET_PROTOCOL_HPP

#include <asio_uring/any_io_executor.hpp>

#if defined(ASIO_URING_ASIO_HAS_LOCAL_SEQ_PACKET)
#include ASIO_URING_ASIO(basic_seq_packet_socket.hpp)
#include ASIO_URING_ASIO(basic_socket_acceptor.hpp)
#include ASIO_URING_ASIO(local/seq_packet_protocol.hpp)

namespace asio_uring::local {

/// asio::local::seq_packet_protocol with its I/O objects on io_uring; everything else is inherited.
struct seq_packet_protocol : asio::local::seq_packet_protocol
{
  using socket = asio::basic_seq_packet_socket<asio::local::seq_packet_protocol, any_io_executor>;
  using acceptor = asio::basic_socket_acceptor<asio::local::seq_packet_protocol, any_io_executor>;
};

} // namespace asio_uring::local

#endif

#endif // ASIO_URING_LOCAL_SEQ_PACKET_PROTOCOL_HPP
