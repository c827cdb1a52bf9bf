// asio_uring/detail/engine/file_state.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_FILE_STATE_IPP
#define ASIO_URING_DETAIL_ENGINE_FILE_STATE_IPP

#include <algorithm>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <utility>

namespace asio_uring::detail {

// --- life

ASIO_URING_DECL file_state::file_state(ring_service& service, bool locking) noexcept
    : service_(service),
      lock_(locking),
      read_poll_(*this, lane_of(lane_kind::in), POLLIN | POLLRDHUP),
      write_poll_(*this, lane_of(lane_kind::out), POLLOUT)
{}

ASIO_URING_DECL void file_state::open(int fd, const file_kind& kind) noexcept
{
  const locked guard(lock_); // a second look may still be to come, and an old signal may be emitted
  // Nothing of its last life is left.
  assert(references_ == 0 && !read_poll_.armed_ && !write_poll_.armed_);
  assert(!lanes_[0].first && !lanes_[1].first && !lanes_[2].first);
  fd_ = fd;
  borrowed_ = kind.borrowed;
  sends_by_calls_ = kind.sends_by_calls;
  references_ = 1;
  closed_ = false;
  eager_ = !kind.emptied_by_short_reads;
  lane_of(lane_kind::in) = {.ready = kind.readable, .eager = eager_};
  lane_of(lane_kind::out) = {.ready = true};
  lane_of(lane_kind::none) = {};
  read_poll_.standing_ = write_poll_.standing_ = false;
  kept_ = {};
  may_read_ahead_ = kind.datagrams && !kind.borrowed && service_.get_options().read_ahead > 0 &&
                    service_.get_options().path != path::completion;
  crowd_ = 0;
}

ASIO_URING_DECL void file_state::section::leave() noexcept
{
  if (std::exchange(left_, true)) return;
  const bool last = in_use_ && file_.references_ == 0;
  ring_service& service = file_.service_;
  unlock();
  if (last) service.recycle(file_);
  while (completion* op = ready.front()) {
    ready.pop();
    service.post(*op);
  }
  if (submitted) service.notify();
}

ASIO_URING_DECL int file_state::register_file()
{
  if (registered() >= 0 || !service_.features().opcode(IORING_OP_READ_FIXED)) return 0;
  const int place =
      service_.register_with_ring([this](ring& r) noexcept { return service_.files().add(r, fd_); });
  if (place >= 0) registered_.store(place, std::memory_order_relaxed);
  return std::min(place, 0);
}

// --- the lanes as lists

ASIO_URING_DECL void file_state::prepend(operation& op) noexcept
{
  lane& l = lane_of(op.get_type().lane);
  op.stage_ = operation::stage::waiting;
  op.previous_ = nullptr;
  op.following_ = l.first;
  (l.first ? l.first->previous_ : l.last) = &op;
  l.first = &op;
  ++references_;
}

// Takes an operation out with a result, its completion to be queued.
ASIO_URING_DECL void file_state::give_back(operation& op, int result, section& s) noexcept
{
  remove(op);
  op.set_result(result);
  s.ready.push(&op);
}

template <typename F>
void file_state::for_each(F&& f)
{
  for (lane& l : lanes_)
    for (operation* op = l.first; op;) {
      operation* following = op->following_;
      f(*op);
      op = following;
    }
}

// --- starting

void file_state::start_slowly(operation& op) noexcept
{
  section s(*this, section::held);
  const lane_kind kind = op.get_type().lane;
  append(op);
  if (service_.stopped())
    give_back(op, -ECANCELED, s);
  else if (kind != lane_kind::none)
    advance(kind, s);
  else if (!has_to_wait(op))
    submit(op, s);
}

void file_state::end_send_slowly(operation& op, const void* cancellation_key) noexcept
{
  section s(*this, section::held);
  if (op.result() == -EAGAIN) {
    lane_of(lane_kind::out).ready = false;
    op.cancellation_key_ = cancellation_key;
    prepend(op); // before those that came meanwhile
  } else
    s.ready.push(&op);
  advance(lane_kind::out, s);
}

// Sets the first operation of a lane going.
ASIO_URING_DECL void file_state::advance(lane_kind kind, section& s) noexcept
{
  lane& l = lane_of(kind);
  give_back_cancelled(l, s);
  while (l.first && l.first->stage_ == operation::stage::waiting && !l.busy) {
    operation& op = *l.first;
    l.in_vain = false;
    if (op.get_type().take && !kept_.empty())
      enqueue(op, s.ready); // taken when the handler is about to run, so that it can still be cancelled
    else if (completes(op))
      submit(op, s);
    else if (!is_ready(kind))
      return arm(poll_of(kind), s);
    else if (kind == lane_kind::in)
      enqueue(op, s.ready); // a read waits until its handler is about to run, even if the data is there
    else if (perform_first(kind, s))
      s.ready.push(&op); // a send that finds room is done here and now, as Asio does it
  }
}

ASIO_URING_DECL void file_state::submit(operation& op, section& s) noexcept
{
  // One read and one write of a stream at most are in the kernel: bytes never interleave.
  assert(op.get_type().lane == lane_kind::none || lane_of(op.get_type().lane).first == &op);
  set_submitted(op, op.get_type().lane);
  if (op.get_type().lane == lane_kind::in && read_poll_.armed_) [[unlikely]] // of reads that were calls
    end_poll(read_poll_, s);
  service_.push(op);
  if (fd_ < 0) service_.names_strangers();
  s.submitted = true;
}

/// Whether an operation of no lane begins only after what was started before it.
ASIO_URING_DECL bool file_state::has_to_wait(const operation& op) noexcept
{
  const operation::type& type = op.get_type();
  return type.drains && type.drains(op) &&
         (op.previous_ || lane_of(lane_kind::in).first || lane_of(lane_kind::out).first);
}

/// Submits those that had to wait, and need not any longer.
ASIO_URING_DECL void file_state::submit_drained(section& s) noexcept
{
  const lane& l = lane_of(lane_kind::none);
  if (l.first && l.first->stage_ == operation::stage::waiting && !has_to_wait(*l.first)) submit(*l.first, s);
}

ASIO_URING_DECL void file_state::arm(poll& p, section& s) noexcept
{
  if (p.armed_) return;
  if (p.lane_.in_vain) {
    if (!service_.features().multishot_poll()) {
      s.submitted |= raise_doubt(); // tried again then
      return;
    }
    p.standing_ = true;
  }
  service_.counts().polls.add(1);
  p.armed_ = true;
  p.cancelled_ = false;
  ++references_;
  service_.push(p);
  s.submitted = true;
}

// --- readiness

ASIO_URING_DECL const request::type& file_state::poll::functions() noexcept
{
  static constexpr request::type type = {
      [](request& r, io_uring_sqe& sqe) noexcept {
        auto& self = static_cast<poll&>(r);
        io_uring_prep_poll_add(&sqe, self.file_.fd_, static_cast<unsigned>(self.events_));
        if (self.standing_) sqe.len = IORING_POLL_ADD_MULTI;
      },
      [](request& r, int result, unsigned flags, completion_queue& out) noexcept {
        auto& self = static_cast<poll&>(r);
        file_state& d = self.file_;
        if (!(flags & IORING_CQE_F_MORE) || result < 0 || !(result & self.events_) || !d.lock_.try_acquire())
          return d.polled_slowly(self, result, flags, out);
        d.polled(self.lane_, result, out);
        d.lock_.release();
      }};
  return type;
}

void file_state::polled_slowly(poll& p, int result, unsigned flags, completion_queue& out) noexcept
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
      completes(op) ? submit(op, s) : arm(poll_of(kind), s);
      return attempt::waits;
    }
  }
  s.submitted |= settle_lane(l, type.more(op, result));
  remove(op);
  op.set_result(result);
  return attempt::ended;
}

