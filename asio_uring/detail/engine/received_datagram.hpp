// asio_uring/detail/engine/received_datagram.hpp: a received datagram in a buffer on loan.
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

/// The layout of a datagram in its buffer, as the kernel's multishot receive writes it: a header, the sender,
/// control messages, the payload.
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
    std::memcpy(&header, buffer, sizeof header); // buffers may be unaligned
    return header;
  }
  static void set_header(std::byte* buffer, const io_uring_recvmsg_out& header) noexcept
  {
    std::memcpy(buffer, &header, sizeof header);
  }
  /// Returns the parts of a datagram; `size` is that of all together.
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

/// A received datagram in a buffer of a buffer_ring. The destructor gives back the buffer, to be filled
/// again.
/**
 * Converts to asio::const_buffer, its payload, to be sent on without a copy; it must live until the send has
 * ended. It shares the ownership of the memory: the buffer_ring and its context may be destroyed before it.
 * After a move, or with an error, it is empty and has no sender. Thread safety: as received_buffer.
 */
template <typename Protocol>
class received_datagram
{
public:
  using endpoint_type = typename Protocol::endpoint;

  received_datagram() = default;

  /// The payload, which may be empty.
  asio::const_buffer payload() const& noexcept { return asio::const_buffer(whole_) + payload_at(); }
  /// The payload on its own. Sender, flags and control messages are lost.
  received_buffer payload() && noexcept
  {
    whole_.remove_prefix(payload_at());
    return std::move(whole_);
  }
  /// The payload, for Asio's functions.
  operator asio::const_buffer() const noexcept { return payload(); }
  /// The payload as text.
  std::string_view text() const noexcept
  {
    return {static_cast<const char*>(payload().data()), payload().size()};
  }

  /// The sender; an empty endpoint for a socket without a name.
  /**
   * @throws what Asio throws for invalid_argument, if the name is longer than the endpoint: that of a UNIX
   * socket may be, by one byte.
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
  /// Whether it was longer than its buffer, and was cut.
  bool truncated() const noexcept { return !whole_.empty() && header().flags & MSG_TRUNC; }
  /// The control messages, a sequence of cmsghdr, for which datagram_stream_options::control_size makes room.
  asio::const_buffer control() const noexcept
  {
    if (whole_.empty()) return {};
    return {whole_.data() + detail::datagram_layout::control_at, header().controllen};
  }
  /// Whether there was no room for all control messages.
  bool control_truncated() const noexcept { return !whole_.empty() && header().flags & MSG_CTRUNC; }

  /// Gives the buffer back.
  void release() noexcept { whole_.release(); }

  /// For the library: takes over a filled buffer.
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
