// asio_uring/detail/engine/received_datagram.hpp: a datagram that was received, in a buffer on loan.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RECEIVED_DATAGRAM_HPP
#define ASIO_URING_DETAIL_ENGINE_RECEIVED_DATAGRAM_HPP

#include <algorithm>
#include <asio_uring/detail/engine/datagram.hpp>
#include <asio_uring/detail/engine/received_buffer.hpp>
#include <asio_uring/ring/ring.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <cstddef>
#include <cstring>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace asio_uring {

namespace detail {

/// Where the parts of a datagram are in its buffer, as the kernel's multishot receive has it: a header, the
/// sender, control messages, the payload.
class datagram_layout
{
public:
  static constexpr std::size_t sender_at = sizeof(io_uring_recvmsg_out),
                               sender_room = sizeof(sockaddr_storage), control_at = sender_at + sender_room;

  explicit datagram_layout(std::size_t control_room = 0) noexcept : control_room_(control_room) {}

  std::size_t control_room() const noexcept { return control_room_; }
  std::size_t payload_at() const noexcept { return control_at + control_room_; }

  static io_uring_recvmsg_out header(const std::byte* buffer) noexcept
  {
    io_uring_recvmsg_out header;
    std::memcpy(&header, buffer, sizeof header); // a buffer begins anywhere
    return header;
  }
  static void set_header(std::byte* buffer, const io_uring_recvmsg_out& header) noexcept
  {
    std::memcpy(buffer, &header, sizeof header);
  }
  /// `size`: of all parts.
  datagram view(const std::byte* buffer, std::size_t size) const noexcept
  {
    const auto h = header(buffer);
    return {buffer + sender_at, h.namelen, buffer + payload_at(), size - payload_at(),
            static_cast<int>(h.flags)};
  }

private:
  std::size_t control_room_;
};

} // namespace detail

/// A datagram in a buffer of a buffer_ring. The buffer goes back when this ends, and is filled anew.
/**
 * Converts to asio::const_buffer, its payload, which is sent on without a copy; it has to live as long as
 * that takes. It holds the memory: the buffer_ring and its context may end before it. One that has been moved
 * from, or came with an error, is empty and from nobody. Thread safety: as received_buffer.
 */
template <typename Protocol>
class received_datagram
{
public:
  using endpoint_type = typename Protocol::endpoint;

  received_datagram() = default;

  /// The bytes; of none, too, there may be a datagram.
  asio::const_buffer payload() const& noexcept { return asio::const_buffer(whole_) + payload_at(); }
  /// The same on its own: what else is known of the datagram is gone.
  received_buffer payload() && noexcept
  {
    whole_.remove_prefix(payload_at());
    return std::move(whole_);
  }
  operator asio::const_buffer() const noexcept { return payload(); }
  std::string_view text() const noexcept
  {
    return {static_cast<const char*>(payload().data()), payload().size()};
  }

  /// Who sent it; an empty endpoint for a socket without a name.
  /**
   * @throws what Asio throws for invalid_argument: the name is longer than the
   * endpoint, by one, as that of a UNIX socket may be.
   */
  endpoint_type sender() const
  {
    endpoint_type sender;
    if (whole_.empty()) return sender;
    const std::size_t size = header().namelen;
    std::memcpy(sender.data(), whole_.data() + detail::datagram_layout::sender_at,
                std::min(size, sender.capacity()));
    sender.resize(size);
    return sender;
  }
  /// Whether it was longer than the buffer has room.
  bool truncated() const noexcept { return !whole_.empty() && header().flags & MSG_TRUNC; }
  /// Its control messages, each a cmsghdr: datagram_stream_options::control_size.
  asio::const_buffer control() const noexcept
  {
    if (whole_.empty()) return {};
    return {whole_.data() + detail::datagram_layout::control_at, header().controllen};
  }
  /// Whether there was no room for all control messages.
  bool control_truncated() const noexcept { return !whole_.empty() && header().flags & MSG_CTRUNC; }

  /// Gives the buffer back.
  void release() noexcept { whole_.release(); }

  /// For the library: takes over a buffer that was filled.
  received_datagram(received_buffer whole, const detail::datagram_layout& layout) noexcept
      : whole_(std::move(whole)), layout_(layout)
  {}

private:
  io_uring_recvmsg_out header() const noexcept { return detail::datagram_layout::header(whole_.data()); }
  std::size_t payload_at() const noexcept { return layout_.payload_at(); }

  received_buffer whole_;
  detail::datagram_layout layout_;
};

} // namespace asio_uring

#endif // ASIO_URING_DETAIL_ENGINE_RECEIVED_DATAGRAM_HPP
