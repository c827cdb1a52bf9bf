// asio_uring/ip/tcp.hpp: TCP on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_IP_TCP_HPP
#define ASIO_URING_IP_TCP_HPP

#include <asio_uring/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_socket_iostream.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace asio_uring::ip {

/// boost::asio::ip::tcp with its I/O objects on io_uring; everything else is inherited.
struct tcp : boost::asio::ip::tcp
{
  using socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, any_io_executor>;
  using acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, any_io_executor>;
  using resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, any_io_executor>;
};

} // namespace asio_uring::ip

#endif // ASIO_URING_IP_TCP_HPP
