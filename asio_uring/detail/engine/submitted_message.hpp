// asio_uring/detail/engine/submitted_message.hpp: the message header of a submitted operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SUBMITTED_MESSAGE_HPP
#define ASIO_URING_DETAIL_ENGINE_SUBMITTED_MESSAGE_HPP

#include <algorithm>
#include <cstddef>
#include <sys/socket.h>
#include <sys/uio.h>

namespace asio_uring::detail {

/// A message header and its vectors, which the kernel reads, and fills in, while an operation is in flight.
/// One per lane of a file is enough, because a lane has at most one operation in the kernel. It is made
/// before the first message is submitted, and kept.
class submitted_message
{
public:
  static constexpr std::size_t most = 64; // vectors, as in Asio

  /// Copies the vectors.
  msghdr& set(const msghdr& message) noexcept
  {
    message_ = {};
    message_.msg_iov = vectors_;
    message_.msg_iovlen = std::min(message.msg_iovlen, most);
    std::copy_n(message.msg_iov, message_.msg_iovlen, vectors_);
    return message_;
  }
  const msghdr& get() const noexcept { return message_; }

private:
  msghdr message_{};
  iovec vectors_[most];
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SUBMITTED_MESSAGE_HPP
