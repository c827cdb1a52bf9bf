// asio_uring/detail/engine/submitted.ipp: the completion path of a file: results, and the bytes of cancelled
// reads.
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
      self.polling_ = polling::once; // in_kernel() is false from here on
      deliver(r, self.result(), out);
    }
    return;
  }
  // A worker thread that performs the operation can be interrupted, which does not concern the program.
  const bool interrupted =
      result == -EINTR && (t.lane != lane_kind::none || t.preferred == preference::always_submitted);
  const bool retry = interrupted || (t.retry && t.retry(self, result));
  if (more) [[unlikely]] { // only a standing poll completes more than once here
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
  s.submitted = false; // it waits in the backlog for the next ring
  return true;
}

// Whether the kernel has refused the operation too often, because it can create no worker thread. It says so
// by ECANCELED, and says the same if the thread that submitted the operation exits. So a refusal counts if
// that thread lives.
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

// Whether the operation goes on after an error, or after a result that is hidden from the program.
ASIO_URING_DECL bool file_state::again(operation& op, int& result, bool retry, completion_queue& out) noexcept
{
  const bool refused = result == -ECANCELED && !service_.resting() && op.refused();
  section s(*this);
  const operation::type& t = op.get_type();
  bool goes_on = false;
  if (!op.cancelled_ && !closed_ && !service_.stopped()) {
    if (refused && t.preferred == preference::always_submitted)
      result = -EAGAIN; // the error of a thread that cannot be created
    else if ((result == -EAGAIN || refused) && t.lane != lane_kind::none) {
      // There is no worker thread, or the kernel does not wait because the file has O_NONBLOCK: poll, then
      // make the call. The poll may have fired already.
      op.stage_ = operation::stage::waiting;
      if (runnable(lane_of(t.lane)))
        enqueue(op, out);
      else
        arm(lane_of(t.lane), s);
      goes_on = true;
    } else if (retry && result > 0 && t.lane == lane_kind::none) {
      // A one-shot poll has reported only what was not waited for. The next one would do so at once; a
      // standing poll reports changes alone.
      op.polling_ = operation::polling::standing;
      if (service_.features().multishot_poll())
        submit(op, s);
      else {
        op.stage_ = operation::stage::waiting;
        raise_doubt();
      }
      goes_on = true;
    } else if (result == -ECANCELED || retry) {
      submit(op, s); // ECANCELED, though the program did not cancel it; or a retry
      goes_on = true;
    }
  } else if (result == -EAGAIN || retry || (closed_ && result == -EBADF))
    result = -ECANCELED; // nothing is retried after a cancel; or the file was closed before it was looked up
  if (goes_on) service_.counts().retries.add(1);
  s.submitted = false; // whoever collects submits afterwards
  return goes_on;
}

// Called when a standing poll has reported what was waited for: cancels it. The result is delivered when the
// poll has ended.
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
  if (op.has_ended()) return; // has_caught_up() has settled it
  if (op.stage_ != operation::stage::submitted) op.set_result(-ECANCELED);
  op.stage_ = let_go(op, s);
}

// Takes an operation that has its result, or will get none, out of its list. Returns its last stage.
ASIO_URING_DECL operation::stage file_state::let_go(operation& op, section& s) noexcept
{
  const operation::type& t = op.get_type();
  const bool submitted = op.stage_ == operation::stage::submitted;
  const bool left = submitted && op.cancelled_ && !closed_ && t.keep && op.result() > 0 &&
                    !service_.stopped() && keep_bytes(op, s);
  service_.forget(op);
  passes(op);
  unlink(op, list_of(op.aside_ ? lane_kind::none : t.lane));
  if (submitted && closed_)
    give_back_cancelled(t.lane, s);
  else if (submitted && t.lane != lane_kind::none && !op.aside_)
    advance(t.lane, s);
  if (unordered_.first) submit_drained(s);
  return left ? operation::stage::left : operation::stage::ended;
}

// Leaves the bytes of a read that was cancelled too late to the next read. False if that is impossible: its
// own handler gets them.
ASIO_URING_DECL bool file_state::keep_bytes(operation& op, section& s) noexcept
{
  const operation::type& t = op.get_type();
  bool left = false;
  if (t.undo) {
    lane& l = lane_of(t.lane);
    l.busy = true; // keeps the descriptor open
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
  // The thread that would collect the completion may be waiting for a lock that our caller holds.
  constexpr std::chrono::seconds patience(1);
  service_.flush(this);
  if (has_caught_up(kind)) return;
  const auto limit = clock::now() + patience;
  for (unsigned times = 0; clock::now() < limit; pause(times++)) {
    service_.collect_now();
    if (has_caught_up(kind)) return;
  }
}

// Whether no cancelled operation of the lane can have an effect any more.
ASIO_URING_DECL bool file_state::has_caught_up(lane_kind kind) noexcept
{
  section s(*this);
  if (kind == lane_kind::in && source_ && !source_has_caught_up(s)) return false;
  const lane& l = lane_of(kind);
  operation* const op = l.first;
  if (!op || !op->cancelled_) return true;
  if (l.busy) return false; // another thread is making its call
  if (op->stage_ != operation::stage::submitted) return true;
  if (op->pending()) return false;
  if (op->get_type().keep) op->leave_stage(let_go(*op, s));
  return true;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SUBMITTED_IPP
