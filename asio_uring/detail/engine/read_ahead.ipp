// asio_uring/detail/engine/read_ahead.ipp: receives several datagrams at a time where many wait.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_READ_AHEAD_IPP
#define ASIO_URING_DETAIL_ENGINE_READ_AHEAD_IPP

#include <algorithm>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <cerrno>
#include <new>
#include <poll.h>
#include <sys/socket.h>

// A program asks for one datagram, and for the next when it has handled that: one call for each, although
// many wait. On a socket where that is usual, one call receives several. The others are kept in order for the
// next receives, synchronous or not. Those take them when their handlers are about to run, as they would from
// the socket. Meanwhile all receives of the socket are calls, whatever the path.

namespace asio_uring::detail {

/// Whether it is a poll in the kernel that ends when there is something to read.
inline bool operation::waits_for_data() noexcept
{
  if (!in_kernel() || cancelled_ || polling_ == polling::over || links()) return false;
  io_uring_sqe entry{};
  prepare(entry);
  return entry.opcode == IORING_OP_POLL_ADD && entry.poll32_events & POLLIN;
}

ASIO_URING_DECL int file_state::receive_datagram(msghdr& message, int flags) noexcept
{
  if (const auto size = take_datagram(message, flags)) return *size;
  std::unique_ptr<datagrams_ahead> unwanted;
  {
    const locked guard(lock_);
    if (ahead_ && !may_read_ahead_ && !has_datagrams()) unwanted = stop_ahead();
  }
  if (ahead_ && flags == 0)
    if (const int result = receive_ahead(message); !is_forbidden(result)) return result;
  const bool from = message.msg_name && message.msg_iovlen == 1;
  for (;;) {
    const ssize_t size =
        from ? ::recvfrom(fd_, message.msg_iov->iov_base, message.msg_iov->iov_len, flags | MSG_DONTWAIT,
                          static_cast<sockaddr*>(message.msg_name), &message.msg_namelen)
             : ::recvmsg(fd_, &message, flags | MSG_DONTWAIT);
    if (size >= 0) {
      more_datagrams_wait();
      return static_cast<int>(size);
    }
    if (errno == EINTR) continue;
    crowd_ = 0;
    return -errno;
  }
}

int file_state::receive_ahead(msghdr& message) noexcept
{
  constexpr unsigned char most = 16, least = 2;
  std::unique_ptr<datagrams_ahead> unwanted;
  const int result = ahead_->receive(fd_, message);
  section s(*this);
  const unsigned found = ahead_->found();
  if (is_forbidden(result)) may_read_ahead_ = false;
  crowd_ = static_cast<unsigned char>(found > 0 ? std::min(crowd_ + 4, int{most}) : crowd_ / 2);
  if (found > 0) {
    ahead_->keep_found();
    service_.counts().read_ahead.add(found);
    // End polls for data: what they wait for has been received, so the kernel will not report it.
    for (operation* op = unordered_.first; op; op = op->following_)
      if (op->waits_for_data()) {
        end_wait(*op, POLLIN);
        s.submitted = true;
      }
  } else if (crowd_ < least || !may_read_ahead_)
    unwanted = stop_ahead();
  return result;
}

/// Notes that more datagrams may wait behind the one received; after several such receives in a row, begins
/// to read ahead.
void file_state::more_datagrams_wait() noexcept
{
  constexpr unsigned char enough = 4;
  if (!may_read_ahead_ || ahead_ || ++crowd_ < enough) return;
  crowd_ = 0;
  if (!service_.begin_reading_ahead()) return;
  try {
    auto ahead = std::make_unique<datagrams_ahead>(service_.get_options().read_ahead);
    const locked guard(lock_);
    ahead_ = std::move(ahead);
    crowd_ = enough;
    in().ready = true;
  } catch (const std::bad_alloc&) {
    service_.end_reading_ahead();
  }
}

ASIO_URING_DECL std::unique_ptr<datagrams_ahead> file_state::stop_ahead() noexcept
{
  if (ahead_) service_.end_reading_ahead();
  return std::move(ahead_);
}

ASIO_URING_DECL std::optional<int> file_state::take_datagram(msghdr& message, int flags) noexcept
{
  const locked guard(lock_);
  if (flags & MSG_ERRQUEUE) return std::nullopt;
  if (has_datagrams()) return ahead_->take(message, flags);
  const auto first = source_ ? source_->first_datagram() : std::nullopt;
  if (!first) return std::nullopt;
  const int result = first->receive(message, flags);
  if (!(flags & MSG_PEEK)) source_->remove_first_datagram();
  return result;
}

ASIO_URING_DECL std::optional<std::size_t> file_state::next_datagram() noexcept
{
  const locked guard(lock_);
  const auto first = has_datagrams() ? std::optional(ahead_->first())
                     : source_       ? source_->first_datagram()
                                     : std::nullopt;
  return first ? std::optional(first->size) : std::nullopt;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_READ_AHEAD_IPP
