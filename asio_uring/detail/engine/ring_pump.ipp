// asio_uring/detail/engine/ring_pump.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RING_PUMP_IPP
#define ASIO_URING_DETAIL_ENGINE_RING_PUMP_IPP

#include <algorithm>
#include <asio_uring/detail/asio/contract.hpp>
#include <asio_uring/detail/asio/members.hpp>
#include <asio_uring/detail/engine/ring_pump.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <unistd.h>

namespace asio_uring::detail {

ASIO_URING_DECL ring_pump::ring_pump(asio::execution_context& context, ring_service& service,
                                     submitter& requests)
    : ring_pump(asio::make_service<reactor>(context, *this), service, requests) // under its base's key
{}

ASIO_URING_DECL ring_pump::ring_pump(epoll_reactor& other, ring_service& service, submitter& requests)
    : service_(service),
      reactor_(other),
      scheduler_(asio::use_service<scheduler>(other.context())),
      epoll_watch_(requests, false)
{}

ASIO_URING_DECL void ring_pump::reactor::without_timer_fd() noexcept
{
  int& timer_fd = this->*member_of(reactor_timer_fd{});
  if (timer_fd >= 0) ::close(std::exchange(timer_fd, -1));
}

ASIO_URING_DECL void ring_pump::reactor::notify_fork(asio::execution_context::fork_event event)
{
  epoll_reactor::notify_fork(event);
  if (event == asio::execution_context::fork_child) without_timer_fd();
}

ASIO_URING_DECL std::chrono::nanoseconds ring_pump::until_next_timer(std::chrono::nanoseconds limit)
{
  using std::chrono::microseconds;
  using std::chrono::nanoseconds;
  auto& timers = reactor_.*member_of(reactor_timer_queues{});
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
  auto& mutex = reactor_.*member_of(reactor_mutex{});
  using scoped_lock = typename std::remove_reference_t<decltype(mutex)>::scoped_lock;
  auto& timers = reactor_.*member_of(reactor_timer_queues{});

  service_.runs_here();
  if (service_.has_keeper()) return run_beside_keeper(usec, ops);
  nanoseconds timeout = usec < 0 ? nanoseconds::max() : nanoseconds(std::chrono::microseconds(usec));
  const bool waits_for_timers = reactor_.*member_of(reactor_timer_fd{}) < 0;
  if (waits_for_timers && usec != 0) {
    scoped_lock lock(mutex);
    timeout = until_next_timer(timeout);
  }
  if (!epoll_watch_.armed() && epoll_watch_.usable())
    epoll_watch_.arm(reactor_.*member_of(reactor_epoll_fd{}));
  if (!service_.turn(timeout, ops)) return run_without_ring(usec, ops);

  if (!epoll_watch_.armed()) {
    // The epoll set may tell of a timer. What has completed by then comes first, as in Asio's own reactor,
    // but an emulated kernel may have returned when it found the epoll set, and not have looked at the rest.
    if (!waits_for_timers) service_.turn(nanoseconds(0), ops);
    reactor_.epoll_reactor::run(0, ops); // collects ready timers, too
  } else if (waits_for_timers) {
    scoped_lock lock(mutex);
    if (!timers.all_empty()) timers.get_ready_timers(ops);
  }
}

ASIO_URING_DECL void ring_pump::run_beside_keeper(long usec, completion_queue& ops)
{
  service_.turn(std::chrono::nanoseconds(0), ops); // what was posted before there was a keeper
  reactor_.epoll_reactor::run(service_.loop().take_interrupt() || !ops.empty() ? 0 : usec, ops);
}

// The ring's owner is in a handler, or elsewhere, and it cannot be had from it: for a moment.
ASIO_URING_DECL void ring_pump::run_without_ring(long usec, completion_queue& ops)
{
  constexpr long moment = 1000;
  const bool wait = ops.empty() && !service_.has_keeper() && !service_.loop().take_interrupt();
  reactor_.epoll_reactor::run(!wait ? 0 : usec < 0 ? moment : std::min(usec, moment), ops);
}

ASIO_URING_DECL void ring_pump::wake() noexcept { service_.ring_doorbell(); }

ASIO_URING_DECL void ring_pump::interrupt()
{
  // Another thread than the sleeping one runs the context, too.
  if (!service_.has_keeper() && service_.loop().interrupt()) {
    if (scheduler_.can_dispatch()) service_.seen_shared();
    wake();
  }
  if (!service_.has_keeper()) return;
  service_.loop().set_interrupted();
  reactor_.epoll_reactor::interrupt();
}

// Polls are armed with the next run. With a keeper, whoever slept in the ring sleeps in Asio's reactor from
// now on.
ASIO_URING_DECL void ring_pump::restart()
{
  if (service_.has_keeper()) reactor_.epoll_reactor::interrupt();
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_RING_PUMP_IPP
