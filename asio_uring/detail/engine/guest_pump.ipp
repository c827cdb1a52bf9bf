// asio_uring/detail/engine/guest_pump.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_GUEST_PUMP_IPP
#define ASIO_URING_DETAIL_ENGINE_GUEST_PUMP_IPP

#include <asio_uring/detail/asio/members.hpp>
#include <asio_uring/detail/asio/scheduler.hpp>
#include <asio_uring/detail/engine/guest_pump.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <thread>
#include <utility>

namespace asio_uring::detail {

// Makes the reactor and the scheduler if there are none: they must be notified of a fork before the ring, and
// shut down after it.
ASIO_URING_DECL guest_pump::guest_pump(asio::execution_context& context, ring_service& service, bool locking)
    : service_(service),
      reactor_(asio::use_service<epoll_reactor>(context)),
      scheduler_(asio::use_service<scheduler>(context)),
      state_lock_(locking)
{}

ASIO_URING_DECL void guest_pump::restart()
{
  watched_ = service_.watch_fd();
  epoll_reactor::per_descriptor_data state = nullptr;
  const int error = reactor_.register_internal_descriptor(epoll_reactor::read_op, watched_, state, &event_);
  {
    const locked guard(state_lock_);
    state_ = state;
  }
  if (error) {
    stop_watching();
    throw_error(error_code(error, system_category()), "epoll_ctl");
  }
  wait_again(); // the first event may have come before there was a state to wait in
  if (service_.unfinished()) wake();
}

ASIO_URING_DECL void guest_pump::stop_watching() noexcept
{
  epoll_reactor::per_descriptor_data state;
  {
    const locked guard(state_lock_);
    state = std::exchange(state_, nullptr);
  }
  reactor_.deregister_internal_descriptor(watched_, state);
  reactor_.cleanup_descriptor_data(state);
}

ASIO_URING_DECL void guest_pump::withdraw() noexcept
{
  stopped_ = true;
  // A forked child that was not notified of the fork shares the epoll set with its parent, and has no
  // threads.
  if (!service_.own_process()) return;
  stop_watching();
}

// Each new completion is an event. If one comes while nothing waits, the turn that follows finds the
// completion.
ASIO_URING_DECL void guest_pump::wait_again() noexcept
{
  const locked guard(state_lock_);
  if (!state_) return;
  auto& mutex = state_->*member_of(reactor_state_mutex{});
  const typename std::remove_reference_t<decltype(mutex)>::scoped_lock lock(mutex);
  auto& waiting = (state_->*member_of(reactor_state_queues{}))[epoll_reactor::read_op];
  if (!waiting.is_enqueued(&event_)) waiting.push(&event_);
}

ASIO_URING_DECL void guest_pump::ring_event::do_complete(void* owner, completion* base, const error_code&,
                                                         std::size_t)
{
  if (!owner) return;
  guest_pump& pump = static_cast<ring_event*>(static_cast<reactor_op*>(base))->pump_;
  pump.wait_again();
  pump.turn();
}

ASIO_URING_DECL void guest_pump::wake() noexcept
{
  if (!stopped_ && !round_queued_.exchange(true, std::memory_order_seq_cst)) enqueue(scheduler_, round_);
}

ASIO_URING_DECL void guest_pump::round::do_complete(void* owner, completion* base, const error_code&,
                                                    std::size_t)
{
  if (!owner) return;
  guest_pump& pump = static_cast<round*>(base)->pump_;
  pump.round_queued_.store(false, std::memory_order_seq_cst);
  pump.turn();
}

// The scheduler expects that the caller was counted as work, as the ring's operations are. It was not, so the
// first of them ends in its place.
ASIO_URING_DECL void guest_pump::turn()
{
  service_.runs_here();
  completion_queue ops;
  collect(ops);
  completion* first = ops.front();
  if (!first) return scheduler_.compensating_work_started();
  ops.pop();
  if (!ops.empty()) enqueue_first(scheduler_, ops);
  first->complete(&scheduler_, error_code(), 0);
}

// If something is left to do, it waits behind all other handlers, so that a ring that is never idle does not
// hold them up.
ASIO_URING_DECL void guest_pump::collect(completion_queue& ops) noexcept
{
  turn_again_.store(true, std::memory_order_seq_cst);
  if (turning_.exchange(true, std::memory_order_seq_cst)) return; // the thread that turns it does so again
  turn_again_.store(false, std::memory_order_seq_cst);
  service_.loop().set_idle(true);
  service_.turn(std::chrono::nanoseconds(0), ops);
  if (!service_.has_keeper() && service_.has_unsubmitted())
    service_.submit_now(); // a completion may have pushed something
  turning_.store(false, std::memory_order_seq_cst);
  if (service_.has_untold()) [[unlikely]] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    wake();
  }
  if (turn_again_.load(std::memory_order_seq_cst) || service_.unfinished()) wake();
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_GUEST_PUMP_IPP
