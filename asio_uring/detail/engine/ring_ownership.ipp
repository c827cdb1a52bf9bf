// asio_uring/detail/engine/ring_ownership.ipp: which thread enters the ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RING_OWNERSHIP_IPP
#define ASIO_URING_DETAIL_ENGINE_RING_OWNERSHIP_IPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <cerrno>
#include <csignal>
#include <thread>

// A bound ring (ring::bound) is entered by one thread, its owner. So the kernel works for the ring inside the
// owner's enters alone: it interrupts no other call, and a thread that sleeps elsewhere does not hold it up.
//
// The first thread that needs the kernel becomes the owner, usually the one that runs the context. A read or
// an accept that is started before anybody runs the context does not need the kernel yet. A write does, for
// its peer may be waiting.
//
// Another thread that runs the context while the owner is not in the ring takes the ring over, once. The old
// ring is given back to the kernel, which ends what is in flight; what was not performed is submitted to a
// new ring (rest). That needs room for all completions, because the kernel keeps those that do not fit for
// the owner.
//
// When a second thread is seen to run the context, or when a thread needs the kernel now (to close a number,
// or to submit before a synchronous call) and the owner stays in a handler, the ring gets a thread of its own
// for good: the keeper. It runs no handlers, so it is always available; completions go to the context's
// queue.
//
// All threads push entries under the submitter's lock. Whoever enters holds ring_lock_ for the length of a
// turn; the keeper holds it for its life. A thread that needs the kernel now asks, and wakes the owner
// (doorbell.hpp). The owner answers when all that was published before is submitted, and the kernel has let
// go of what was cancelled. After it has released the lock, the owner looks for questions once more: either
// it sees the question, or the asking thread finds the lock free.
//
// Rings that are not bound (before Linux 6.6) are entered by any thread; whoever turns them holds ring_lock_.

