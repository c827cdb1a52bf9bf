// asio_uring/detail/engine/ring_rest.ipp: what becomes of the requests of a ring that is given up.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RING_REST_IPP
#define ASIO_URING_DETAIL_ENGINE_RING_REST_IPP

#include <algorithm>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/detail/engine/zero_copy_sends.hpp>
#include <asio_uring/ring/ends_by_itself.hpp>
#include <asio_uring/ring/fallback_kernel.hpp>
#include <asio_uring/ring/result.hpp>
#include <cerrno>
#include <thread>
#include <unistd.h>
#include <vector>

namespace asio_uring::detail {

/// Ends all requests in the kernel; called with ring_lock_ held. Those that were performed are posted; the
/// others go back to the submitter, which keeps them for the next ring. Notifications of zero-copy sends are
/// not waited for, because they depend on the peer: the former ring delivers them later. `to_the_end`: waits
/// without a limit, also for requests that a worker thread of the kernel is performing.
ASIO_URING_DECL void ring_service::rest(bool to_the_end) noexcept
{
  ring& r = get_ring();
  const bool may_enter =
      !broken_ && (!r.bound() || owner_.load(std::memory_order_relaxed) == thread_identity::name());
  completion_queue found;
  pump_->stop_watching();
  if (may_enter && before_fork_) perform_once(found);
  resting_ = true;
  if (may_enter) recall(found, to_the_end);
  submitter_.hold(submitter::holding::everything);
  // No thread will enter the ring again, not even to submit what others have published meanwhile.
  if (in_kernel() && r.can_retire()) {
    submitter_.with_ring([](ring& given_up) { given_up.retire(); });
    r.take_back_unsubmitted([&](const io_uring_sqe& entry) {
      ++retired_;
      if (entry.user_data != submitter::no_request)
        reinterpret_cast<request*>(static_cast<std::uintptr_t>(entry.user_data))
            ->completed(-ECANCELED, 0, found);
      else if (entry.opcode == IORING_OP_CLOSE)
        ::close(entry.fd);
    });
    constexpr unsigned patience = 40; // about 20 ms
    for (unsigned times = 0; performs() && (to_the_end || times < patience);) {
      const std::uint64_t before = retired_;
      collect(found);
      if (retired_ == before) pause(times++);
    }
    // Another process, perhaps a forked child, has the ring's descriptor: nothing ends until it closes that.
    if (in_kernel() && r.fits()) disown_waits(r, found);
  }
  // What is still missing will never be seen: the ring cannot be retired, or completions that did not fit
  // were dropped.
  if ((performs() && !r.can_retire()) || (in_kernel() && !r.fits())) {
    if (r.kernels()) {
      // Nothing tells when the kernel has let go of the last buffer, so give it some time.
      submitter_.with_ring([](ring& given_up) { given_up.release(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    end_in_flight(found);
  }
  resting_ = false;
  ready_.push_all(found);
}

/// Submits what is published, asks the kernel to end all requests, and waits until they have ended: for a
/// limited time, unless `to_the_end`.
ASIO_URING_DECL void ring_service::recall(completion_queue& found, bool to_the_end) noexcept
{
  ring& r = get_ring();
  submit_all();
  submitter_.hold(submitter::holding::requests);
  constexpr unsigned patience = 40;
  for (unsigned times = 0; performs() && (to_the_end || times < patience);) {
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

/// Waits for requests that end by themselves, such as file reads. If they were cancelled before a fork, both
/// processes would perform them.
ASIO_URING_DECL void ring_service::perform_once(completion_queue& found) noexcept
{
  submit_all();
  for (unsigned times = 0; has_what_ends_by_itself(); pause(times++)) {
    submitter_.refill(found);
    if (const int result = get_ring().submit(); result < 0 && !is_momentary(result)) return;
    collect(found);
  }
}

ASIO_URING_DECL bool ring_service::has_what_ends_by_itself() noexcept
try {
  std::vector<std::vector<io_uring_sqe>> all; // copies, to be examined without a lock
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

/// Calls f(request&) for each request that was pushed and has not ended, polls included.
template <typename F>
void ring_service::for_each_submitted(F&& f)
{
  {
    const locked guard(file_states_lock_);
    for (const auto& d : file_states_)
      d->for_each_submitted(f);
  }
  if (doubts_.armed()) f(doubts_);
  if (deadlines_->armed()) f(*deadlines_);
  if (doorbell_) doorbell_->for_each_submitted(f);
  pump_->for_each_submitted([](request& q, const void* g) { (*static_cast<const std::decay_t<F>*>(g))(q); },
                            std::addressof(f));
}

/// Returns those that have reached the ring and that `which` selects.
template <typename P>
std::vector<request*> ring_service::left_in_kernel(P&& which)
{
  std::vector<request*> all;
  for_each_submitted([&](request& q) {
    if (!submitter_.waits(q) && which(q)) all.push_back(&q);
  });
  return all;
}

ASIO_URING_DECL void ring_service::give_up(const std::vector<request*>& all, completion_queue& found) noexcept
{
  for (request* q : all)
    if (linked_requests* links = q->links())
      links->give_up(found);
    else
      q->completed(-ECANCELED, 0, found);
}

/// Ends all requests, as not performed, of a ring that can neither be entered nor deliver completions.
ASIO_URING_DECL void ring_service::end_in_flight(completion_queue& found) noexcept
{
  counters_.notified.add(counters_.outstanding());
  {
    const locked guard(file_states_lock_);
    for (const auto& d : file_states_)
      zero_copy_sends::forget(*d, found);
  }
  for (unsigned times = 0;; pause(times++))
    try {
      give_up(left_in_kernel([](request&) { return true; }), found);
      break;
    } catch (const std::bad_alloc&) { // no memory at the moment: try again
    }
  retired_ = submitter_.submitted();
}

/// Moves requests that only wait to the next ring. Completions of theirs that the former ring still delivers
/// are ignored.
ASIO_URING_DECL void ring_service::disown_waits(const ring& former, completion_queue& found) noexcept
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
} catch (const std::bad_alloc&) { // then their completions are waited for
}

/// Puts the fallback, which goes on with all requests, in the place of a ring that can no longer be entered.
ASIO_URING_DECL void ring_service::replace_ring(int error) noexcept
{
  const std::string reason =
      "io_uring_enter failed after the start: " + std::error_code(error, std::system_category()).message();
  broken_ = true;
  rest(false);
  broken_ = false;
  paths_.use_calls(); // the strategy without io_uring
  owner_.store(0, std::memory_order_relaxed);
  for (unsigned times = 0;; pause(times++))
    try {
      use_ring(ring(std::make_unique<fallback_kernel>(options_.entries, options_.completions)), reason);
      break;
    } catch (const std::exception&) { // no descriptor or no memory at the moment: try again
    }
  for (unsigned times = 0;; pause(times++))
    try {
      return pump_->restart();
    } catch (const system_error& e) {
      // The context's own reactor has lost its descriptors, too: no thread can wait there.
      if (e.code().value() != ENOMEM && e.code().value() != ENOSPC) return;
    } catch (const std::exception&) {
    }
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_RING_REST_IPP
