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

ASIO_URING_DECL lane_poll::lane_poll(file_state& d, lane& l, unsigned events) noexcept
    : request(functions()), file_(d), lane_(l), events_(static_cast<int>(events))
{}

ASIO_URING_DECL const request::type& lane_poll::functions() noexcept
{
  static constexpr request::type type = {
      [](request& r, io_uring_sqe& sqe) noexcept {
        auto& self = static_cast<lane_poll&>(r);
        io_uring_prep_poll_add(&sqe, self.file_.fd_, static_cast<unsigned>(self.events_));
        if (self.standing_) sqe.len = IORING_POLL_ADD_MULTI;
      },
      [](request& r, int result, unsigned flags, completion_queue& out) noexcept {
        auto& self = static_cast<lane_poll&>(r);
        file_state& d = self.file_;
        if (!(flags & IORING_CQE_F_MORE) || result < 0 || !(result & self.events_) || !d.lock_.try_acquire())
          return d.polled_slowly(self, result, flags, out);
        d.polled(self.lane_, result, out);
        d.lock_.release();
      }};
  return type;
}

void file_state::polled_slowly(lane_poll& p, int result, unsigned flags, completion_queue& out) noexcept
{
  section s(*this);
  lane& l = p.lane_;
  if (!(flags & IORING_CQE_F_MORE)) {
    service_.forget(p);
    p.armed_ = false;
    p.standing_ = &p == &read_poll_ && !borrowed_ && service_.features().multishot_poll();
    l.in_vain = result != -ECANCELED;
    --references_;
  }
  if (!closed_) {
    const bool concerns_us = result < 0 || result & (p.events_ | POLLERR | POLLHUP);
    if (result != -ECANCELED && concerns_us)
      polled(l, result < 0 ? POLLERR : result, out); // the call itself will tell the error
    else if (l.first && l.first->stage_ == operation::stage::waiting && !service_.stopped())
      arm(p, s); // it is as before; or nobody asked: the thread that submitted the poll has exited
  }
  s.submitted = false; // the turn of the ring that brought us here goes on
}

// Performs the first operation of a lane, the lock open during the call; true if that has ended it.
ASIO_URING_DECL bool file_state::perform_first(lane_kind kind, section& s) noexcept
{
  lane& l = lane_of(kind);
  operation& op = *l.first;
  attempt outcome;
  do {
    op.stage_ = operation::stage::due;
    l.ready = false; // an event from here on sets it again
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
  const operation::type& type = op.get_type();
  const bool retry = type.retry && type.retry(op, result);
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
        arm(poll_of(kind), s);
      return attempt::waits;
    }
  }
  if (op.notifications_) { // of what it has sent before it was cancelled
    zero_copy_sends::set_aside(*this, op, result);
    advance(kind, s);
    return attempt::waits;
  }
  s.submitted |= settle_lane(l, type.more(op, result));
  remove(op);
  op.set_result(result);
  return attempt::ended;
}

// Whether a due operation has ended: it was cancelled meanwhile, or is served with what is here. Otherwise
// the lock stays held.
bool file_state::ends_without_call(operation& op) noexcept
{
  const operation::type& type = op.get_type();
  const bool takes = type.take && !kept_.empty();
  const bool takes_ahead = type.take_ahead && source_ && source_->has_result();
  if (!op.cancelled_ && !takes && !takes_ahead) return false;
  section s(*this, section::held);
  if (op.cancelled_)
    op.set_result(-ECANCELED);
  else
    op.set_result(takes ? type.take(op, kept_) : type.take_ahead(op, *source_));
  remove(op);
  if (!closed_) advance(type.lane, s);
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
  return std::exchange(doubt_, doubt::raised) == doubt::none && service_.doubts().raise(*this);
}

// One round. False: there is no doubt any more.
ASIO_URING_DECL bool file_state::doubted(completion_queue& out) noexcept
{
  section s(*this);
  const doubt before = std::exchange(doubt_, doubt::none);
  if (closed_) return false;
  if (before == doubt::raised) {
    doubt_ = doubt::silent;
    return true;
  }
  if (read_poll_.armed_) look(s);
  go_on(s, out);
  s.submitted = false; // the turn of the ring that brought us here goes on
  return false;
}

// Asks the kernel whether there is something to read that no edge has told of.
void file_state::look(section& s) noexcept
{
  lane& l = lane_of(lane_kind::in);
  if (l.ready || l.busy || (l.first && l.first->stage_ != operation::stage::waiting)) return;
  looking_ = true; // the number must not be reused meanwhile
  s.unlock();
  pollfd p{fd_, POLLIN, 0};
  const bool readable = ::poll(&p, 1, 0) != 0;
  s.relock();
  looking_ = false;
  if (readable) l.ready = true; // whoever reads next finds it
}

// Without multishot poll, what was woken in vain has waited for this moment.
void file_state::go_on(section& s, completion_queue& out) noexcept
{
  for (lane_poll* p : {&read_poll_, &write_poll_}) {
    if (p->lane_.in_vain && !p->armed_) p->lane_.ready = true;
    if (runnable(p->lane_)) enqueue(*p->lane_.first, out);
  }
  for_each([&](operation& op) {
    if (!op.stands() || op.stage_ != operation::stage::waiting) return;
    op.polling_ = operation::polling::once;
    submit(op, s);
  });
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_READINESS_IPP
