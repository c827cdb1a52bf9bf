// asio_uring/ip/icmp.hpp: ICMP on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_IP_ICMP_HPP
#define ASIO_URING_IP_ICMP_HPP

#include <asio_uring/any_io_executor.hpp>
#include <boost/asio/basic_raw_socket.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/icmp.hpp>

namespace asio_uring::ip {

/// boost::asio::ip::icmp with its I/O objects on io_uring; everything else is inherited.
struct icmp : boost::asio::ip::icmp
{
  using socket = boost::asio::basic_raw_socket<boost::asio::ip::icmp, any_io_executor>;
  using resolver = boost::asio::ip::basic_resolver<boost::asio::ip::icmp, any_io_executor>;
};

} // namespace asio_uring::ip

#endif // ASIO_URING_IP_ICMP_HPP
