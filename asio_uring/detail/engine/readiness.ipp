// asio_uring/detail/engine/readiness.ipp: the readiness path of a file: polls, calls, second looks.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_READINESS_IPP
#define ASIO_URING_DETAIL_ENGINE_READINESS_IPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/detail/engine/zero_copy_sends.hpp>
#include <poll.h>
#include <utility>

namespace asio_uring::detail {

template <lane_kind Kind>
inline constexpr request::type file_state::poll = {
    [](request& r, io_uring_sqe& sqe) noexcept {
      auto& l = static_cast<lane_of_file<Kind>&>(r);
      io_uring_prep_poll_add(&sqe, static_cast<file_state&>(l).fd_, polled_events(Kind));
      if (l.poll_stands) sqe.len = IORING_POLL_ADD_MULTI;
    },
    [](request& r, int result, unsigned flags, completion_queue& out) noexcept {
      auto& l = static_cast<lane_of_file<Kind>&>(r);
      auto& d = static_cast<file_state&>(l);
      if (!(flags & IORING_CQE_F_MORE) || result < 0 || !(result & int(polled_events(Kind))) ||
          !d.lock_.try_acquire())
        return d.polled_slowly(Kind, result, flags, out);
      d.polled(l, result, out);
      d.lock_.release();
    }};

void file_state::polled_slowly(lane_kind kind, int result, unsigned flags, completion_queue& out) noexcept
{
  section s(*this);
  lane& l = lane_of(kind);
  if (!(flags & IORING_CQE_F_MORE)) {
    service_.forget(l);
    l.poll_armed = false;
    l.poll_stands = kind == lane_kind::in && !borrowed_ && service_.features().multishot_poll();
    l.in_vain = result != -ECANCELED;
    --references_;
  }
  if (!closed_) {
    const bool concerns_us = result < 0 || result & int(polled_events(kind) | POLLERR | POLLHUP);
    if (result != -ECANCELED && concerns_us)
      polled(l, result < 0 ? POLLERR : result, out); // the call will return the error
    else if (l.first && l.first->stage_ == operation::stage::waiting && !service_.stopped())
      arm(l, s); // no event of ours; or ECANCELED, because the thread that armed the poll has exited
  }
  s.submitted = false; // whoever collects submits afterwards
}

// Performs the first operation of a lane; the lock is released during the call. True if the operation has
// ended.
ASIO_URING_DECL bool file_state::perform_first(lane_kind kind, section& s) noexcept
{
  lane& l = lane_of(kind);
  operation& op = *l.first;
  attempt outcome;
  do {
    op.stage_ = operation::stage::due;
    l.ready = false; // an event during the call sets it again
    l.busy = true;
    s.unlock();
    const int result = op.get_type().perform(op, fd_);
    s.relock();
    l.busy = false;
    outcome = settle_attempt(kind, op, result, s);
  } while (outcome == attempt::again);
  return outcome == attempt::ended;
}

ASIO_URING_DECL file_state::attempt file_state::settle_attempt(lane_kind kind, operation& op, int result,
                                                               section& s) noexcept
{
  lane& l = lane_of(kind);
  const operation::type& t = op.get_type();
  const bool retry = t.retry && t.retry(op, result);
  if (result == -EAGAIN || retry) {
    if (op.cancelled_)
      result = -ECANCELED;
    else if (retry || l.ready)
      return attempt::again;
    else {
      op.stage_ = operation::stage::waiting;
      if (completes(op))
        submit(op, s);
      else
        arm(l, s);
      return attempt::waits;
    }
  }
  if (op.notifications_) { // are to come for what it sent before it was cancelled
    zero_copy_sends::set_aside(*this, op, result);
    advance(kind, s);
    return attempt::waits;
  }
  s.submitted |= settle_lane(l, t.more(op, result));
  remove(op);
  op.set_result(result);
  return attempt::ended;
}

// Ends a due operation that was cancelled, or that kept bytes or the source can serve. If there is nothing to
// end, returns false with the lock still held.
bool file_state::ends_without_call(operation& op) noexcept
{
  const operation::type& t = op.get_type();
  const bool takes = t.take && !kept_.empty();
  const bool takes_ahead = t.take_ahead && source_ && source_->has_result();
  if (!op.cancelled_ && !takes && !takes_ahead) return false;
  section s(*this, section::held);
  if (op.cancelled_)
    op.set_result(-ECANCELED);
  else
    op.set_result(takes ? t.take(op, kept_) : t.take_ahead(op, *source_));
  remove(op);
  if (!closed_) advance(t.lane, s);
  return true;
}

bool file_state::end_call_slowly(operation& op, int result) noexcept
{
  section s(*this, section::held);
  const lane_kind kind = op.get_type().lane;
  const attempt outcome = settle_attempt(kind, op, result, s);
  if (outcome == attempt::ended) {
    advance(kind, s);
    return true;
  }
  if (outcome == attempt::again)
    run_again(op, s);
  else
    service_.nothing_completed();
  return false;
}

void file_state::run_again(operation& op) noexcept
{
  section s(*this);
  service_.forget(op);
  lane_of(op.get_type().lane).busy = false;
  op.cancelled_ |= closed_;
  run_again(op, s);
}

void file_state::run_again(operation& op, section& s) noexcept
{
  lane_of(op.get_type().lane).ready = true;
  enqueue(op, s.ready);
  service_.nothing_completed();
}

// --- a second look (second_looks.hpp)

bool file_state::raise_doubt() noexcept
{
  const bool known = doubt_ != doubt::none;
  doubt_ = doubt::raised;
  return !known && service_.doubts().raise(*this);
}

// A doubt that was raised since the last round is left for the next one. A socket that was silent for a whole
// round is looked at.
ASIO_URING_DECL bool file_state::doubted(completion_queue& out) noexcept
{
  section s(*this);
  const doubt before = doubt_;
  doubt_ = doubt::none;
  if (closed_) return false;
  if (before == doubt::raised) {
    doubt_ = doubt::silent;
    return true;
  }
  if (in().poll_armed) look(s);
  go_on(s, out);
  s.submitted = false; // whoever collects submits afterwards
  return false;
}

// Asks the kernel whether there is something to read that no edge has announced.
void file_state::look(section& s) noexcept
{
  lane& l = in();
  if (l.ready || l.busy || (l.first && l.first->stage_ != operation::stage::waiting)) return;
  looking_ = true; // close() waits: the number must not be reused meanwhile
  s.unlock();
  pollfd p{fd_, POLLIN, 0};
  const bool readable = ::poll(&p, 1, 0) != 0;
  s.relock();
  looking_ = false;
  if (readable) l.ready = true; // the next read is tried at once
}

// Tries again what a one-shot poll has woken in vain, where the kernel has no multishot poll.
void file_state::go_on(section& s, completion_queue& out) noexcept
{
  for (const lane_kind kind : lanes) {
    lane& l = lane_of(kind);
    if (l.in_vain && !l.poll_armed) l.ready = true;
    if (runnable(l)) enqueue(*l.first, out);
  }
  for_each([&](operation& op) {
    if (!op.stands() || op.stage_ != operation::stage::waiting) return;
    op.polling_ = operation::polling::once;
    submit(op, s);
  });
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_READINESS_IPP
