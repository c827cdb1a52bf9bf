// asio_uring/detail/engine/turn.ipp: one turn of the ring: submit, wait, collect.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_TURN_IPP
#define ASIO_URING_DETAIL_ENGINE_TURN_IPP

#include <algorithm>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/ring/result.hpp>
#include <cerrno>
#include <thread>

namespace asio_uring::detail {

ASIO_URING_DECL bool ring_service::submit_now() noexcept
{
  const bool all = reach_kernel();
  // Requests that found no room on the ring need the loop, which may be asleep.
  if (submitter_.has_backlog()) wake_if_idle();
  return all;
}

// Like what handlers start, so only where the loop enters after each of them.
ASIO_URING_DECL bool ring_service::close_with_next_enter(int fd) noexcept
{
  if (options_.closing != closing::with_next_enter || !here() || guest_ || stopped_) return false;
  if (!bound_.load(std::memory_order_relaxed) || has_keeper() || scheduler_->stopped()) return false;
  if (paths_.path_for(preference::reading) != path::completion) return false;
  if (!submitter_.close(fd, [this] { scheduler_->work_started(); })) return false;
  has_effect();
  notify();
  return true;
}

// The kernel may refuse for a moment (EAGAIN: no memory) or take only some entries. Yet none should be left
// behind: the loop may be asleep, and an entry may name a descriptor that is about to be closed. EBUSY,
// before 5.19, lasts until completions have been collected, perhaps by this very thread, so patience is
// limited. That a bound ring wants an enter is no reason for patience: ring::wants_enter().
ASIO_URING_DECL bool ring_service::submit_all() noexcept
{
  // Most often the kernel only limits what it does at once, or another thread has published meanwhile.
  constexpr unsigned at_once = 16, patience = 1000;
  const auto done = [this] {
    const ring& r = get_ring();
    return !r.unsubmitted() && !(r.bound() && r.wants_enter());
  };
  for (unsigned times = 0; !done();) {
    ring& r = get_ring();
    const int result = r.submit();
    if (result > 0 || done()) continue;
    if (result < 0 && !is_momentary(result))
      failed(r, -result);
    else if (++times < at_once)
      continue;
    else if (times == patience || (result >= 0 && !r.unsubmitted()))
      break;
    std::this_thread::yield();
  }
  return !get_ring().unsubmitted();
}

/// Replaces a ring whose enter was refused for good. If another thread turns the ring, that one is woken to
/// try instead: it may be allowed to enter where this one is not.
ASIO_URING_DECL void ring_service::failed(ring& r, int error) noexcept
{
  const bool held = bound_.load(std::memory_order_relaxed) ||
                    owner_.load(std::memory_order_relaxed) == thread_identity::name();
  if (!held && !ring_lock_.try_acquire()) {
    wake_if_idle();
    return std::this_thread::yield();
  }
  if (&r == &get_ring()) replace_ring(error);
  if (!held) ring_lock_.release();
}

void ring_service::end_epoch() noexcept
{
  // Whether handlers may run in other threads than the one that turns the ring.
  const bool elsewhere = has_keeper() || (!bound_.load(std::memory_order_relaxed) && !one_thread());
  paths_.end_epoch(available_.load(std::memory_order_relaxed), elsewhere, thread_identity::name(), runners_,
                   open_file_states_.load(std::memory_order_relaxed));
}

ASIO_URING_DECL bool ring_service::turn(std::chrono::nanoseconds timeout, completion_queue& out) noexcept
{
  ready_.move_to(out);
  if (!bound_.load(std::memory_order_relaxed)) {
    // With the lock held, others may enter the ring but not replace it. A keeper goes on with the ring that
    // replaces its own.
    const bool locks = own_process();
    if (locks && !lock_ring()) return false;
    owner_.store(thread_identity::name(), std::memory_order_relaxed);
    turn_ring(timeout, out);
    owner_.store(0, std::memory_order_relaxed);
    if (locks) ring_lock_.release();
    return true;
  }
  if (!own_process()) [[unlikely]] { // the parent's ring is not ours to enter
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(timeout, std::chrono::milliseconds(1)));
    return true;
  }
  if (has_keeper() || !lock_ring()) return false;
  const ring* const before = &get_ring();
  const bool mine = own_ring(true);
  if (mine && polls_eventfds_.load(std::memory_order_relaxed)) [[unlikely]]
    signal_anew();
  // Do not sleep in a ring that has just been taken over: the pump must arm its polls first.
  if (mine) turn_ring(before == &get_ring() ? timeout : std::chrono::nanoseconds(0), out);
  // Another thread that was seen to run the context must not wait until the handlers that follow have ended.
  if (mine && shared_.load(std::memory_order_relaxed)) own_ring(true);
  ready_.move_to(out);
  if (!has_keeper()) leave_ring();
  return mine;
}

ASIO_URING_DECL std::chrono::nanoseconds
ring_service::sleep_at_most(std::chrono::nanoseconds limit) const noexcept
{
  return has_former() ? std::min<std::chrono::nanoseconds>(limit, std::chrono::milliseconds(5)) : limit;
}

