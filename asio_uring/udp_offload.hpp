// asio_uring/udp_offload.hpp: options of UDP sockets: the kernel cuts what is sent, and joins what arrives.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_UDP_OFFLOAD_HPP
#define ASIO_URING_UDP_OFFLOAD_HPP

#include <asio_uring/config.hpp>
#include <cstddef>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdexcept>

namespace asio_uring {
namespace detail {

/// A socket option that is an int.
template <int Level, int Name>
class int_option
{
public:
  explicit int_option(int value = 0) noexcept : value_(value) {}

  template <typename Protocol>
  int level(const Protocol&) const noexcept
  {
    return Level;
  }
  template <typename Protocol>
  int name(const Protocol&) const noexcept
  {
    return Name;
  }
  template <typename Protocol>
  int* data(const Protocol&) noexcept
  {
    return &value_;
  }
  template <typename Protocol>
  const int* data(const Protocol&) const noexcept
  {
    return &value_;
  }
  template <typename Protocol>
  std::size_t size(const Protocol&) const noexcept
  {
    return sizeof(value_);
  }
  template <typename Protocol>
  void resize(const Protocol&, std::size_t size) const
  {
    if (size != sizeof(value_)) throw std::length_error("a socket option has another size");
  }

protected:
  int value_;
};

} // namespace detail

/// Has the kernel, or the network card, cut all that the socket sends into datagrams of this many bytes, the
/// last one perhaps shorter: UDP_SEGMENT.
/**
 * @code socket.set_option(asio_uring::udp_segment(1200)); @endcode A send may then have about 64 datagrams,
 * up to 65507 bytes in all; more is an error of the send (invalid_argument, message_size). 0: nothing is cut.
 * A message of a `send_batch` may have a segment size of its own, which takes precedence and does not need
 * the option. Errors of set_option: the kernel's; no_protocol_option if it lacks the option, and for sockets
 * that are not UDP. Since Linux 4.18.
 */
class udp_segment : public detail::int_option<IPPROTO_UDP, UDP_SEGMENT>
{
public:
  using int_option::int_option;
  /// Sets the value, in bytes.
  udp_segment& operator=(int bytes) noexcept
  {
    value_ = bytes;
    return *this;
  }
  /// Returns the value, in bytes.
  int value() const noexcept { return value_; }
};

/// Lets the kernel join datagrams of one sender that arrive together, all of one size except the last:
/// UDP_GRO.
/**
 * Receive them with async_receive_many: `batched_datagram::segment_size()` is their size, which other
 * receives do not report. A buffer must have room for all of them, 65535 bytes: what does not fit is lost.
 * Errors of set_option: the kernel's; no_protocol_option if it lacks the option, and for sockets that are not
 * UDP. Since Linux 5.0.
 */
class udp_gro : public detail::int_option<IPPROTO_UDP, UDP_GRO>
{
public:
  /// Whether it is to be on.
  explicit udp_gro(bool value = false) noexcept : int_option(value) {}
  /// Whether it is to be on.
  udp_gro& operator=(bool value) noexcept
  {
    value_ = value;
    return *this;
  }
  /// Whether it is on.
  bool value() const noexcept { return value_ != 0; }
  /// Whether it is on.
  explicit operator bool() const noexcept { return value(); }
};

} // namespace asio_uring

#endif // ASIO_URING_UDP_OFFLOAD_HPP
