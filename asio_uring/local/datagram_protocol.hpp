// asio_uring/local/datagram_protocol.hpp: UNIX-domain datagrams on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_LOCAL_DATAGRAM_PROTOCOL_HPP
#define ASIO_URING_LOCAL_DATAGRAM_PROTOCOL_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_datagram_socket.hpp)
#include ASIO_URING_ASIO(local/datagram_protocol.hpp)

namespace asio_uring::local {

/// asio::local::datagram_protocol with its I/O objects on io_uring; everything else is inherited.
struct datagram_protocol : asio::local::datagram_protocol
{
  using socket = asio::basic_datagram_socket<asio::local::datagram_protocol, any_io_executor>;
};

} // namespace asio_uring::local

#endif // ASIO_URING_LOCAL_DATAGRAM_PROTOCOL_HPP
