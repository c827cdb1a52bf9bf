// asio_uring/detail/op/accept_source.hpp: accepts connections before the program asks for them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_ACCEPT_SOURCE_HPP
#define ASIO_URING_DETAIL_OP_ACCEPT_SOURCE_HPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace asio_uring::detail {

class accept_source final : public source
{
public:
  /// `most`: how many connections may wait to be taken before it pauses.
  accept_source(file_state& file, std::size_t most, bool reports_aborted) noexcept
      : source(file), most_(most), reports_aborted_(reports_aborted)
  {}
  ~accept_source() override
  {
    while (has_result())
      ::close(pop());
  }

  /// Takes the first connection. Returns it, the error that ended the source, or -EAGAIN.
  int take() noexcept { return has_result() ? pop() : take_end(); }

private:
  void describe(io_uring_sqe& sqe, int fd) noexcept override
  {
    if (polls_) return io_uring_prep_poll_add(&sqe, fd, POLLIN);
    io_uring_prep_accept(&sqe, fd, nullptr, nullptr, 0);
    if (file().service().features().multishot_accept()) sqe.ioprio |= IORING_ACCEPT_MULTISHOT;
  }
  bool polls() const noexcept override { return polls_; }
  int perform(int fd, unsigned&) noexcept override
  {
    polls_ = ::fcntl(fd, F_GETFL) & O_NONBLOCK; // the program may have changed it
    return polls_ ? result_of(::accept(fd, nullptr, nullptr)) : -EAGAIN;
  }
  outcome receive(int result, unsigned) noexcept override
  {
    switch (-result) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return outcome::exhausted;
    case ECONNABORTED:
    case EPROTO: // aborted before it was accepted
      return reports_aborted_ ? outcome::end : outcome::nothing;
    case EAGAIN: // this kernel honours the listener's O_NONBLOCK: poll instead
      polls_ = true;
      return outcome::nothing;
    default:
      if (result < 0) return outcome::end;
    }
    try {
      connections_.push_back(result);
      return outcome::result;
    } catch (const std::bad_alloc&) {
      ::close(result);
      return outcome::exhausted;
    }
  }
  bool has_result() const noexcept override { return next_ != connections_.size(); }
  bool full(bool paused) const noexcept override
  {
    return connections_.size() - next_ >= (paused ? most_ / 2 + 1 : most_);
  }
  int pop() noexcept
  {
    const int first = connections_[next_++];
    if (next_ == connections_.size()) {
      connections_.clear();
      next_ = 0;
    }
    return first;
  }

  const std::size_t most_;
  const bool reports_aborted_;
  bool polls_ = false;
  std::vector<int> connections_;
  std::size_t next_ = 0; // the first of them that is left
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_ACCEPT_SOURCE_HPP