ASIO_URING_DECL void ring_service::turn_ring(std::chrono::nanoseconds timeout, completion_queue& out) noexcept
{
  ring& r = get_ring();
  // Here alone, within run(): elsewhere the end of the work would stop a context that was restarted.
  if (submitter_.closes_submitted()) scheduler_->work_finished();
  if (doorbell_) doorbell_->listen();
  if (paths_.epoch_is_over()) [[unlikely]]
    end_epoch();
  ready_.move_to(out);
  if (records_.has_too_much() && out.empty()) [[unlikely]]
    records_.trim();
  int result = 0;
  // A ring that wants an enter may sleep all the same: the kernel does first what it has to do.
  if (timeout.count() > 0 && out.empty() && !r.has_completions() && !submitter_.has_backlog()) {
    timeout = sleep_at_most(timeout);
    const bool waits = !spinner_.wanted() || !spin(r, timeout);
    loop_.lie_down(); // whoever posts, submits, interrupts or asks after this wakes the loop, or is seen here
    if (waits && ready_.empty() && !submitter_.has_backlog() && !must_not_sleep())
      result = r.submit_and_wait(timeout);
    else if (r.unsubmitted() || r.wants_enter())
      result = r.submit();
    loop_.get_up();
  } else {
    if (r.unsubmitted() || r.wants_enter()) result = r.submit();
  }
  if (!has_keeper()) loop_.forget_interrupt();
  if (!r.unsubmitted() && !submitter_.has_backlog()) {
    strangers_.store(false, std::memory_order_relaxed);
    numbers_.submitted();
    effects_.store(false, std::memory_order_relaxed);
  }
  if (result < 0 && !is_momentary(result)) [[unlikely]]
    failed(r, -result);
  // An operation that ends while completions are collected may let the next one of its lane be submitted,
  // which must not overtake it: so what was posted goes first. Limited, so that requests that begin anew
  // whenever they end do not hold up the loop: the next turn goes on.
  constexpr unsigned most = 16;
  for (unsigned times = 0;; ++times) {
    collect(out);
    ready_.move_to(out);
    if (times == most || !submitter_.refill(out)) break;
    get_ring().submit();
  }
  if (submitter_.closes_submitted()) scheduler_->work_finished();
}

/// Spins until there are completions, or whatever else would wake a loop that sleeps. False if there was
/// nothing and the rest of the timeout may be slept.
bool ring_service::spin(ring& r, std::chrono::nanoseconds& timeout) noexcept
{
  if (r.unsubmitted() && r.submit() < 0) return true;
  std::chrono::nanoseconds spent{0};
  const bool found = spinner_.spin(
      timeout,
      [&] {
        if (r.has_completions() || r.unsubmitted() || !ready_.empty() || submitter_.has_backlog() ||
            must_not_sleep())
          return true;
        return r.wants_enter() && (r.submit() < 0 || r.has_completions());
      },
      spent);
  paths_.leave_out(spent);
  if (timeout != std::chrono::nanoseconds::max()) timeout -= std::min(timeout, spent);
  return found || timeout.count() == 0;
}

ASIO_URING_DECL void ring_service::collect_now() noexcept
{
  submit_now();
  if (bound_.load(std::memory_order_relaxed)) return; // the thread that submitted has collected, too
  const auto enter = [this] {
    ring& r = get_ring();
    const int result = r.submit();
    if (result < 0 && !is_momentary(result)) failed(r, -result);
  };
  completion_queue found;
  enter();
  collect(found);
  while (submitter_.refill(found)) {
    enter();
    collect(found);
  }
  while (completion* op = found.front()) {
    found.pop();
    post(*op);
  }
  submit_now(); // what completions have pushed
}

ASIO_URING_DECL void ring_service::collect(completion_queue& out) noexcept
{
  const auto completed = [&](const io_uring_cqe& cqe) {
    submitter_.submitted(); // acquires what the submitting thread wrote
    if (!(cqe.flags & IORING_CQE_F_MORE)) ++retired_;
    // On a ring that is given up, requests that the kernel was about to begin, or to try again, end with
    // EFAULT.
    const int result = resting_ && cqe.res == -EFAULT ? -ECANCELED : result_of_call(cqe.res);
    if (cqe.user_data != submitter::no_request)
      reinterpret_cast<request*>(static_cast<std::uintptr_t>(cqe.user_data))
          ->completed(result, cqe.flags, out);
  };
  // Where no thread owns the ring, a synchronous function may collect at the same time as the loop.
  const bool locks = !bound_.load(std::memory_order_relaxed);
  if (locks) collecting_.acquire();
  const unsigned found = get_ring().consume_completions(completed);
  counters_.completions.add(found);
  counters_.largest_batch.raise_to(found);
  if (rings_.size() > 1) [[unlikely]]
    collect_former(completed);
  if (locks) collecting_.release();
}

/// Collects what rings that were given up still deliver.
template <typename F>
void ring_service::collect_former(F&& completed) noexcept
{
  const bool before = std::exchange(resting_, true);
  for (auto r = rings_.begin(); r != rings_.end();) {
    const bool former = &*r != &get_ring() && r->can_retire();
    if (former)
      r->consume_completions([&](const io_uring_cqe& cqe) {
        if (!is_disowned(*r, cqe)) completed(cqe);
      });
    r = former && r->left() == 0 ? rings_.erase(r) : std::next(r);
  }
  resting_ = before;
  look_for_former();
}

inline bool ring_service::is_disowned(const ring& former, const io_uring_cqe& cqe) noexcept
{
  const auto found = std::find_if(disowned_.begin(), disowned_.end(), [&](const disowned& d) {
    return d.former == &former && d.user_data == cqe.user_data;
  });
  if (found == disowned_.end()) return false;
  if (!(cqe.flags & IORING_CQE_F_MORE)) disowned_.erase(found);
  return true;
}

ASIO_URING_DECL void ring_service::look_for_former() noexcept
{
  const auto is_waited_for = [this](const ring& r) {
    const auto of_it = [&r](const disowned& d) { return d.former == &r; };
    const auto not_waited_for = std::count_if(disowned_.begin(), disowned_.end(), of_it);
    return &r != &get_ring() && r.can_retire() && r.left() > static_cast<unsigned>(not_waited_for);
  };
  former_.store(std::any_of(rings_.begin(), rings_.end(), is_waited_for), std::memory_order_relaxed);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_TURN_IPP
