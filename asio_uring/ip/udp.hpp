// asio_uring/ip/udp.hpp: UDP on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_IP_UDP_HPP
#define ASIO_URING_IP_UDP_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_datagram_socket.hpp)
#include ASIO_URING_ASIO(ip/basic_resolver.hpp)
#include ASIO_URING_ASIO(ip/udp.hpp)

namespace asio_uring::ip {

/// asio::ip::udp with its I/O objects on io_uring; everything else is inherited.
struct udp : asio::ip::udp
{
  using socket = asio::basic_datagram_socket<asio::ip::udp, any_io_executor>;
  using resolver = asio::ip::basic_resolver<asio::ip::udp, any_io_executor>;
};

} // namespace asio_uring::ip

#endif // ASIO_URING_IP_UDP_HPP
