// asio_uring/ip/tcp.hpp: TCP on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_IP_TCP_HPP
#define ASIO_URING_IP_TCP_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_socket_acceptor.hpp)
#include ASIO_URING_ASIO(basic_socket_iostream.hpp)
#include ASIO_URING_ASIO(basic_stream_socket.hpp)
#include ASIO_URING_ASIO(ip/basic_resolver.hpp)
#include ASIO_URING_ASIO(ip/tcp.hpp)

namespace asio_uring::ip {

/// asio::ip::tcp with its I/O objects on io_uring; everything else is inherited.
struct tcp : asio::ip::tcp
{
  using socket = asio::basic_stream_socket<asio::ip::tcp, any_io_executor>;
  using acceptor = asio::basic_socket_acceptor<asio::ip::tcp, any_io_executor>;
  using resolver = asio::ip::basic_resolver<asio::ip::tcp, any_io_executor>;
};

} // namespace asio_uring::ip

#endif // ASIO_URING_IP_TCP_HPP
