// asio_uring/ip/icmp.hpp: ICMP on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_IP_ICMP_HPP
#define ASIO_URING_IP_ICMP_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_raw_socket.hpp)
#include ASIO_URING_ASIO(ip/basic_resolver.hpp)
#include ASIO_URING_ASIO(ip/icmp.hpp)

namespace asio_uring::ip {

/// asio::ip::icmp with its I/O objects on io_uring; everything else is inherited.
struct icmp : asio::ip::icmp
{
  using socket = asio::basic_raw_socket<asio::ip::icmp, any_io_executor>;
  using resolver = asio::ip::basic_resolver<asio::ip::icmp, any_io_executor>;
};

} // namespace asio_uring::ip

#endif // ASIO_URING_IP_ICMP_HPP
