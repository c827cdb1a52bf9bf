// asio_uring/detail/engine/doorbell.hpp: wakes a thread that sleeps in the ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_DOORBELL_HPP
#define ASIO_URING_DETAIL_ENGINE_DOORBELL_HPP

#include <asio_uring/detail/engine/request.hpp>
#include <asio_uring/detail/engine/submitter.hpp>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace asio_uring::detail {

/// A poll that serves the loop itself, of one descriptor.
class watch final : public request
{
public:
  watch(submitter& s, bool standing) noexcept : request(functions()), submitter_(s), standing_(standing) {}

  void arm(int fd) noexcept
  {
    fd_ = fd;
    armed_.store(true, std::memory_order_relaxed);
    submitter_.push(*this);
  }
  void cancel() noexcept
  {
    if (armed()) submitter_.cancel(*this);
  }
  /// The ring it was on is gone.
  void reset() noexcept
  {
    submitter_.forget(*this); // it may still wait for room
    armed_.store(false, std::memory_order_relaxed);
  }
  /// False once it has fired for the last time.
  bool armed() const noexcept { return armed_.load(std::memory_order_relaxed); }
  /// Whether it can be armed: the descriptor is still one.
  bool usable() const noexcept { return !failed_.load(std::memory_order_relaxed); }

private:
  static const request::type& functions() noexcept
  {
    static constexpr request::type type = {
        [](request& r, io_uring_sqe& sqe) noexcept {
          auto& self = static_cast<watch&>(r);
          io_uring_prep_poll_add(&sqe, self.fd_, POLLIN);
          if (self.standing_) sqe.len = IORING_POLL_ADD_MULTI;
        },
        [](request& r, int result, unsigned flags, completion_queue&) noexcept {
          auto& self = static_cast<watch&>(r);
          if (flags & IORING_CQE_F_MORE) return;
          self.submitter_.forget(self);
          self.armed_.store(false, std::memory_order_relaxed);
          if (result == -EBADF)
            self.failed_.store(true, std::memory_order_relaxed); // armed again, it would only fail again
        }};
    return type;
  }

  submitter& submitter_;
  const bool standing_;
  std::atomic<bool> armed_{false}; // a synchronous function may collect beside the loop
  std::atomic<bool> failed_{false};
  int fd_ = -1;
};

/// An eventfd with a standing poll; it is written and hardly ever read, for each write is an edge.
class doorbell
{
public:
  doorbell(submitter& s, bool standing) : watch_(s, standing) { open(); }
  doorbell(const doorbell&) = delete;
  doorbell& operator=(const doorbell&) = delete;
  ~doorbell() { ::close(fd_); }

  /// Any thread.
  void ring() noexcept
  {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof(one));
  }

  /// To be called before each turn of the ring: a standing poll ends when its thread exits, or its ring, or
  /// when the completion queue is full.
  void listen() noexcept
  {
    if (watch_.armed() || !watch_.usable()) return;
    std::uint64_t count;
    [[maybe_unused]] const auto drained = ::read(fd_, &count, sizeof(count));
    watch_.arm(fd_);
  }

  void withdraw() noexcept { watch_.cancel(); }
  template <typename F>
  void for_each_submitted(F&& f)
  {
    if (watch_.armed()) f(static_cast<request&>(watch_));
  }

  /// In a forked child: its parent's eventfd is not its own.
  void renew()
  {
    ::close(fd_);
    open();
    watch_.reset();
  }

private:
  void open()
  {
    fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd_ < 0) throw_error(error_code(errno, boost::system::system_category()), "eventfd");
  }

  int fd_ = -1;
  watch watch_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_DOORBELL_HPP
