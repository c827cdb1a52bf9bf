// asio_uring/detail/engine/guest_pump.hpp: the ring as a descriptor in the context's own reactor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_GUEST_PUMP_HPP
#define ASIO_URING_DETAIL_ENGINE_GUEST_PUMP_HPP

#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/detail/engine/lock.hpp>
#include <asio_uring/detail/engine/pump.hpp>
#include <atomic>

namespace asio_uring::detail {

class ring_service;

/// Has the context's own reactor watch the ring, as it watches a socket.
/**
 * Completed operations run in the place of that descriptor's operations, before timers that the reactor finds
 * in the same run: the first at once, the others at the front of the scheduler's queue. So Asio's own code
 * does stop(), exceptions, run_one() and the sharing among threads. A turn that completes nothing counts as a
 * handler in what run() and run_one() return. The watch is no work of the context, and nothing here allocates
 * once the ring is watched.
 */
class guest_pump final : public pump
{
public:
  ASIO_URING_DECL guest_pump(asio::execution_context& context, ring_service& service, bool locking);

  pump_kind kind() const noexcept override { return pump_kind::guest; }
  ASIO_URING_DECL void wake() noexcept override;
  ASIO_URING_DECL void withdraw() noexcept override;
  ASIO_URING_DECL void stop_watching() noexcept override;
  ASIO_URING_DECL void restart() override;

private:
  /// Waits for the ring, among the reactor's operations.
  class ring_event final : public reactor_op
  {
  public:
    explicit ring_event(guest_pump& pump) noexcept
        : reactor_op(error_code(), &ring_event::do_perform, &ring_event::do_complete), pump_(pump)
    {}

  private:
    static status do_perform(reactor_op*) { return done_and_exhausted; }
    ASIO_URING_DECL static void do_complete(void* owner, completion* base, const error_code&, std::size_t);
    guest_pump& pump_;
  };

  /// Waits in the scheduler's queue to turn the ring, whether it has completions or not.
  class round final : public completion
  {
  public:
    explicit round(guest_pump& pump) noexcept : completion(&round::do_complete), pump_(pump) {}

  private:
    ASIO_URING_DECL static void do_complete(void* owner, completion* base, const error_code&, std::size_t);
    guest_pump& pump_;
  };

  ASIO_URING_DECL void wait_again() noexcept;
  ASIO_URING_DECL void turn();
  ASIO_URING_DECL void collect(completion_queue& ops) noexcept;

  ring_service& service_;
  epoll_reactor& reactor_;
  scheduler& scheduler_;
  lock state_lock_;
  epoll_reactor::per_descriptor_data state_ = nullptr; // the reactor's data of the ring, if it watches it
  int watched_ = -1;
  ring_event event_{*this};
  round round_{*this};
  std::atomic<bool> round_queued_{false};
  std::atomic<bool> turning_{false};
  std::atomic<bool> turn_again_{false};
  bool stopped_ = false;
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/guest_pump.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_GUEST_PUMP_HPP
