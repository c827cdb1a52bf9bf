// asio_uring/service/descriptor.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_DESCRIPTOR_IPP
#define ASIO_URING_SERVICE_DESCRIPTOR_IPP

#include <asio_uring/service/io_uring_service.hpp>
#include <cassert>
#include <cerrno>
#include <poll.h>
#include <thread>
#include <utility>

namespace asio_uring::detail {

// --- life

ASIO_URING_DECL descriptor::descriptor(io_uring_service& service, bool locking) noexcept
    : completion(&descriptor::do_complete),
      service_(service),
      lock_(locking),
      read_poll_(*this, lane_kind::in, POLLIN | POLLRDHUP, service.get_ring().features().multishot_poll()),
      write_poll_(*this, lane_kind::out, POLLOUT, false)
{}

ASIO_URING_DECL void descriptor::open(int fd, readable there, ownership whose) noexcept
{
  fd_ = fd;
  ownership_ = whose;
  references_ = 1;
  closed_ = queued_ = false;
  doubt_ = 0;
  for (lane& l : lanes_)
    l = lane{};
  lane_of(lane_kind::in).ready = there == readable::perhaps;
  lane_of(lane_kind::out).ready = true;
  read_poll_.standing_ = false;
  unread_ = {};
}

ASIO_URING_DECL void descriptor::section::leave() noexcept
{
  if (std::exchange(left_, true)) return;
  const bool last = descriptor_.references_ == 0;
  io_uring_service& service = descriptor_.service_;
  unlock();
  if (last) service.recycle(descriptor_);
  while (completion* op = ready.front()) {
    ready.pop();
    service.post(*op);
  }
  if (submitted) service.notify();
}

// --- the lanes as lists

ASIO_URING_DECL void descriptor::append(operation& op) noexcept
{
  lane& l = lane_of(op.get_type().lane);
  op.descriptor_ = this;
  op.previous_ = l.last;
  op.following_ = nullptr;
  l.last ? l.last->following_ = &op : l.first = &op;
  l.last = &op;
  ++references_;
}

ASIO_URING_DECL void descriptor::prepend(operation& op) noexcept
{
  lane& l = lane_of(op.get_type().lane);
  op.descriptor_ = this;
  op.previous_ = nullptr;
  op.following_ = l.first;
  (l.first ? l.first->previous_ : l.last) = &op;
  l.first = &op;
  ++references_;
}

ASIO_URING_DECL void descriptor::remove(operation& op) noexcept
{
  lane& l = lane_of(op.get_type().lane);
  (op.previous_ ? op.previous_->following_ : l.first) = op.following_;
  (op.following_ ? op.following_->previous_ : l.last) = op.previous_;
  op.descriptor_ = nullptr;
  op.cancellation_key_ = nullptr;
  --references_;
}

// Takes an operation out with a result, its completion to be queued.
ASIO_URING_DECL void descriptor::give_back(operation& op, int result, section& s) noexcept
{
  remove(op);
  op.result_ = result;
  s.ready.push(&op);
}

template <typename F>
void descriptor::for_each(F&& f)
{
  for (lane& l : lanes_)
    for (operation* op = l.first; op;) {
      operation* following = op->following_;
      f(*op);
      op = following;
    }
}

// --- starting

// The usual read waits for the standing poll, or is run at once: that is all there is to do.
ASIO_URING_DECL void descriptor::start(operation& op, const void* cancellation_key) noexcept
{
  service_.work_started();
  op.cancellation_key_ = cancellation_key;
  const operation::type& type = op.get_type();
  lock_.acquire();
  lane& l = lane_of(type.lane);
  if (type.lane == lane_kind::in && service_.readiness(type.preferred) && !l.first && !l.busy &&
      (l.ready || read_poll_.armed_) && unread_.empty()) {
    append(op);
    const bool run = l.ready && !queued_;
    if (run) {
      queued_ = true;
      ++references_;
    }
    lock_.release();
    if (run) service_.post(*this);
    return;
  }

  section s(*this, section::held);
  append(op);
  if (service_.stopped())
    give_back(op, -ECANCELED, s);
  else if (type.lane == lane_kind::none)
    submit(op, s);
  else if (l.first == &op)
    advance(type.lane, s);
}

ASIO_URING_DECL void descriptor::end_send(operation& op, const void* cancellation_key, int result) noexcept
{
  service_.work_started();
  op.result_ = result;
  lock_.acquire();
  lane& l = lane_of(lane_kind::out);
  l.busy = false;
  if (result != -EAGAIN && !l.first) {
    lock_.release();
    service_.post(op);
    return;
  }
  section s(*this, section::held);
  if (result == -EAGAIN) {
    l.ready = false;
    op.cancellation_key_ = cancellation_key;
    prepend(op); // before those that came meanwhile
  } else
    s.ready.push(&op);
  advance(lane_kind::out, s);
}

// Sets the first operation of a lane going.
ASIO_URING_DECL void descriptor::advance(lane_kind kind, section& s) noexcept
{
  lane& l = lane_of(kind);
  give_back_cancelled(l, s);
  while (l.first && !l.busy) {
    operation& op = *l.first;
    if (op.get_type().take && !unread_.empty()) {
      l.ready = true; // taken when the handler is about to run, so that it can still be cancelled
      enqueue(s.ready);
      return;
    }
    if (completes(op)) {
      if (!op.in_kernel_) submit(op, s);
      return;
    }
    if (kind == lane_kind::out && l.ready) {
      // A send that finds room is done here and now, as Asio does it.
      if (operation* done = perform_first(kind, s)) s.ready.push(done);
    } else {
      // A read waits until its handler is about to run, even if the data is there.
      l.ready ? enqueue(s.ready) : arm(kind, s);
      return;
    }
  }
}

ASIO_URING_DECL bool descriptor::completes(const operation& op) const noexcept
{
  return ownership_ == ownership::owned && service_.path_for(op.get_type().preferred) == path::completion;
}

ASIO_URING_DECL void descriptor::submit(operation& op, section& s) noexcept
{
  op.in_kernel_ = true;
  service_.push(op);
  s.submitted = true;
}

ASIO_URING_DECL void descriptor::arm(lane_kind kind, section& s) noexcept
{
  poll& p = poll_of(kind);
  if (p.armed_) return;
  p.armed_ = true;
  p.cancelled_ = false;
  ++references_;
  service_.push(p);
  s.submitted = true;
}

ASIO_URING_DECL void descriptor::enqueue(completion_queue& out) noexcept
{
  if (queued_) return;
  queued_ = true;
  ++references_;
  out.push(this);
}

// --- readiness

ASIO_URING_DECL const request::type& descriptor::poll::functions() noexcept
{
  static constexpr request::type type = {
      [](request& r, io_uring_sqe& sqe) noexcept {
        auto& self = static_cast<poll&>(r);
        io_uring_prep_poll_add(&sqe, self.descriptor_.fd_, self.events_);
        if (self.standing_ && self.descriptor_.ownership_ == ownership::owned)
          sqe.len = IORING_POLL_ADD_MULTI;
      },
      [](request& r, int result, unsigned flags, completion_queue& out) noexcept {
        auto& self = static_cast<poll&>(r);
        self.descriptor_.polled(self, result, flags, out);
      }};
  return type;
}

ASIO_URING_DECL void descriptor::polled(poll& p, int result, unsigned flags, completion_queue& out) noexcept
{
  if ((flags & IORING_CQE_F_MORE) && result >= 0) {
    lock_.acquire();
    lane& l = lane_of(p.lane_);
    l.ready = true;
    l.eager = result & (POLLRDHUP | POLLHUP | POLLERR);
    if (!closed_ && runnable(l)) enqueue(out);
    lock_.release();
    return;
  }

  section s(*this);
  lane& l = lane_of(p.lane_);
  if (!(flags & IORING_CQE_F_MORE)) {
    service_.forget(p);
    p.armed_ = false;
    p.standing_ = p.may_stand_; // from the second time on
    --references_;
  }
  if (!closed_) {
    if (result >= 0) {
      l.ready = true;
      l.eager = result & (POLLRDHUP | POLLHUP | POLLERR);
    } else if (result != -ECANCELED)
      l.ready = true; // the call itself will tell the error
    else if (l.first && !service_.stopped())
      arm(p.lane_, s); // nobody asked: the thread that submitted the poll has exited
    if (runnable(l)) enqueue(out);
  }
  s.submitted = false; // the turn of the ring that brought us here goes on
}

ASIO_URING_DECL bool descriptor::runnable(const lane& l) noexcept
{
  return l.first && l.ready && !l.busy && !l.first->in_kernel_;
}

// Performs the first operation of a lane; takes it out and returns it if it is done. The lock is open during
// the call.
ASIO_URING_DECL operation* descriptor::perform_first(lane_kind kind, section& s) noexcept
{
  lane& l = lane_of(kind);
  operation& op = *l.first;
  l.ready = false; // an event from here on sets it again
  int result;
  if (op.get_type().take && !unread_.empty())
    result = op.get_type().take(op, unread_);
  else {
    l.busy = true;
    s.unlock();
    result = op.get_type().perform(op, fd_);
    s.relock();
    l.busy = false;
  }
  return settle_attempt(kind, op, result, s);
}

// What a result says of the next attempt.
ASIO_URING_DECL void descriptor::settle_lane(lane& l, const operation& op, int result) noexcept
{
  if (l.eager || op.get_type().more(op, result))
    l.ready = true;
  else {
    doubt_ = 2;
    service_.doubts().raise();
  }
}

ASIO_URING_DECL bool descriptor::doubted(completion_queue& out) noexcept
{
  const locked guard(lock_);
  if (doubt_ == 0 || closed_) return false;
  if (--doubt_ > 0) return true;
  lane& l = lane_of(lane_kind::in);
  if (l.first && !l.ready && !l.busy && !l.first->in_kernel_) {
    l.ready = true;
    enqueue(out);
  } else if (!l.first)
    l.ready = true; // whoever reads next looks
  return false;
}

ASIO_URING_DECL operation* descriptor::settle_attempt(lane_kind kind, operation& op, int result,
                                                      section& s) noexcept
{
  lane& l = lane_of(kind);
  const operation::type& type = op.get_type();
  if (type.retry && type.retry(op, result) && !op.cancelled_) {
    l.ready = true;
    return perform_first(kind, s);
  }
  if (result == -EAGAIN) {
    if (op.cancelled_)
      result = -ECANCELED;
    else if (l.ready)
      return perform_first(kind, s);
    else {
      completes(op) ? submit(op, s) : arm(kind, s);
      return nullptr;
    }
  }
  settle_lane(l, op, result);
  remove(op);
  op.result_ = result;
  return &op;
}

// The loop runs the descriptor: one operation is performed and delivered.
ASIO_URING_DECL void descriptor::do_complete(void* owner, completion* base, const error_code& ec, std::size_t)
{
  auto& self = *static_cast<descriptor*>(base);
  self.lock_.acquire();
  self.queued_ = false; // its reference lasts to the end
  lane& in = self.lane_of(lane_kind::in);
  operation* const first = in.first;
  if (owner && !self.closed_ && self.runnable(in) && in.last == first &&
      !self.lane_of(lane_kind::out).first && self.unread_.empty()) {
    // One read and nothing else, as nearly always.
    in.busy = true;
    in.ready = false;
    self.lock_.release();
    const operation::type& type = first->get_type();
    const int result = type.perform(*first, self.fd_);
    self.lock_.acquire();
    in.busy = false;
    if (result != -EAGAIN && in.last == first && !type.retry && !self.closed_) {
      self.settle_lane(in, *first, result);
      in.first = in.last = nullptr;
      first->descriptor_ = nullptr;
      self.references_ -= 2;
      self.lock_.release();
      first->result_ = result;
      first->complete(owner, ec, 0);
      return;
    }
    self.performed(owner, first, result);
  } else
    self.performed(owner, nullptr, 0);
}

// The same, step by step. `first` has been performed already, if not null.
ASIO_URING_DECL void descriptor::performed(void* owner, operation* first, int result) noexcept
{
  io_uring_service& service = service_;
  operation* done = nullptr;
  {
    section s(*this, section::held);
    if (owner && !closed_) {
      if (first)
        done = settle_attempt(lane_kind::in, *first, result, s);
      else
        for (const lane_kind kind : {lane_kind::out, lane_kind::in})
          if (!done && runnable(lane_of(kind))) done = perform_first(kind, s);
      for (const lane_kind kind : {lane_kind::out, lane_kind::in}) {
        const lane& l = lane_of(kind);
        if (runnable(l))
          enqueue(s.ready);
        else
          advance(kind, s);
      }
    }
    --references_;
  }
  if (done)
    done->complete(owner, error_code(), 0);
  else if (owner)
    service.pump().nothing_completed();
}

// --- completion

ASIO_URING_DECL void operation::on_completion(request& r, int result, unsigned,
                                              completion_queue& out) noexcept
{
  auto& self = static_cast<operation&>(r);
  const bool retry = self.get_type().retry && self.get_type().retry(self, result);
  if ((retry || result < 0) && self.descriptor_->again(self, result, retry)) return;
  self.result_ = result;
  out.push(&self);
}

// Whether the operation goes on after an error, or a result that is to be hidden.
ASIO_URING_DECL bool descriptor::again(operation& op, int result, bool retry) noexcept
{
  section s(*this);
  const operation::type& type = op.get_type();
  bool goes_on = false;
  if (!op.cancelled_ && !closed_ && !service_.stopped()) {
    if (result == -EAGAIN && type.lane != lane_kind::none) {
      // A kernel that takes O_NONBLOCK at its word: poll, then perform.
      op.in_kernel_ = false;
      arm(type.lane, s);
      goes_on = true;
    } else if (result == -ECANCELED || retry) {
      // Cancelled, but not by us: the thread that submitted it has exited.
      submit(op, s);
      goes_on = true;
    }
  }
  s.submitted = false; // the turn of the ring that brought us here goes on
  return goes_on;
}

ASIO_URING_DECL void operation::leave_descriptor() noexcept { descriptor_->settled(*this); }

ASIO_URING_DECL int operation::fd() const noexcept { return descriptor_ ? descriptor_->fd() : -1; }

ASIO_URING_DECL int operation::open_fd() const noexcept
{
  if (!descriptor_) return -1;
  locked guard(descriptor_->lock_);
  return descriptor_->closed_ ? -1 : descriptor_->fd_;
}

// An operation that went to the kernel is about to be delivered.
ASIO_URING_DECL void descriptor::settled(operation& op) noexcept
{
  section s(*this);
  const operation::type& type = op.get_type();
  service_.forget(op);
  if (op.cancelled_ && type.keep && op.result_ > 0 && !service_.stopped() && type.keep(op, unread_))
    op.result_ = -ECANCELED;
  remove(op);
  if (closed_)
    give_back_cancelled(lane_of(type.lane), s);
  else if (type.lane != lane_kind::none)
    advance(type.lane, s);
}

// --- cancelling

// What is being performed right now is left to finish. Handlers of a lane run in order: behind an operation
// that the kernel is asked to cancel, the others wait for that.
ASIO_URING_DECL void descriptor::cancel(operation& op, section& s) noexcept
{
  const lane& l = lane_of(op.get_type().lane);
  if (op.in_kernel_) {
    op.cancelled_ = true;
    service_.cancel(op);
    s.submitted = true;
  } else if ((l.busy && l.first == &op) || (op.previous_ && l.first->in_kernel_ && op.previous_->cancelled_ &&
                                            op.get_type().lane != lane_kind::none))
    op.cancelled_ = true;
  else
    give_back(op, -ECANCELED, s);
}

ASIO_URING_DECL void descriptor::give_back_cancelled(lane& l, section& s) noexcept
{
  while (l.first && l.first->cancelled_ && !l.first->in_kernel_ && !l.busy)
    give_back(*l.first, -ECANCELED, s);
}

ASIO_URING_DECL void descriptor::cancel_all() noexcept
{
  section s(*this);
  for_each([&](operation& op) { cancel(op, s); });
}

ASIO_URING_DECL void descriptor::cancel(const void* cancellation_key) noexcept
{
  section s(*this);
  for_each([&](operation& op) {
    if (op.cancellation_key_ == cancellation_key) cancel(op, s);
  });
}

ASIO_URING_DECL void descriptor::end_polls(section& s) noexcept
{
  for (poll* p : {&read_poll_, &write_poll_})
    if (p->armed_ && !std::exchange(p->cancelled_, true)) {
      service_.cancel(*p);
      s.submitted = true;
    }
}

ASIO_URING_DECL void descriptor::close() noexcept
{
  section s(*this);
  // Another thread may be within a call that does not block: the number must not be reused meanwhile.
  while (lane_of(lane_kind::in).busy || lane_of(lane_kind::out).busy) {
    s.unlock();
    std::this_thread::yield();
    s.relock();
  }
  closed_ = true;
  for_each([&](operation& op) {
    // Not marked as cancelled: no later read could find the bytes of one that is done already, so it may
    // deliver them.
    if (op.in_kernel_) {
      service_.cancel(op);
      s.submitted = true;
    } else if (op.previous_)
      op.cancelled_ = true; // behind one in the kernel
    else
      give_back(op, -ECANCELED, s);
  });
  end_polls(s);
  // The kernel holds the file as long as a request does: have them ended while the number is still ours.
  if (std::exchange(s.submitted, false)) {
    s.unlock();
    service_.submit_now();
    s.relock();
  }
  --references_;
}

// --- end of the context, fork

ASIO_URING_DECL void descriptor::abandon(completion_queue& given_up) noexcept
{
  if (references_ == 0) return; // waits to be opened again
  section s(*this);
  for_each([&](operation& op) {
    if (op.in_kernel_) {
      op.cancelled_ = true;
      service_.cancel(op);
    } else {
      remove(op);
      given_up.push(&op);
    }
  });
  end_polls(s);
  s.submitted = false;
}

ASIO_URING_DECL void descriptor::resubmit() noexcept
{
  if (references_ == 0) return;
  section s(*this);
  for (const lane_kind kind : {lane_kind::in, lane_kind::out})
    if (std::exchange(poll_of(kind).armed_, false)) {
      --references_;
      if (!closed_) arm(kind, s);
    }
  for_each([&](operation& op) {
    if (!op.in_kernel_) return;
    submit(op, s);
    if (op.cancelled_) service_.cancel(op);
  });
  s.submitted = false;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_DESCRIPTOR_IPP