namespace asio_uring::detail {

/// Acquires ring_lock_. False if the keeper has it.
ASIO_URING_DECL bool ring_service::lock_ring() noexcept
{
  for (unsigned times = 0; !ring_lock_.try_acquire(); pause(times++))
    if (has_keeper_.load(std::memory_order_acquire)) return false;
  return true;
}

// Releases ring_lock_. The owner answers questions first; another thread took the lock only to see who owns
// the ring.
ASIO_URING_DECL void ring_service::leave_ring() noexcept
{
  const auto is_owner = [&] { return owner_.load(std::memory_order_relaxed) == thread_identity::name(); };
  do {
    if (is_owner() && own_process()) serve();
    ring_lock_.release();
  } while (loop_.unanswered() && is_owner() && ring_lock_.try_acquire());
}

/// Answers all questions. Called by the owner, with the lock held.
ASIO_URING_DECL void ring_service::serve() noexcept
{
  for (;;) {
    const unsigned asked = loop_.asked();
    if (loop_.answered(asked)) return;
    for (ring_call* c = calls_.exchange(nullptr, std::memory_order_acq_rel); c;) {
      ring_call* const next = c->next; // the call may be gone once it is served
      c->result = c->function(c->argument, get_ring());
      c = next;
    }
    submit_and_collect();
    loop_.answer(asked);
  }
}

ASIO_URING_DECL void ring_service::submit_and_collect() noexcept
{
  submit_all();
  completion_queue found;
  collect(found);
  // A synchronous function may be waiting for a request that waits for room, and an entry that is submitted
  // again may name a number that is about to be closed.
  constexpr unsigned most = 16;
  for (unsigned times = 0; times < most && (submitter_.refill(found) || get_ring().unsubmitted()); ++times) {
    if (!submit_all()) break;
    collect(found);
  }
  while (completion* op = found.front()) {
    found.pop();
    post(*op);
  }
}

ASIO_URING_DECL bool ring_service::bind_ring() noexcept
{
  ring& r = get_ring();
  if (r.bound())
    if (const int result = r.bind(); result < 0 && result != -EBADFD) { // it is bound already
      replace_ring(-result);
      return false;
    }
  owner_.store(thread_identity::name(), std::memory_order_relaxed);
  owner_tid_.store(thread_identity::number(), std::memory_order_relaxed);
  return true;
}

/// Makes the calling thread the owner; the lock is held. False if it is not: the ring got a keeper or was
/// replaced, or its queue has no room for all completions.
ASIO_URING_DECL bool ring_service::own_ring(bool in_loop) noexcept
{
  if (in_loop && shared_.load(std::memory_order_relaxed)) {
    shared_.store(false, std::memory_order_relaxed);
    if (start_keeper()) return false;
  }
  const std::uint64_t owner = owner_.load(std::memory_order_relaxed);
  if (owner == thread_identity::name()) return true;
  if (owner != 0) {
    const bool alive = thread_identity::lives(owner_tid_.load(std::memory_order_relaxed));
    if (alive && !submitter_.with_ring([](const ring& r) { return r.fits(); })) {
      // The kernel delivers completions that do not fit to the owner alone. It starts the keeper when it is
      // back.
      shared_.store(true, std::memory_order_relaxed);
      return false;
    }
    if (alive && (!in_loop || moved_) && start_keeper()) return false;
    moved_ = moved_ || alive;
    rest(false);
    owner_.store(0, std::memory_order_relaxed);
    try {
      set_up_ring();
      pump_->restart();
    } catch (const std::exception&) {
      replace_ring(EAGAIN);
      return false;
    }
  }
  return bind_ring();
}

/// Submits after push or cancel, for a thread that is not about to turn the ring.
ASIO_URING_DECL void ring_service::submit_soon() noexcept
{
  if (!bound_.load(std::memory_order_relaxed)) {
    submit_now();
    return;
  }
  const std::uint64_t owner = owner_.load(std::memory_order_relaxed);
  if (!has_keeper() &&
      (owner == thread_identity::name() || (owner == 0 && effects_.load(std::memory_order_relaxed)))) {
    // Outside of the loop, or as a guest: no other thread may do it.
    if (own_process() && ring_lock_.try_acquire()) {
      if (own_ring(false)) submit_and_collect();
      if (!has_keeper()) leave_ring();
      return;
    }
  }
  wake_if_idle();
}

/// Returns when all that is published is submitted and the call has been made. True if nothing is left to
/// submit.
ASIO_URING_DECL bool ring_service::reach_kernel(ring_call* call) noexcept
{
  if (!own_process()) {
    if (call) call->result = -ECHILD;
    return true;
  }
  if (!bound_.load(std::memory_order_relaxed)) {
    if (call) call->result = call->function(call->argument, get_ring());
    return submit_all() && !submitter_.has_backlog();
  }
  if (rested_.load(std::memory_order_relaxed)) { // nothing is in flight, and no thread enters
    if (call) call->result = -EBUSY;
    return true;
  }
  if (call) {
    call->next = calls_.load(std::memory_order_relaxed);
    while (!calls_.compare_exchange_weak(call->next, call, std::memory_order_acq_rel)) {
    }
  }
  const unsigned ticket = loop_.ask();
  // Handlers are usually short: wait for the owner a moment before giving the ring another one.
  constexpr unsigned patience = 32, limit = 1000;
  for (unsigned times = 0; call || times < limit; pause(times++)) {
    if (loop_.answered(ticket)) break;
    if (!has_keeper() && ring_lock_.try_acquire()) {
      const std::uint64_t owner = owner_.load(std::memory_order_relaxed);
      const bool mine = owner == 0 || owner == thread_identity::name();
      if ((mine || times >= patience) && own_ring(false)) serve();
      if (!has_keeper()) leave_ring();
    } else
      wake_if_idle();
  }
  return !submitter_.has_unsubmitted();
}

// --- the keeper

ASIO_URING_DECL bool ring_service::start_keeper() noexcept
{
  if (!locking_) return false;
  // The keeper must handle no signals.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  loop_.let_keeper_run();
  bool started = false;
  try {
    hang_up_doorbell();
    rest(false);
    owner_.store(0, std::memory_order_relaxed);
    set_up_ring();
    keeper_ = std::thread([this] { keep_ring(); });
    started = true;
    has_keeper_.store(true, std::memory_order_release); // the lock stays held: it is the keeper's now
    pump_->restart();
  } catch (const std::exception&) {
    // There is no thread or no descriptor left: threads go on taking the ring over.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

ASIO_URING_DECL void ring_service::keep_ring() noexcept
{
  for (unsigned times = 0; !has_keeper_.load(std::memory_order_acquire);) // as start_keeper() publishes it
    pause(times++);
  bind_ring();
  runners_.add(thread_identity::number());
  while (!loop_.keeper_stops()) {
    completion_queue found;
    turn_ring(std::chrono::nanoseconds::max(), found);
    scheduler_->post_deferred_completions(found);
    serve();
  }
  rest(true);
}

/// Stops the keeper. Then nothing is in flight, and the caller has the lock.
ASIO_URING_DECL void ring_service::stop_keeper() noexcept
{
  loop_.stop_keeper();
  wake_if_idle();
  keeper_.join();
  has_keeper_.store(false, std::memory_order_release);
}

/// Posts a completion that needs no kernel: the keeper takes no part in it.
ASIO_URING_DECL void ring_service::post_past_keeper(completion& op) noexcept
{
  scheduler_->post_deferred_completion(&op);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_RING_OWNERSHIP_IPP
