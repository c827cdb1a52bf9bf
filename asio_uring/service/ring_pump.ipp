// asio_uring/service/ring_pump.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_RING_PUMP_IPP
#define ASIO_URING_SERVICE_RING_PUMP_IPP

#include <asio_uring/service/ring_pump.hpp>
#include <boost/asio/detail/throw_error.hpp>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace asio_uring::detail {

ASIO_URING_DECL const request::type& ring_pump::watch::functions() noexcept
{
  static constexpr request::type type = {[](request& r, io_uring_sqe& sqe) noexcept {
                                           auto& self = static_cast<watch&>(r);
                                           io_uring_prep_poll_add(&sqe, self.fd_, POLLIN);
                                           if (self.standing_) sqe.len = IORING_POLL_ADD_MULTI;
                                         },
                                         [](request& r, int, unsigned flags, completion_queue&) noexcept {
                                           auto& self = static_cast<watch&>(r);
                                           if (!(flags & IORING_CQE_F_MORE)) self.armed = false;
                                         }};
  return type;
}

ASIO_URING_DECL void ring_pump::watch::arm(int fd) noexcept
{
  fd_ = fd;
  armed = true;
  pump_.service_.push(*this);
}

ASIO_URING_DECL ring_pump::ring_pump(asio::execution_context& context, io_uring_service& service)
    : epoll_reactor(context),
      service_(service),
      scheduler_(asio::use_service<scheduler>(context)),
      wake_watch_(*this, service.get_ring().features().multishot_poll()),
      epoll_watch_(*this, false)
{
  open_wake_fd();
  without_timer_fd();
}

ASIO_URING_DECL void ring_pump::open_wake_fd()
{
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) asio::detail::throw_error(error_code(errno, boost::system::system_category()), "eventfd");
}

// Without a timerfd, Asio's reactor reports a new earliest timer through interrupt(), which is ours.
ASIO_URING_DECL void ring_pump::without_timer_fd() noexcept
{
  int& timer_fd = this->*member_of(reactor_timer_fd{});
  if (timer_fd >= 0) ::close(std::exchange(timer_fd, -1));
}

ASIO_URING_DECL ring_pump::~ring_pump() { ::close(wake_fd_); }

ASIO_URING_DECL void ring_pump::notify_fork(asio::execution_context::fork_event event)
{
  epoll_reactor::notify_fork(event);
  if (event != asio::execution_context::fork_child) return;
  without_timer_fd();
  ::close(wake_fd_);
  open_wake_fd();
}

ASIO_URING_DECL std::chrono::nanoseconds ring_pump::until_next_timer(std::chrono::nanoseconds limit)
{
  using std::chrono::microseconds;
  using std::chrono::nanoseconds;
  auto& timers = this->*member_of(reactor_timer_queues{});
  if (timers.all_empty()) return limit;
  // Asio looks at a clock that may be set at least every five minutes.
  const microseconds longest = std::min<nanoseconds>(limit, std::chrono::minutes(5)).count() == limit.count()
                                   ? std::chrono::duration_cast<microseconds>(limit)
                                   : std::chrono::minutes(5);
  return microseconds(timers.wait_duration_usec(longest.count()));
}

ASIO_URING_DECL void ring_pump::run(long usec, completion_queue& ops)
{
  using std::chrono::nanoseconds;
  auto& mutex = this->*member_of(reactor_mutex{});
  using scoped_lock = typename std::remove_reference_t<decltype(mutex)>::scoped_lock;
  auto& timers = this->*member_of(reactor_timer_queues{});

  service_.runs_here();
  nanoseconds timeout = usec < 0 ? nanoseconds::max() : nanoseconds(std::chrono::microseconds(usec));
  if (usec != 0) {
    scoped_lock lock(mutex);
    timeout = until_next_timer(timeout);
  }
  service_.turn(timeout, ops);

  // A standing poll ends when its thread exits or the completion queue is full, a one-shot poll after each
  // event.
  if (!wake_watch_.armed) {
    std::uint64_t count;
    [[maybe_unused]] const auto drained = ::read(wake_fd_, &count, sizeof(count));
    wake_watch_.arm(wake_fd_);
  }
  if (!epoll_watch_.armed) {
    epoll_reactor::run(0, ops); // collects ready timers, too
    epoll_watch_.arm(this->*member_of(reactor_epoll_fd{}));
  } else {
    scoped_lock lock(mutex);
    if (!timers.all_empty()) timers.get_ready_timers(ops);
  }
}

ASIO_URING_DECL void ring_pump::interrupt()
{
  if (service_.interrupt()) wake();
}

ASIO_URING_DECL void ring_pump::wake() noexcept
{
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof(one));
}

ASIO_URING_DECL void ring_pump::withdraw() noexcept
{
  for (watch* w : {&wake_watch_, &epoll_watch_})
    if (w->armed) service_.cancel(*w);
}

ASIO_URING_DECL void ring_pump::restart()
{
  wake_watch_.arm(wake_fd_);
  epoll_watch_.arm(this->*member_of(reactor_epoll_fd{}));
}

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_RING_PUMP_IPP
