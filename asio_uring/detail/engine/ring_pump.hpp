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
 * If the context had no reactor, the pump makes one without a timerfd, and the ring itself waits for stock
 * timers. A reactor that a stock object made earlier keeps its timerfd in its epoll set.
 */
class ring_pump final : public scheduler_task, public pump
{
public:
  /// For a context without a reactor. Makes one, which passes on to the pump what the scheduler calls.
  ASIO_URING_DECL ring_pump(asio::execution_context& context, ring_service& service, submitter& requests);
  /// For a context with a reactor. The caller makes the scheduler run the pump instead of it.
  ASIO_URING_DECL ring_pump(epoll_reactor& other, ring_service& service, submitter& requests);

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
  /// Asio's reactor, but the scheduler's calls go to the pump.
  class reactor final : public epoll_reactor
  {
  public:
    reactor(asio::execution_context& context, ring_pump& pump) : epoll_reactor(context), pump_(pump)
    {
      without_timer_fd();
    }

    // scheduler_task
    void run(long microseconds, completion_queue& ops) override { pump_.run(microseconds, ops); }
    /// Asio's reactor also calls this if a timer becomes the earliest and there is no timerfd.
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
  epoll_reactor& reactor_; // for its epoll set and timers; its virtual functions may lead back to the pump
  scheduler& scheduler_;
  watch epoll_watch_; // the epoll set of stock objects; one shot, so that what one epoll_wait left is seen
                      // again
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/ring_pump.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_RING_PUMP_HPP
