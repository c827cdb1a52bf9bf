// asio_uring/detail/engine/datagram.hpp: a datagram that was received before the program asked for it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_DATAGRAM_HPP
#define ASIO_URING_DETAIL_ENGINE_DATAGRAM_HPP

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>

namespace asio_uring::detail {

struct datagram
{
  const void* sender;
  socklen_t sender_size; ///< as the kernel reported it
  const std::byte* data;
  std::size_t size;
  int message_flags; ///< MSG_TRUNC if it was longer

  /// Copies it into `message`, as recvmsg would. Returns recvmsg's result.
  int receive(msghdr& message, int flags) const noexcept
  {
    if (message.msg_name) {
      std::memcpy(message.msg_name, sender, std::min(message.msg_namelen, sender_size));
      message.msg_namelen = sender_size;
    }
    std::size_t copied = 0;
    for (std::size_t i = 0; i < message.msg_iovlen && copied < size; ++i) {
      const std::size_t part = std::min(message.msg_iov[i].iov_len, size - copied);
      if (part > 0) std::memcpy(message.msg_iov[i].iov_base, data + copied, part);
      copied += part;
    }
    message.msg_controllen = 0;
    message.msg_flags = message_flags | (copied < size ? MSG_TRUNC : 0);
    return static_cast<int>(flags & MSG_TRUNC ? size : copied);
  }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_DATAGRAM_HPP