// A due operation was cancelled meanwhile, or is served with what an earlier read has left.
void file_state::end_without_call(operation& op) noexcept
{
  section s(*this, section::held);
  const operation::type& type = op.get_type();
  if (op.cancelled_)
    op.set_result(-ECANCELED);
  else
    op.set_result(type.take(op, kept_));
  remove(op);
  if (!closed_) advance(type.lane, s);
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

// --- completion

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
  if (more) [[unlikely]] {
    if (!retry) {
      file_state::section s(*self.home_);
      self.home_->end_poll(self, result);
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
  if (refusals_ > 0 && !ring_service::lives(result() - no_result)) refusals_ = 0;
  if (refusals_ == most) return true;
  ++refusals_;
  set_result(no_result + ring_service::this_thread());
  return false;
}

// Whether the operation goes on after an error, or a result that is to be hidden.
ASIO_URING_DECL bool file_state::again(operation& op, int& result, bool retry, completion_queue& out) noexcept
{
  const bool refused = result == -ECANCELED && !service_.resting() && op.refused();
  section s(*this);
  const operation::type& type = op.get_type();
  bool goes_on = false;
  if (!op.cancelled_ && !closed_ && !service_.stopped()) {
    if (refused && type.preferred == preference::always_submitted)
      result = -EAGAIN; // as where a thread cannot be made
    else if ((result == -EAGAIN || refused) && type.lane != lane_kind::none) {
      // No worker, or a kernel that takes O_NONBLOCK at its word: poll, then perform. The event may have come
      // first.
      op.stage_ = operation::stage::waiting;
      runnable(lane_of(type.lane)) ? enqueue(op, out) : arm(poll_of(type.lane), s);
      goes_on = true;
    } else if (retry && result > 0 && type.lane == lane_kind::none) {
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
void file_state::end_poll(operation& op, int result) noexcept
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
  const operation::type& type = op.get_type();
  const bool submitted = op.stage_ == operation::stage::submitted;
  const bool left = submitted && op.cancelled_ && !closed_ && type.keep && op.result() > 0 &&
                    !service_.stopped() && keep_bytes(op, s);
  service_.forget(op);
  unlink(op);
  if (submitted && closed_)
    give_back_cancelled(lane_of(type.lane), s);
  else if (submitted && type.lane != lane_kind::none)
    advance(type.lane, s);
  if (lane_of(lane_kind::none).first) submit_drained(s);
  return left ? operation::stage::left : operation::stage::ended;
}

// A read was cancelled, and was performed nevertheless. False: the program gets what it has read.
ASIO_URING_DECL bool file_state::keep_bytes(operation& op, section& s) noexcept
{
  const operation::type& type = op.get_type();
  bool left = false;
  if (type.undo) {
    lane& l = lane_of(type.lane);
    l.busy = true; // the number stays ours
    s.unlock();
    left = type.undo(op, fd_);
    s.relock();
    l.busy = false;
  }
  const auto bytes = static_cast<std::uint64_t>(op.result());
  if (!left && !type.keep(op, kept_)) return false;
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
  for (const auto limit = clock::now() + patience; clock::now() < limit; std::this_thread::yield()) {
    service_.collect_now();
    if (has_caught_up(kind)) return;
  }
}

// Whether nothing that was cancelled may still have an effect.
ASIO_URING_DECL bool file_state::has_caught_up(lane_kind kind) noexcept
{
  section s(*this);
  const lane& l = lane_of(kind);
  operation* const op = l.first;
  if (!op || !op->cancelled_) return true;
  if (l.busy) return false; // another thread makes its call
  if (op->stage_ != operation::stage::submitted) return true;
  if (op->pending()) return false;
  if (op->get_type().keep) op->leave_stage(let_go(*op, s));
  return true;
}

// --- cancelling

// What is being performed right now is left to finish; what is about to be finds that it was cancelled.
// Handlers of a lane run in order: behind an operation that the kernel is asked to cancel, the others wait
// for that.
ASIO_URING_DECL void file_state::cancel(operation& op, section& s) noexcept
{
  if (op.stage_ == operation::stage::waiting && !(is_behind_submitted(op) && op.previous_->cancelled_))
    return give_back(op, -ECANCELED, s);
  op.cancelled_ = true;
  if (op.stage_ == operation::stage::submitted) {
    service_.cancel(op);
    s.submitted = true;
  }
}

ASIO_URING_DECL bool file_state::is_behind_submitted(const operation& op) noexcept
{
  const lane_kind kind = op.get_type().lane;
  return kind != lane_kind::none && op.previous_ &&
         lane_of(kind).first->stage_ == operation::stage::submitted;
}

ASIO_URING_DECL void file_state::give_back_cancelled(lane& l, section& s) noexcept
{
  while (l.first && l.first->cancelled_ && l.first->stage_ == operation::stage::waiting && !l.busy)
    give_back(*l.first, -ECANCELED, s);
}

ASIO_URING_DECL void file_state::cancel_all() noexcept
{
  section s(*this);
  for_each([&](operation& op) { cancel(op, s); });
}

ASIO_URING_DECL void file_state::cancel(const void* cancellation_key) noexcept
{
  section s(*this);
  for_each([&](operation& op) {
    if (op.cancellation_key_ == cancellation_key) cancel(op, s);
  });
}

ASIO_URING_DECL void file_state::end_polls(section& s) noexcept
{
  for (poll* p : {&read_poll_, &write_poll_})
    end_poll(*p, s);
}

ASIO_URING_DECL void file_state::end_poll(poll& p, section& s) noexcept
{
  if (!p.armed_ || std::exchange(p.cancelled_, true)) return;
  service_.cancel(p);
  s.submitted = true;
}

ASIO_URING_DECL void file_state::close() noexcept
{
  std::unique_ptr<datagrams_ahead> unwanted;
  section s(*this);
  // Another thread may be within a call that does not block: the number must not be reused meanwhile.
  for (unsigned times = 0; lane_of(lane_kind::in).busy || lane_of(lane_kind::out).busy || looking_; ++times) {
    s.unlock();
    pause(times);
    s.relock();
  }
  closed_ = true;
  unwanted = stop_ahead();
  for_each([&](operation& op) {
    switch (op.stage_) {
    case operation::stage::submitted: // not marked as cancelled: what it has taken no later read could find
      service_.cancel(op);
      s.submitted = true;
      break;
    case operation::stage::waiting:
      if (!is_behind_submitted(op)) {
        give_back(op, -ECANCELED, s);
        break;
      }
      [[fallthrough]];
    default:
      op.cancelled_ = true;
    }
  });
  end_polls(s);
  // The kernel holds the file as long as a request does: have them ended while the number is still ours.
  const bool submitted = std::exchange(s.submitted, false);
  const int place = registered_.exchange(-1, std::memory_order_relaxed);
  if (submitted || place >= 0 || service_.has_strangers()) {
    s.unlock();
    // Entries that the kernel refuses at the moment name the number when it takes them.
    const bool all = service_.submit_now();
    if (submitted) service_.let_go(fd_);
    if (place >= 0)
      service_.register_with_ring([&](ring& r) noexcept { return service_.files().remove(r, place); });
    if (!all) service_.numbers().add_until_submitted(fd_);
    s.relock();
  }
  --references_;
}

// --- end of the context

ASIO_URING_DECL void file_state::abandon(completion_queue& given_up) noexcept
{
  if (references_ == 0) return; // waits to be opened again
  section s(*this);
  for_each([&](operation& op) {
    switch (op.stage_) {
    case operation::stage::submitted:
      op.cancelled_ = true;
      service_.cancel(op);
      break;
    case operation::stage::waiting:
      given_up.push(&op);
      [[fallthrough]];
    default: // the loop's queue gives up what is due
      remove(op);
      op.set_result(-ECANCELED);
    }
  });
  end_polls(s);
  s.submitted = false;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_FILE_STATE_IPP
