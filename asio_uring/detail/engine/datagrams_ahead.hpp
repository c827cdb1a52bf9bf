// asio_uring/detail/engine/datagrams_ahead.hpp: datagrams that were received before the program asks for
// them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_DATAGRAMS_AHEAD_HPP
#define ASIO_URING_DETAIL_ENGINE_DATAGRAMS_AHEAD_HPP

#include <algorithm>
#include <asio_uring/detail/engine/datagram.hpp>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace asio_uring::detail {

/// Whether a result is that of a system call which a sandbox forbids.
inline bool is_forbidden(int result) noexcept { return result == -ENOSYS || result == -EPERM; }

/// Receives the datagram that is asked for and, by the same call, those that wait behind it, into its own
/// memory. The next receives take them from there: whole, in order, with their senders.
class datagrams_ahead
{
public:
  /// `count`: how many to receive besides the one that is asked for.
  explicit datagrams_ahead(unsigned count)
      : count_(count),
        messages_(std::make_unique<mmsghdr[]>(count + 1)),
        places_(std::make_unique<place[]>(count)),
        bytes_(std::make_unique_for_overwrite<std::byte[]>(count * stride))
  {
    for (unsigned i = 0; i < count; ++i) {
      places_[i].data = {&bytes_[i * stride], largest};
      msghdr& m = messages_[i + 1].msg_hdr;
      m.msg_name = &places_[i].sender;
      m.msg_iov = &places_[i].data;
      m.msg_iovlen = 1;
    }
  }

  /// Whether it keeps none.
  bool empty() const noexcept { return next_ == end_; }
  /// The first datagram that it keeps.
  datagram first() const noexcept
  {
    const mmsghdr& kept = messages_[next_];
    const place& from = places_[next_ - 1];
    return {&from.sender, kept.msg_hdr.msg_namelen, static_cast<const std::byte*>(from.data.iov_base),
            kept.msg_len, kept.msg_hdr.msg_flags};
  }

  /// Receives while none is kept: the first datagram into `message`, and found() others. Returns the size of
  /// the first, or a negative errno.
  int receive(int fd, msghdr& message) noexcept
  {
    messages_[0].msg_hdr = message;
    for (unsigned i = 1; i <= count_; ++i)
      messages_[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    int received;
    do
      received = ::recvmmsg(fd, messages_.get(), count_ + 1, MSG_DONTWAIT, nullptr);
    while (received < 0 && errno == EINTR);
    found_ = static_cast<unsigned>(std::max(received, 1)) - 1;
    if (received < 0) return -errno;
    message = messages_[0].msg_hdr;
    return static_cast<int>(messages_[0].msg_len);
  }
  unsigned found() const noexcept { return found_; }
  /// Keeps those that were found.
  void keep_found() noexcept
  {
    next_ = 1;
    end_ = 1 + std::exchange(found_, 0);
  }

  /// Receives the first one that is kept, as recvmsg would.
  int take(msghdr& message, int flags) noexcept
  {
    const int result = first().receive(message, flags);
    if (!(flags & MSG_PEEK)) remove_first();
    return result;
  }
  void remove_first() noexcept { ++next_; }

private:
  // The kernel writes no more than a datagram has, so most of this memory is never touched. The stride is
  // such that datagrams do not all begin at the same lines of the cache.
  static constexpr std::size_t largest = 65536, stride = largest + 5 * 64;
  struct place
  {
    sockaddr_storage sender;
    iovec data;
  };

  const unsigned count_;
  std::unique_ptr<mmsghdr[]> messages_; // the first is the program's
  std::unique_ptr<place[]> places_;
  std::unique_ptr<std::byte[]> bytes_;
  unsigned found_ = 0;
  unsigned next_ = 1, end_ = 1; // of messages_: what is kept
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_DATAGRAMS_AHEAD_HPP
