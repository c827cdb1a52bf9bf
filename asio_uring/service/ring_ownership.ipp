// asio_uring/service/ring_ownership.ipp: which thread enters the ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_RING_OWNERSHIP_IPP
#define ASIO_URING_SERVICE_RING_OWNERSHIP_IPP

#include <algorithm>
#include <asio_uring/ring/ends_by_itself.hpp>
#include <asio_uring/ring/epoll_kernel.hpp>
#include <asio_uring/service/io_uring_service.hpp>
#include <asio_uring/service/pause.hpp>
#include <cerrno>
#include <csignal>
#include <thread>
#include <unistd.h>
#include <vector>

// A bound ring (ring::bound) is entered by one thread, its owner. So the kernel's work for the ring is done
// inside its enters alone: it interrupts no other call, and no thread that sleeps elsewhere holds it up.
//
// The first thread that needs the kernel becomes the owner, as a rule the one that runs the context. To start
// a read or an accept before anybody runs it is no such need; a write is, for its peer may be waited for.
//
// Another thread that runs the context, without the owner in the ring, takes the ring over, once: the old
// ring is given back to the kernel, which ends what is in flight, and what was not performed is submitted to
// a new one (rest). That needs room for all completions, which the kernel otherwise keeps for the owner.
//
// When a second thread is seen to run the context, or a thread needs the kernel now (to close a number, or to
// submit before a synchronous call) and the owner stays in a handler, the ring gets a thread of its own, the
// keeper, for good. It runs no handlers, so it is there for everybody; completions go to the context's queue.
//
// Everybody pushes entries under the submitter's lock. ring_lock_ is held by who enters, for the length of a
// turn, and by the keeper for its life. Who needs the kernel now counts himself in asked_ and wakes the
// owner, which answers in served_ when all that was published before is submitted and what was cancelled has
// been let go. After it has released the lock the owner looks at asked_ once more: either it sees the
// question, or the lock was free for who asked.
//
// Rings that are not bound (before Linux 6.6) are entered by any thread; ring_lock_ is held by who turns
// them.

