// asio_uring/detail/engine/submitted.ipp: the completion path of a file: results, and what cancelled reads
// have taken.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SUBMITTED_IPP
#define ASIO_URING_DETAIL_ENGINE_SUBMITTED_IPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <cerrno>
#include <chrono>

namespace asio_uring::detail {

ASIO_URING_DECL void operation::on_completion(request& r, int result, unsigned flags,
                                              completion_queue& out) noexcept
{
  auto& self = static_cast<operation&>(r);
  const type& t = self.get_type();
  const bool more = flags & IORING_CQE_F_MORE;
  if (self.polling_ == polling::over) [[unlikely]] {
    if (!more) {
      self.polling_ = polling::once; // it is in the kernel no longer
      deliver(r, self.result(), out);
    }
    return;
  }
  // A thread that makes the call for the kernel can be interrupted: to the program that means nothing.
  const bool interrupted =
      result == -EINTR && (t.lane != lane_kind::none || t.preferred == preference::always_submitted);
  const bool retry = interrupted || (t.retry && t.retry(self, result));
  if (more) [[unlikely]] { // of a standing poll: nothing else completes more than once here
    assert(self.stands());
    if (!retry) {
      file_state::section s(*self.home_);
      self.home_->end_wait(self, result);
    }
    return;
  }
  if ((retry || result < 0) && self.home_->again(self, result, retry, out)) return;
  if (flags & IORING_CQE_F_SOCK_NONEMPTY && t.lane == lane_kind::in) [[unlikely]]
    self.home_->more_datagrams_wait();
  deliver(r, result, out);
}

ASIO_URING_DECL bool operation::came_to_rest(request& r, int result) noexcept
{
  auto& self = static_cast<operation&>(r);
  return self.home_->service().resting() && self.home_->resume(self, result);
}

ASIO_URING_DECL bool file_state::resume(operation& op, int result) noexcept
{
  section s(*this);
  s.submitted = false;
  if (op.cancelled_ || closed_ || service_.stopped()) return false;
  linked_requests* const links = op.links();
  if (links ? !links->resume() : result != -ECANCELED) return false;
  submit(op, s);
  s.submitted = false; // the next ring takes it when the loop turns
  return true;
}

// Whether the kernel has refused the operation too often. It gives up what a thread has submitted that exits,
// and what it has no worker thread for, with the same ECANCELED: if that thread lives, it was the latter.
inline bool operation::refused() noexcept
{
  constexpr unsigned char most = 15;
  if (!get_type().may_need_worker) return false;
  if (refusals_ > 0 && !thread_identity::lives(result() - no_result)) refusals_ = 0;
  if (refusals_ == most) return true;
  ++refusals_;
  set_result(no_result + thread_identity::number());
  return false;
}

// Whether the operation goes on after an error, or a result that is to be hidden.
ASIO_URING_DECL bool file_state::again(operation& op, int& result, bool retry, completion_queue& out) noexcept
{
  const bool refused = result == -ECANCELED && !service_.resting() && op.refused();
  section s(*this);
  const operation::type& t = op.get_type();
  bool goes_on = false;
  if (!op.cancelled_ && !closed_ && !service_.stopped()) {
    if (refused && t.preferred == preference::always_submitted)
      result = -EAGAIN; // as where a thread cannot be made
    else if ((result == -EAGAIN || refused) && t.lane != lane_kind::none) {
      // No worker, or a kernel that takes O_NONBLOCK at its word: poll, then perform. The event may have come
      // first.
      op.stage_ = operation::stage::waiting;
      if (runnable(lane_of(t.lane)))
        enqueue(op, out);
      else
        arm(lane_of(t.lane), s);
      goes_on = true;
    } else if (retry && result > 0 && t.lane == lane_kind::none) {
      // A poll that ended with what was not waited for: the next one would at once, if it did not stand.
      op.polling_ = operation::polling::standing;
      if (service_.features().multishot_poll())
        submit(op, s);
      else {
        op.stage_ = operation::stage::waiting;
        raise_doubt();
      }
      goes_on = true;
    } else if (result == -ECANCELED || retry) {
      submit(op, s); // cancelled, but not by us
      goes_on = true;
    }
  } else if (result == -EAGAIN || retry || (closed_ && result == -EBADF))
    result = -ECANCELED; // to be tried again, but it was cancelled; or it came too late to find its file
  if (goes_on) service_.counts().retries.add(1);
  s.submitted = false; // the turn of the ring that brought us here goes on
  return goes_on;
}

// What a standing poll was to bring is there. The record goes when the poll has ended.
void file_state::end_wait(operation& op, int result) noexcept
{
  op.polling_ = operation::polling::over;
  op.set_result(result);
  service_.cancel(op);
}

ASIO_URING_DECL int operation::open_fd() const noexcept
{
  if (has_ended()) return -1;
  locked guard(home_->lock_);
  return home_->closed_ ? -1 : home_->fd_;
}

ASIO_URING_DECL void file_state::settle(operation& op) noexcept
{
  section s(*this);
  if (op.has_ended()) return; // a synchronous function was faster
  if (op.stage_ != operation::stage::submitted) op.set_result(-ECANCELED);
  op.stage_ = let_go(op, s);
}

// An operation has its result, or will get none.
ASIO_URING_DECL operation::stage file_state::let_go(operation& op, section& s) noexcept
{
  const operation::type& t = op.get_type();
  const bool submitted = op.stage_ == operation::stage::submitted;
  const bool left = submitted && op.cancelled_ && !closed_ && t.keep && op.result() > 0 &&
                    !service_.stopped() && keep_bytes(op, s);
  service_.forget(op);
  unlink(op, list_of(op.aside_ ? lane_kind::none : t.lane));
  if (submitted && closed_)
    give_back_cancelled(t.lane, s);
  else if (submitted && t.lane != lane_kind::none && !op.aside_)
    advance(t.lane, s);
  if (unordered_.first) submit_drained(s);
  return left ? operation::stage::left : operation::stage::ended;
}

// A read was cancelled, and was performed nevertheless. False: the program gets what it has read.
ASIO_URING_DECL bool file_state::keep_bytes(operation& op, section& s) noexcept
{
  const operation::type& t = op.get_type();
  bool left = false;
  if (t.undo) {
    lane& l = lane_of(t.lane);
    l.busy = true; // the number stays ours
    s.unlock();
    left = t.undo(op, fd_);
    s.relock();
    l.busy = false;
  }
  const auto bytes = static_cast<std::uint64_t>(op.result());
  if (!left && !t.keep(op, kept_)) return false;
  service_.counts().kept_bytes.add(bytes);
  return true;
}

ASIO_URING_DECL void file_state::catch_up(lane_kind kind) noexcept
{
  using clock = std::chrono::steady_clock;
  // Whoever could end it may wait for a lock that our caller holds.
  constexpr std::chrono::seconds patience(1);
  service_.flush(this);
  if (has_caught_up(kind)) return;
  const auto limit = clock::now() + patience;
  for (unsigned times = 0; clock::now() < limit; pause(times++)) {
    service_.collect_now();
    if (has_caught_up(kind)) return;
  }
}

// Whether nothing that was cancelled may still have an effect.
ASIO_URING_DECL bool file_state::has_caught_up(lane_kind kind) noexcept
{
  section s(*this);
  if (kind == lane_kind::in && source_ && !source_has_caught_up(s)) return false;
  const lane& l = lane_of(kind);
  operation* const op = l.first;
  if (!op || !op->cancelled_) return true;
  if (l.busy) return false; // another thread makes its call
  if (op->stage_ != operation::stage::submitted) return true;
  if (op->pending()) return false;
  if (op->get_type().keep) op->leave_stage(let_go(*op, s));
  return true;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SUBMITTED_IPP
