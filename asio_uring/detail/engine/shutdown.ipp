// asio_uring/detail/engine/shutdown.ipp: the end of the context, and forks.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SHUTDOWN_IPP
#define ASIO_URING_DETAIL_ENGINE_SHUTDOWN_IPP

#include <asio_uring/detail/asio/scheduler.hpp>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/detail/engine/zero_copy_sends.hpp>
#include <asio_uring/ring/result.hpp>
#include <cassert>

namespace asio_uring::detail {

ASIO_URING_DECL void ring_service::shutdown()
{
  life_.reset();
  const bool ours = own_process();
  if (has_keeper() && ours)
    stop_keeper();
  else if (has_keeper())
    keeper_.detach(); // the thread does not exist in a forked child
  // If Asio runs the context in a thread of its own, that thread may be in the ring: this ends it.
  if (ours && has_own_thread(*scheduler_)) scheduler_->shutdown();
  stopped_ = true;
  paths_.stop();
  completion_queue given_up;
  buffer_groups_.abandon();
  pump_->withdraw();
  if (doorbell_) doorbell_->withdraw();
  if (doubts_.armed()) submitter_.cancel(doubts_);
  if (deadlines_->armed()) submitter_.cancel(*deadlines_);
  for (const auto& d : file_states_)
    d->abandon(given_up);
  if (ours) {
    end_requests(given_up);
    // From here on the kernel touches none of our memory.
    assert(!in_kernel() && !get_ring().unsubmitted());
  } else
    submitter_.forget_all();
  ready_.move_to(given_up);
  while (completion* op = given_up.front()) {
    given_up.pop();
    op->destroy();
    ready_.move_to(given_up);
  }
}

// The kernel may write into buffers until the last terminal completion: waits for that, however long it
// takes.
ASIO_URING_DECL void ring_service::end_requests(completion_queue& given_up) noexcept
{
  const std::uint64_t owner = owner_.load(std::memory_order_relaxed);
  if (bound_.load(std::memory_order_relaxed) && owner != thread_identity::name()) {
    // Only the owner may enter, so the ring is retired. refill() ends what has never reached it, because
    // that was cancelled.
    submitter_.hold(submitter::holding::everything);
    submitter_.refill(given_up);
    rest(true);
    await_notifications(given_up);
    return submitter_.forget_all();
  }
  while (performs() || submitter_.has_backlog()) {
    ring& r = get_ring();
    // A cancellation without which the wait would never end may still wait for room on the ring.
    const int result = submitter_.has_backlog()
                           ? r.submit()
                           : r.submit_and_wait(sleep_at_most(std::chrono::nanoseconds::max()));
    if (result < 0 && !is_momentary(result)) {
      rest(true);
      await_notifications(given_up);
      if (in_kernel()) end_in_flight(given_up);
      submitter_.refill(given_up); // ends what has never reached the ring
      return submitter_.forget_all();
    }
    collect(given_up);
    while (submitter_.refill(given_up)) {
    }
  }
  await_notifications(given_up);
}

/// Waits for the notifications of zero-copy sends, because the kernel reads the memory until then. After a
/// second, connections that still owe some are aborted: their peers may never take the data. Where the
/// program has closed the connection, the kernel's own timeouts end the wait.
ASIO_URING_DECL void ring_service::await_notifications(completion_queue& found) noexcept
{
  using clock = std::chrono::steady_clock;
  const auto limit = clock::now() + std::chrono::seconds(1);
  bool aborted = false;
  for (unsigned times = 0; in_kernel() && !performs(); pause(times++)) {
    if (ring& r = get_ring(); r.fd() >= 0 && r.submit() < 0 && !r.can_retire()) return;
    collect(found);
    if (aborted || clock::now() < limit) continue;
    for (const auto& d : file_states_)
      zero_copy_sends::abort_connection(*d);
    aborted = true;
  }
}

// Before a fork, all that is in flight is ended. Afterwards each process sets up a new ring, and both submit
// what was not performed, as operations that wait in Asio's reactor go on waiting in both.
ASIO_URING_DECL void ring_service::notify_fork(asio::execution_context::fork_event event)
{
  switch (event) {
  case asio::execution_context::fork_prepare:
    before_fork_ = true;
    if ((has_keeper_before_fork_ = has_keeper())) {
      stop_keeper();
    } else {
      register_with_ring([this](ring&) noexcept { return rest(true), 0; });
      for (unsigned times = 0; bound_.load(std::memory_order_relaxed) && !ring_lock_.try_acquire();)
        pause(times++);
    }
    before_fork_ = false;
    rested_ = true;
    return;
  case asio::execution_context::fork_parent:
    if (rested_.exchange(false)) go_on(true, false); // else the ring is still at work
    return;
  case asio::execution_context::fork_child:
    process_ = process::id();
    submitter_.renew();
    thread_identity::renew();
    runner_.store(0, std::memory_order_relaxed);
    moved_ = false;
    if (has_keeper()) keeper_.detach();
    has_keeper_ = has_keeper_before_fork_ = false;
    if (doorbell_) doorbell_->renew();
    go_on(rested_.exchange(false), true);
    return;
  }
}

/// Sets up a new ring after a fork. In a child without fork_prepare nobody knows what was performed, so all
/// that was in flight is submitted again.
ASIO_URING_DECL void ring_service::go_on(bool rested, bool in_child)
{
  // What is in flight when a child begins completes in the parent.
  if (!rested || (in_child && in_kernel())) {
    pump_->stop_watching();
    completion_queue found;
    resting_ = true;
    submitter_.hold(submitter::holding::everything);
    end_in_flight(found);
    resting_ = false;
    ready_.push_all(found);
  }
  if (in_child) event_fd_.reset(); // the parent's ring signals it
  const bool locked = rested && (has_keeper_before_fork_ || bound_.load(std::memory_order_relaxed));
  set_up_ring();
  if (in_child) {
    rings_.remove_if([this](const ring& r) { return &r != &get_ring() && r.can_retire(); });
    disowned_.clear();
    look_for_former();
  }
  if (has_keeper_before_fork_ && start_keeper()) return; // the keeper has the lock from now on
  pump_->restart();
  if (locked || in_child) ring_lock_.release();
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SHUTDOWN_IPP
