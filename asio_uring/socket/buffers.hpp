// asio_uring/socket/buffers.hpp: a user's buffer sequence as the kernel wants it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SOCKET_BUFFERS_HPP
#define ASIO_URING_SOCKET_BUFFERS_HPP

#include <algorithm>
#include <asio_uring/config.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/detail/buffer_sequence_adapter.hpp>
#include <cstddef>
#include <memory>
#include <sys/socket.h>
#include <sys/uio.h>

namespace asio_uring::detail {

namespace asio = boost::asio;

/// A borrowed buffer sequence: one address and length where it is a single buffer, a message with vectors
/// otherwise.
template <typename Buffer, typename Sequence>
class borrowed_buffers
{
public:
  using adapter = asio::detail::buffer_sequence_adapter<Buffer, Sequence>;
  static constexpr bool single = adapter::is_single_buffer;

  explicit borrowed_buffers(const Sequence& buffers) : buffers_(buffers) {}

  static bool all_empty(const Sequence& buffers) noexcept { return adapter::all_empty(buffers); }

  auto first() const noexcept { return adapter::first(buffers_); }
  const Sequence& sequence() const noexcept { return buffers_; }

  /// Calls f(msghdr&) with vectors that live for the call; the first 64 buffers take part, as in Asio.
  template <typename F>
  auto with_message(F&& f) const
  {
    adapter vectors(buffers_);
    total_ = vectors.total_size();
    msghdr message{};
    message.msg_iov = vectors.buffers();
    message.msg_iovlen = vectors.count();
    return f(message);
  }

  /// Bytes asked for by the last with_message, or by the single buffer.
  std::size_t total() const noexcept
  {
    if constexpr (single)
      return first().size();
    else
      return total_;
  }

private:
  Sequence buffers_;
  mutable std::size_t total_ = 0;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_SOCKET_BUFFERS_HPP
