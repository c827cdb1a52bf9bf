// asio_uring/generic/raw_protocol.hpp: raw sockets of any family on io_uring, type by type.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_GENERIC_RAW_PROTOCOL_HPP
#define ASIO_URING_GENERIC_RAW_PROTOCOL_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(basic_raw_socket.hpp)
#include ASIO_URING_ASIO(generic/raw_protocol.hpp)

namespace asio_uring::generic {

/// asio::generic::raw_protocol with its I/O objects on io_uring; everything else is inherited.
struct raw_protocol : asio::generic::raw_protocol
{
  using asio::generic::raw_protocol::raw_protocol;
  using socket = asio::basic_raw_socket<asio::generic::raw_protocol, any_io_executor>;
};

} // namespace asio_uring::generic

#endif // ASIO_URING_GENERIC_RAW_PROTOCOL_HPP