namespace asio_uring::detail {

/// False: the keeper has it.
ASIO_URING_DECL bool io_uring_service::lock_ring() noexcept
{
  for (unsigned times = 0; !ring_lock_.try_acquire(); pause(times++))
    if (kept_.load(std::memory_order_acquire)) return false;
  return true;
}

// Whoever has the lock to look who the owner is, answers nobody.
ASIO_URING_DECL void io_uring_service::leave_ring() noexcept
{
  const auto is_owner = [&] { return owner_.load(std::memory_order_relaxed) == thread_name(); };
  do {
    if (is_owner() && own_process()) serve();
    ring_lock_.release();
  } while (asked_.load(std::memory_order_seq_cst) != served_.load(std::memory_order_relaxed) && is_owner() &&
           ring_lock_.try_acquire());
}

/// Answers those who asked. The owner's, with the lock held.
ASIO_URING_DECL void io_uring_service::serve() noexcept
{
  for (;;) {
    const unsigned asked = asked_.load(std::memory_order_seq_cst);
    if (asked == served_.load(std::memory_order_relaxed)) return;
    for (ring_call* c = calls_.exchange(nullptr, std::memory_order_acq_rel); c;) {
      ring_call* const next = c->next; // the call may be gone once it is served
      c->result = c->function(c->argument, get_ring());
      c = next;
    }
    submit_and_collect();
    served_.store(asked, std::memory_order_seq_cst);
  }
}

ASIO_URING_DECL void io_uring_service::submit_and_collect() noexcept
{
  submit_all();
  completion_queue found;
  collect(found);
  // What waits for room may be what a synchronous function waits for, and what is submitted anew may name a
  // number that is about to be closed.
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

ASIO_URING_DECL bool io_uring_service::bind_ring() noexcept
{
  ring& r = get_ring();
  if (r.bound())
    if (const int result = r.bind(); result < 0 && result != -EBADFD) { // it is bound already
      replace_ring(-result);
      return false;
    }
  owner_.store(thread_name(), std::memory_order_relaxed);
  owner_tid_.store(this_thread(), std::memory_order_relaxed);
  return true;
}

/// Makes the calling thread the owner, with the lock held. False: it is not, for the ring has a keeper now,
/// or is none of the kernel's any more.
ASIO_URING_DECL bool io_uring_service::own_ring(bool in_loop) noexcept
{
  if (in_loop && shared_.load(std::memory_order_relaxed)) {
    shared_.store(false, std::memory_order_relaxed);
    if (start_keeper()) return false;
  }
  const std::uint64_t owner = owner_.load(std::memory_order_relaxed);
  if (owner == thread_name()) return true;
  if (owner != 0) {
    const bool alive = lives(owner_tid_.load(std::memory_order_relaxed));
    if (alive && !submitter_.with_ring([](const ring& r) { return r.fits(); })) {
      // Completions that find no room the kernel gives to the owner alone: it starts the keeper when it is
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

/// After push or cancel, by a thread that is not about to turn the ring.
ASIO_URING_DECL void io_uring_service::submit_soon() noexcept
{
  if (!bound_.load(std::memory_order_relaxed)) {
    submit_now();
    return;
  }
  const std::uint64_t owner = owner_.load(std::memory_order_relaxed);
  if (!kept() && (owner == thread_name() || (owner == 0 && effects_.load(std::memory_order_relaxed)))) {
    // Outside of the loop, or as a guest: nobody else may do it.
    if (own_process() && ring_lock_.try_acquire()) {
      if (own_ring(false)) submit_and_collect();
      if (!kept()) leave_ring();
      return;
    }
  }
  wake_if_idle();
}

/// Has all that is published submitted, and the call made, before it returns. True if nothing is left.
ASIO_URING_DECL bool io_uring_service::reach_kernel(ring_call* call) noexcept
{
  if (!own_process()) {
    if (call) call->result = -ECHILD;
    return true;
  }
  if (!bound_.load(std::memory_order_relaxed)) {
    if (call) call->result = call->function(call->argument, get_ring());
    return submit_all() && !submitter_.has_backlog();
  }
  if (rested_.load(std::memory_order_relaxed)) { // nothing is there, and nobody enters
    if (call) call->result = -EBUSY;
    return true;
  }
  if (call) {
    call->next = calls_.load(std::memory_order_relaxed);
    while (!calls_.compare_exchange_weak(call->next, call, std::memory_order_acq_rel)) {
    }
  }
  const unsigned ticket = asked_.fetch_add(1, std::memory_order_seq_cst) + 1;
  // Handlers are short: for a moment the owner is waited for, before the ring gets another.
  constexpr unsigned patience = 32, limit = 1000;
  for (unsigned times = 0; call || times < limit; pause(times++)) {
    if (static_cast<int>(served_.load(std::memory_order_seq_cst) - ticket) >= 0) break;
    if (!kept() && ring_lock_.try_acquire()) {
      const std::uint64_t owner = owner_.load(std::memory_order_relaxed);
      const bool mine = owner == 0 || owner == thread_name();
      if ((mine || times >= patience) && own_ring(false)) serve();
      if (!kept()) leave_ring();
    } else
      wake_if_idle();
  }
  return !submitter_.has_unsubmitted();
}

// --- the keeper

ASIO_URING_DECL bool io_uring_service::start_keeper() noexcept
{
  if (!locking_) return false;
  // No signal is its business.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  keeper_stops_.store(false, std::memory_order_relaxed);
  bool started = false;
  try {
    hang_up_doorbell();
    rest(false);
    owner_.store(0, std::memory_order_relaxed);
    set_up_ring();
    keeper_ = std::thread([this] { keep_ring(); });
    started = true;
    kept_.store(true, std::memory_order_release); // the lock stays held: it is the keeper's now
    pump_->restart();
  } catch (const std::exception&) {
    // No thread, or no descriptor, to be had: the ring goes on moving.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

ASIO_URING_DECL void io_uring_service::keep_ring() noexcept
{
  while (!kept_.load(std::memory_order_acquire)) // as its starter has to say first
    std::this_thread::yield();
  bind_ring();
  runners_.add(this_thread());
  while (!keeper_stops_.load(std::memory_order_seq_cst)) {
    completion_queue found;
    turn_ring(std::chrono::nanoseconds::max(), found);
    scheduler_->post_deferred_completions(found);
    serve();
  }
  rest(true);
}

/// All is at rest then, and the lock is the caller's.
ASIO_URING_DECL void io_uring_service::stop_keeper() noexcept
{
  keeper_stops_.store(true, std::memory_order_seq_cst);
  wake_if_idle();
  keeper_.join();
  kept_.store(false, std::memory_order_release);
}

/// Completions that need no kernel are no business of the keeper's.
ASIO_URING_DECL void io_uring_service::post_past_keeper(completion& op) noexcept
{
  scheduler_->post_deferred_completion(&op);
}

// --- a ring that ends

/// Ends all that is in the kernel, with the lock held. What was performed is posted; what was not goes back
/// to the submitter, which keeps it for the next ring. `to_the_end`: waits also for what a thread of the
/// kernel's is performing.
ASIO_URING_DECL void io_uring_service::rest(bool to_the_end) noexcept
{
  ring& r = get_ring();
  const bool may_enter = !broken_ && (!r.bound() || owner_.load(std::memory_order_relaxed) == thread_name());
  completion_queue found;
  pump_->stop_watching();
  if (may_enter && before_fork_) perform_once(found);
  resting_ = true;
  if (may_enter) recall(found, to_the_end);
  submitter_.hold(submitter::holding::everything);
  // Nobody is going to enter it any more, not even for what others have published meanwhile.
  if (in_kernel() && r.can_retire()) {
    submitter_.with_ring([](ring& given_up) { given_up.retire(); });
    r.take_back_unsubmitted([&](std::uint64_t data) {
      ++retired_;
      if (data != submitter::cancel_mark)
        reinterpret_cast<request*>(static_cast<std::uintptr_t>(data))->completed(-ECANCELED, 0, found);
    });
    constexpr unsigned patience = 40; // some 20 ms
    for (unsigned times = 0; in_kernel() && (to_the_end || times < patience);) {
      const std::uint64_t before = retired_;
      collect(found);
      if (retired_ == before) pause(times++);
    }
    // Somebody else has the ring's descriptor, a forked child perhaps: until he closes it nothing ends.
    if (in_kernel() && r.fits()) disown_waits(r, found);
  }
  // What has not come of a ring that nobody can enter was dropped.
  if (in_kernel() && (!r.can_retire() || !r.fits())) {
    if (r.kernels()) {
      // Nobody can see when it has let go of the last buffer: it is given time.
      submitter_.with_ring([](ring& given_up) { given_up.release(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    end_in_flight(found);
  }
  resting_ = false;
  ready_.push_all(found);
}

/// Submits what is published, has the kernel end what it has, and waits for that.
ASIO_URING_DECL void io_uring_service::recall(completion_queue& found, bool to_the_end) noexcept
{
  ring& r = get_ring();
  submit_all();
  submitter_.hold(submitter::holding::requests);
  constexpr unsigned patience = 40;
  for (unsigned times = 0; in_kernel() && (to_the_end || times < patience);) {
    if (times % 8 == 0) {
      if (r.features().cancel_any())
        submitter_.cancel_everything();
      else
        for_each_submitted([&](request& q) { submitter_.recall(q); });
    }
    submitter_.refill(found);
    if (const int result = r.submit(); result < 0 && !is_momentary(result)) break;
    const std::uint64_t before = retired_;
    collect(found);
    if (retired_ == before) pause(times++);
  }
}

/// Waits for what waits for nobody: if it were cancelled, both processes would perform it.
ASIO_URING_DECL void io_uring_service::perform_once(completion_queue& found) noexcept
{
  submit_all();
  for (unsigned times = 0; has_what_ends_by_itself(); pause(times++)) {
    submitter_.refill(found);
    if (const int result = get_ring().submit(); result < 0 && !is_momentary(result)) return;
    collect(found);
  }
}

ASIO_URING_DECL bool io_uring_service::has_what_ends_by_itself() noexcept
try {
  std::vector<std::vector<io_uring_sqe>> all; // looked at without a lock
  for_each_submitted([&](request& q) {
    auto& entries = all.emplace_back();
    const auto add = [&](request& each) { each.prepare(entries.emplace_back()); };
    if (linked_requests* links = q.links())
      links->for_each_left(add);
    else
      add(q);
  });
  return std::any_of(all.begin(), all.end(), [](const auto& entries) {
    return !entries.empty() && std::all_of(entries.begin(), entries.end(), ends_by_itself);
  });
} catch (const std::bad_alloc&) {
  return false;
}

/// Everything that the kernel, or its stand-in, has been given and not given back; polls included.
template <typename F>
void io_uring_service::for_each_submitted(F&& f)
{
  {
    const locked guard(descriptors_lock_);
    for (const auto& d : descriptors_)
      d->for_each_submitted(f);
  }
  if (doubts_.armed()) f(doubts_);
  if (doorbell_) doorbell_->for_each_submitted(f);
  pump_->for_each_submitted([](request& q, const void* g) { (*static_cast<const std::decay_t<F>*>(g))(q); },
                            std::addressof(f));
}

/// Those of them that have reached the ring.
template <typename P>
std::vector<request*> io_uring_service::left_in_kernel(P&& which)
{
  std::vector<request*> all;
  for_each_submitted([&](request& q) {
    if (!submitter_.waits(q) && which(q)) all.push_back(&q);
  });
  return all;
}

ASIO_URING_DECL void io_uring_service::give_up(const std::vector<request*>& all,
                                               completion_queue& found) noexcept
{
  for (request* q : all)
    if (linked_requests* links = q->links())
      links->give_up(found);
    else
      q->completed(-ECANCELED, 0, found);
}

/// Gives up what a ring has that cannot be entered any more and whose completions cannot be seen either.
ASIO_URING_DECL void io_uring_service::end_in_flight(completion_queue& found) noexcept
{
  for (unsigned times = 0;; pause(times++))
    try {
      give_up(left_in_kernel([](request&) { return true; }), found);
      break;
    } catch (const std::bad_alloc&) { // no memory left for a moment
    }
  retired_ = submitter_.submitted();
}

/// What only waits goes on with the next ring, whatever the former still brings.
ASIO_URING_DECL void io_uring_service::disown_waits(const ring& former, completion_queue& found) noexcept
try {
  const auto waits = left_in_kernel([](request& q) {
    io_uring_sqe entry{};
    if (!q.links()) q.prepare(entry);
    return only_waits(entry);
  });
  disowned_.reserve(disowned_.size() + waits.size());
  for (request* q : waits)
    disowned_.push_back({&former, reinterpret_cast<std::uintptr_t>(q)});
  retired_ += waits.size();
  give_up(waits, found);
} catch (const std::bad_alloc&) { // it is waited for
}

/// The kernel does not let us enter any more: epoll and threads go on with what is in flight.
ASIO_URING_DECL void io_uring_service::replace_ring(int error) noexcept
{
  const std::string reason =
      "io_uring_enter failed after the start: " + std::error_code(error, std::system_category()).message();
  broken_ = true;
  rest(false);
  broken_ = false;
  if (controlled_) use(strategy::calls); // as long as there is no io_uring
  owner_.store(0, std::memory_order_relaxed);
  for (unsigned times = 0;; pause(times++))
    try {
      use_ring(ring(std::make_unique<epoll_kernel>(options_.entries, options_.completions)), reason);
      break;
    } catch (const std::exception&) { // no descriptor, or no memory, left for a moment
    }
  for (unsigned times = 0;; pause(times++))
    try {
      return pump_->restart();
    } catch (const boost::system::system_error& e) {
      // The context's own reactor has lost its descriptors, too: nobody waits there any more.
      if (e.code().value() != ENOMEM && e.code().value() != ENOSPC) return;
    } catch (const std::exception&) {
    }
}

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_RING_OWNERSHIP_IPP
