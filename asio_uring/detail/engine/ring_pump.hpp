// asio_uring/detail/engine/ring_pump.hpp: our reactor in the place of the context's own.
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

/// Stands where Asio's scheduler expects its epoll reactor: the scheduler runs it when it has nothing else to
/// run.
/**
 * What it collects goes to the scheduler's queue, so run(), run_one(), poll() and their counts are exactly
 * Asio's, and threads share the work as ever. Stock objects keep their epoll set, which is one poll on the
 * ring; stock timers are waited for by the ring itself (no timerfd). Where the ring has a thread of its own,
 * the keeper, the scheduler's threads sleep in Asio's own reactor.
 */
class ring_pump final : public epoll_reactor, public pump
{
public:
  ASIO_URING_DECL ring_pump(asio::execution_context& ctx, ring_service& s, submitter& requests);

  // scheduler_task
  ASIO_URING_DECL void run(long microseconds, completion_queue& ops) override;
  ASIO_URING_DECL void interrupt() override;

  // execution_context::service
  ASIO_URING_DECL void notify_fork(asio::execution_context::fork_event event) override;

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
  ASIO_URING_DECL void without_timer_fd() noexcept;
  ASIO_URING_DECL void run_beside_keeper(long microseconds, completion_queue& ops);
  ASIO_URING_DECL void run_without_ring(long microseconds, completion_queue& ops);
  ASIO_URING_DECL std::chrono::nanoseconds until_next_timer(std::chrono::nanoseconds limit);

  ring_service& service_;
  scheduler& scheduler_;
  watch epoll_watch_; // the epoll set of stock objects; one shot, so that what one epoll_wait left is seen
                      // again
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/ring_pump.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_RING_PUMP_HPP
