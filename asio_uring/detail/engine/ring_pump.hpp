// asio_uring/detail/engine/ring_pump.hpp: the ring in the place of the context's reactor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RING_PUMP_HPP
#define ASIO_URING_DETAIL_ENGINE_RING_PUMP_HPP

#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/detail/engine/doorbell.hpp>
#include <asio_uring/detail/engine/pump.hpp>
#include <chrono>

namespace asio_uring::detail {

class ring_service;

/// Stands where Asio's scheduler expects its reactor: the scheduler runs it when it has nothing else to run.
/**
 * What it collects goes to the scheduler's queue, so run(), run_one(), poll() and their counts are exactly
 * Asio's, and threads share the work as ever. Stock objects keep their epoll set, which is one poll on the
 * ring. Where the ring has a thread of its own, the keeper, the scheduler's threads sleep in Asio's own
 * reactor.
 *
 * A reactor of ours has no timerfd: the ring waits for stock timers itself. One that was there before has its
 * timerfd in the epoll set.
 */
class ring_pump final : public scheduler_task, public pump
{
public:
  /// On a context without a reactor: it gets one of ours, which the scheduler is going to run.
  ASIO_URING_DECL ring_pump(asio::execution_context& context, ring_service& service, submitter& requests);
  /// Beside the reactor that is there. The scheduler is to be told to run this in its place.
  ASIO_URING_DECL ring_pump(epoll_reactor& reactor, ring_service& service, submitter& requests);

  // scheduler_task
  ASIO_URING_DECL void run(long microseconds, completion_queue& ops) override;
  ASIO_URING_DECL void interrupt() override;

  // pump
  pump_kind kind() const noexcept override { return pump_kind::ring; }
  ASIO_URING_DECL void wake() noexcept override;
  void withdraw() noexcept override { epoll_watch_.cancel(); }
  void for_each_submitted(void (*f)(request&, const void*), const void* argument) override
  {
    if (epoll_watch_.armed()) f(epoll_watch_, argument);
  }
  ASIO_URING_DECL void restart() override;

private:
  /// Asio's reactor, whose place the pump takes.
  class reactor final : public epoll_reactor
  {
  public:
    reactor(asio::execution_context& context, ring_pump& pump) : epoll_reactor(context), pump_(pump)
    {
      without_timer_fd();
    }

    // scheduler_task
    void run(long microseconds, completion_queue& ops) override { pump_.run(microseconds, ops); }
    /// Without a timerfd, Asio's reactor reports a new earliest timer here.
    void interrupt() override { pump_.interrupt(); }

    // execution_context::service
    ASIO_URING_DECL void notify_fork(asio::execution_context::fork_event event) override;

  private:
    ASIO_URING_DECL void without_timer_fd() noexcept;
    ring_pump& pump_;
  };

  ASIO_URING_DECL void run_beside_keeper(long microseconds, completion_queue& ops);
  ASIO_URING_DECL void run_without_ring(long microseconds, completion_queue& ops);
  ASIO_URING_DECL std::chrono::nanoseconds until_next_timer(std::chrono::nanoseconds limit);

  ring_service& service_;
  epoll_reactor& reactor_; // its virtual functions lead to this, where it is ours
  scheduler& scheduler_;
  watch epoll_watch_; // the epoll set of stock objects; one shot, so that what one epoll_wait left is seen
                      // again
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/ring_pump.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_RING_PUMP_HPP
