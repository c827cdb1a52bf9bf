// asio_uring/detail/engine/file_state.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_FILE_STATE_IPP
#define ASIO_URING_DETAIL_ENGINE_FILE_STATE_IPP

#include <algorithm>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/detail/engine/zero_copy_sends.hpp>
#include <utility>

namespace asio_uring::detail {

// --- life

ASIO_URING_DECL file_state::file_state(ring_service& service, bool locking) noexcept
    : lane_of_file<lane_kind::in>(poll<lane_kind::in>),
      lane_of_file<lane_kind::out>(poll<lane_kind::out>),
      service_(service),
      lock_(locking)
{}

ASIO_URING_DECL void file_state::open(int fd, const file_kind& kind) noexcept
{
  const locked guard(lock_); // a second look may still be to come, and an old signal may be emitted
  // Nothing of its last life is left.
  assert(references_ == 0 && !in().poll_armed && !out().poll_armed);
  assert(!in().first && !out().first && !unordered_.first);
  fd_ = fd;
  borrowed_ = kind.borrowed;
  sends_by_calls_ = kind.sends_by_calls;
  references_ = 1;
  closed_ = false;
  eager_ = !kind.emptied_by_short_reads;
  in().open(kind.readable, eager_);
  out().open(true, false);
  kept_ = {};
  zero_copy_.begin();
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
  operation_list& l = list_of(op.get_type().lane);
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
  if (op.notifications_) return zero_copy_sends::set_aside(*this, op, result);
  passes(op);
  remove(op);
  op.set_result(result);
  s.ready.push(&op);
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
  else {
    if (const operation** const before = op.last_before()) {
      *before = in().last;
      drains_ = true;
    }
    if (!has_to_wait(op)) submit(op, s);
  }
}

void file_state::end_send_slowly(operation& op, const void* cancellation_key) noexcept
{
  section s(*this, section::held);
  if (op.result() == -EAGAIN) {
    out().ready = false;
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
  give_back_cancelled(kind, s);
  while (l.first && l.first->stage_ == operation::stage::waiting && !l.busy) {
    operation& op = *l.first;
    l.in_vain = false;
    if (kind == lane_kind::in && source_ && !source_makes_way(op, s)) return;
    if (op.get_type().take && !kept_.empty())
      enqueue(op, s.ready); // taken when the handler is about to run, so that it can still be cancelled
    else if (completes(op))
      submit(op, s);
    else if (!is_ready(kind))
      return arm(l, s);
    else if (kind == lane_kind::in)
      enqueue(op, s.ready); // a read waits until its handler is about to run, even if the data is there
    else if (perform_first(kind, s))
      s.ready.push(&op); // a send that finds room is done here and now, as Asio does it
  }
}

ASIO_URING_DECL void file_state::submit(operation& op, section& s) noexcept
{
  // One read and one write of a stream at most are in the kernel: bytes never interleave.
  assert(op.get_type().lane == lane_kind::none || list_of(op.get_type().lane).first == &op);
  set_submitted(op, op.get_type().lane, op.get_type().preferred);
  if (op.get_type().lane == lane_kind::in && in().poll_armed) [[unlikely]] // of reads that were calls
    end_poll(in(), s);
  service_.push(op);
  if (fd_ < 0) service_.names_strangers();
  s.submitted = true;
}

/// Whether an operation of no lane begins only after what was started before it.
ASIO_URING_DECL bool file_state::has_to_wait(operation& op) noexcept
{
  const operation** const before = op.last_before();
  return before && (op.previous_ || *before);
}

/// Has those that wait for an operation of the lane `in`, which ends, wait for the one before it. The other
/// lane of a file is always empty.
ASIO_URING_DECL void file_state::passes(const operation& ends) noexcept
{
  if (!drains_ || ends.get_type().lane != lane_kind::in) return;
  for (operation* op = unordered_.first; op; op = op->following_) {
    const operation** const before = op->last_before();
    if (before && *before == &ends) *before = ends.previous_;
  }
}

/// Submits those that had to wait, and need not any longer.
ASIO_URING_DECL void file_state::submit_drained(section& s) noexcept
{
  operation* const first = unordered_.first;
  if (first && first->stage_ == operation::stage::waiting && !has_to_wait(*first)) submit(*first, s);
}

ASIO_URING_DECL void file_state::arm(lane& l, section& s) noexcept
{
  if (l.poll_armed) return;
  if (l.in_vain) {
    if (!service_.features().multishot_poll()) {
      s.submitted |= raise_doubt(); // tried again then
      return;
    }
    l.poll_stands = true;
  }
  service_.counts().polls.add(1);
  l.poll_armed = true;
  l.poll_cancelled = false;
  ++references_;
  service_.push(l);
  s.submitted = true;
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

ASIO_URING_DECL void file_state::give_back_cancelled(lane_kind kind, section& s) noexcept
{
  if (kind != lane_kind::none && lane_of(kind).busy) return;
  const operation_list& l = list_of(kind);
  while (l.first && l.first->cancelled_ && l.first->stage_ == operation::stage::waiting)
    give_back(*l.first, -ECANCELED, s);
}

ASIO_URING_DECL void file_state::cancel_all() noexcept
{
  section s(*this);
  for_each([&](operation& op) { cancel(op, s); });
  follow_cancelled(s);
}

ASIO_URING_DECL void file_state::cancel(const void* cancellation_key) noexcept
{
  section s(*this);
  for_each([&](operation& op) {
    if (op.cancellation_key_ == cancellation_key) cancel(op, s);
  });
  follow_cancelled(s);
}

ASIO_URING_DECL void file_state::end_polls(section& s) noexcept
{
  // Of what was asked to end before, the entries may still name the number.
  for (const lane_kind kind : lanes) {
    end_poll(lane_of(kind), s);
    s.submitted |= lane_of(kind).poll_armed;
  }
  if (source_) s.submitted |= !ends_by_now(*source_, s);
}

ASIO_URING_DECL void file_state::end_poll(lane& l, section& s) noexcept
{
  if (!l.poll_armed || std::exchange(l.poll_cancelled, true)) return;
  service_.cancel(l);
  s.submitted = true;
}

ASIO_URING_DECL bool file_state::close() noexcept
{
  std::unique_ptr<datagrams_ahead> unwanted;
  std::unique_ptr<source> unwanted_source;
  section s(*this);
  // Another thread may be within a call that does not block: the number must not be reused meanwhile.
  for (unsigned times = 0; in().busy || out().busy || looking_; ++times) {
    s.unlock();
    pause(times);
    s.relock();
  }
  closed_ = true;
  unwanted = stop_ahead();
  for_each([&](operation& op) {
    switch (op.stage_) {
    case operation::stage::submitted: // not marked as cancelled: no later read can fetch the bytes
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
  if (source_ && !source_->armed_) unwanted_source = std::move(source_);
  // The kernel holds the file as long as a request does: have them ended while the number is still ours.
  const bool submitted = std::exchange(s.submitted, false), has_source = source_ != nullptr;
  const int place = registered_.exchange(-1, std::memory_order_relaxed);
  const bool named = submitted || place >= 0 || service_.has_strangers();
  if (named) {
    s.unlock();
    // Entries that the kernel refuses at the moment name the number when it takes them.
    bool all = service_.submit_now();
    if (has_source) { // which the kernel may not have found
      s.relock();
      if (source_) ask_again_to_end(*source_, s);
      s.unlock();
      all = service_.submit_now();
    }
    if (submitted) service_.let_go(fd_);
    if (place >= 0)
      service_.register_with_ring([&](ring& r) noexcept { return service_.files().remove(r, place); });
    if (!all) service_.numbers().add_until_submitted(fd_);
    s.relock();
  }
  if (unwanted_source) { // others get its memory
    s.unlock();
    unwanted_source.reset();
    s.relock();
    s.submitted = true;
  }
  --references_;
  return !named && !has_source;
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
