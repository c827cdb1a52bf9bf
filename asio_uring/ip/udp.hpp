// asio_uring/ip/udp.hpp: UDP on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_IP_UDP_HPP
#define ASIO_URING_IP_UDP_HPP

#include <asio_uring/any_io_executor.hpp>
#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/udp.hpp>

namespace asio_uring::ip {

/// boost::asio::ip::udp with its I/O objects on io_uring; everything else is inherited.
struct udp : boost::asio::ip::udp
{
  using socket = boost::asio::basic_datagram_socket<boost::asio::ip::udp, any_io_executor>;
  using resolver = boost::asio::ip::basic_resolver<boost::asio::ip::udp, any_io_executor>;
};

} // namespace asio_uring::ip

#endif // ASIO_URING_IP_UDP_HPP
