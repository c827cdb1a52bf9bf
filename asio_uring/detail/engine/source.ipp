// asio_uring/detail/engine/source.ipp: sources, and the operations that they serve.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SOURCE_IPP
#define ASIO_URING_DETAIL_ENGINE_SOURCE_IPP

#include <algorithm>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <iterator>
#include <utility>

namespace asio_uring::detail {

ASIO_URING_DECL source::source(file_state& file) noexcept : request(functions()), file_(file) {}

ASIO_URING_DECL const request::type& source::functions() noexcept
{
  static constexpr request::type type = {
      [](request& r, io_uring_sqe& sqe) noexcept {
        auto& self = static_cast<source&>(r);
        if (self.waiting_)
          io_uring_prep_timeout(&sqe, &pause(self.pauses_), 0, 0);
        else
          self.describe(sqe, self.file_.fd_);
      },
      [](request& r, int result, unsigned flags, completion_queue& out) noexcept {
        static_cast<source&>(r).completed(result, flags, out);
      }};
  return type;
}

// Twice as long each time.
ASIO_URING_DECL __kernel_timespec& source::pause(unsigned char times_in_a_row) noexcept
{
  constexpr long long ms = 1'000'000;
  static __kernel_timespec pauses[] = {{0, 1 * ms},  {0, 2 * ms},  {0, 4 * ms},   {0, 8 * ms},  {0, 16 * ms},
                                       {0, 32 * ms}, {0, 64 * ms}, {0, 128 * ms}, {0, 250 * ms}};
  static_assert(std::size(pauses) == most_pauses);
  return pauses[times_in_a_row - 1];
}

void source::completed(int result, unsigned flags, completion_queue& out) noexcept
{
  std::unique_ptr<source> unwanted; // destroyed after the section
  file_state& f = file_;
  file_state::section s(f);
  const bool goes_on = flags & IORING_CQE_F_MORE;
  lane& l = f.in();
  const bool promised = settle_promise();
  outcome what = outcome::nothing;
  if (std::exchange(waiting_, false) || result == -ECANCELED || result == -EINTR) {
    leave(flags);
  } else if (!polls())
    what = take_in(result, flags);
  else if (!f.closed_ && !cancelled_) {
    // Receive several at once, but not all: a peer that is faster than the program always has more.
    constexpr unsigned most = 8;
    in_vain_ = true;
    for (unsigned times = 0; times < most; ++times) {
      unsigned received = 0;
      l.busy = true; // keeps the descriptor open
      s.unlock();
      const int called = perform(f.fd_, received);
      s.relock();
      l.busy = false;
      const outcome next = called == -EAGAIN ? outcome::nothing : take_in(called, received);
      if (next != outcome::nothing) {
        what = next;
        in_vain_ = false;
      }
      if (next != outcome::result || full(false) || !more(called)) break;
    }
    if (goes_on && !in_vain_) f.end_source(*this, s); // it reports neither what is left nor the end
  }
  if (what == outcome::starved &&
      (goes_on || cancelled_ || !running_ || !wait_for_memory(promised ? place::first : place::last))) {
    if (goes_on) f.end_source(*this, s); // a multishot poll
    what = outcome::nothing;
  }
  if (!goes_on && what != outcome::starved) {
    f.service_.forget(*this);
    armed_ = cancelled_ = false;
    --f.references_;
  }
  // A cancellation misses a multishot request that the kernel has queued for another try, as it does after 32
  // deliveries in a row.
  constexpr unsigned most_in_a_row = 32;
  if (goes_on && cancelled_ && ++unheard_ % most_in_a_row == 0) f.ask_again_to_end(*this, s);
  pass_on();
  if (f.closed_) {
    if (!armed_) unwanted = std::move(f.source_);
    s.submitted = false;
    return;
  }
  if (what == outcome::exhausted && running_ && !armed_) {
    f.service_.counts().pauses.add(1);
    waiting_ = true;
    if (pauses_ < most_pauses) ++pauses_;
  } else if (what == outcome::result)
    pauses_ = 0;
  f.go_on(*this, s);
  f.serve(out, s);
  s.submitted = false; // whoever collects submits afterwards
}

source::outcome source::take_in(int result, unsigned flags) noexcept
{
  const outcome what = receive(result, flags);
  if (what == outcome::end) {
    ended_ = true;
    end_ = result;
    running_ = false;
  }
  return what;
}

// --- of a file

ASIO_URING_DECL void file_state::start_from_source(operation& op, const void* cancellation_key) noexcept
{
  service_.work_started();
  section s(*this);
  op.cancellation_key_ = cancellation_key;
  append(op);
  if (service_.stopped())
    give_back(op, -ECANCELED, s);
  else
    advance(lane_kind::in, s);
}

ASIO_URING_DECL bool file_state::end_from_source(operation& op) noexcept
{
  section s(*this);
  int result = op.cancelled_ ? -ECANCELED : op.get_type().take_ahead(op, *source_);
  const bool ended = result != -EAGAIN;
  if (ended) {
    remove(op);
    op.set_result(result);
    if (source_) go_on(*source_, s);
  } else {
    op.stage_ = operation::stage::waiting; // a synchronous function took it first
    service_.nothing_completed();
  }
  if (!closed_) advance(lane_kind::in, s);
  return ended;
}

/// Has the source receive or pause, whichever is due.
ASIO_URING_DECL void file_state::go_on(source& from, section& s) noexcept
{
  from.paused_ = from.full(from.paused_);
  if (from.armed_) {
    if (from.paused_) end_source(from, s);
    return;
  }
  if (!from.running_ || from.paused_ || from.ended_ || closed_ || service_.stopped()) return;
  if (in().poll_armed) end_poll(in(), s); // was armed for reads by calls
  from.armed_ = true;
  ++references_;
  if (from.wait_for_memory(source::place::behind_others)) return; // others have waited longer
  service_.push(from);
  s.submitted = true;
}

ASIO_URING_DECL void file_state::ask_again_to_end(source& from, section& s) noexcept
{
  from.cancelled_ = false;
  end_source(from, s);
}

ASIO_URING_DECL void file_state::end_source(source& from, section& s) noexcept
{
  if (!from.armed_ || from.cancelled_) return;
  if (from.withdraw()) {
    from.armed_ = false;
    --references_;
    return;
  }
  from.cancelled_ = true;
  service_.cancel(from);
  s.submitted = true;
}

/// Handles the first operation of the lane where there is a source. True if it goes on as without one.
ASIO_URING_DECL bool file_state::source_makes_way(operation& op, section& s) noexcept
{
  source& from = *source_;
  if (op.get_type().from_source) {
    if (!kept_.empty() && !from.take_over(kept_)) {
      give_back(op, -ENOMEM, s);
      advance(lane_kind::in, s);
      return false;
    }
    if (ahead_) from.take_over_datagrams(stop_ahead());
    from.running_ = true;
    if (from.empty())
      go_on(from, s);
    else
      enqueue(op, s.ready);
    return false;
  }
  if (!ends_by_now(from, s)) return false; // wait: what it still receives comes first
  const bool left = from.leave_to(kept_);
  s.submitted = true; // others may have got its memory and been pushed
  if (left && !kept_.empty()) return true;
  if (left && from.has_result()) {
    enqueue(op, s.ready);
    return false;
  }
  if (!left || (from.ended_ && from.end_ < 0)) {
    give_back(op, left ? from.take_end() : -ENOMEM, s); // the kernel reports an error only once
    advance(lane_kind::in, s);
    return false;
  }
  drop_source();
  return true;
}

/// Serves the first operation of the lane when the source may have a result.
ASIO_URING_DECL void file_state::serve(completion_queue& out, section& s) noexcept
{
  const lane& l = in();
  if (!l.first || !l.first->get_type().from_source) return advance(lane_kind::in, s);
  if (l.first->stage_ == operation::stage::waiting && !l.busy && !source_->empty()) enqueue(*l.first, out);
}

/// Ends the source. False while the kernel still has it.
ASIO_URING_DECL bool file_state::ends_by_now(source& from, section& s) noexcept
{
  from.running_ = false;
  ask_again_to_end(from, s); // the kernel may have missed the last cancellation
  return !from.armed_;
}

/// For a synchronous function: ends the source, unless an operation waits for it. False while it may still
/// receive.
ASIO_URING_DECL bool file_state::source_has_caught_up(section& s) noexcept
{
  const operation* op = in().first;
  while (op && op->cancelled_)
    op = op->following_;
  if (op && op->get_type().from_source) return true;
  if (!ends_by_now(*source_, s)) return false;
  if (source_->leave_to(kept_) && source_->empty()) drop_source();
  s.submitted = true;
  return true;
}

/// Destroys a source that has nothing, unless operations wait for it.
ASIO_URING_DECL void file_state::drop_source() noexcept
{
  source_->ended_ = false; // the kernel reports an end again
  for (const operation* op = in().first; op; op = op->following_)
    if (op->get_type().from_source) return;
  set_source(nullptr);
}

ASIO_URING_DECL void file_state::set_source(std::unique_ptr<source> s) noexcept
{
  source_ = std::move(s);
  kept_.set_source(source_ != nullptr);
}

ASIO_URING_DECL void file_state::stop_source() noexcept
{
  section s(*this);
  if (!source_) return;
  for (operation* op = in().first; op;) {
    operation* const following = op->following_;
    if (op->get_type().from_source) cancel(*op, s);
    op = following;
  }
  ends_by_now(*source_, s);
  follow_cancelled(s);
}

/// Advances the lane after a cancellation: an operation behind the cancelled one may be the first now, and no
/// completion of the source need follow, for it may be waiting for memory.
ASIO_URING_DECL void file_state::follow_cancelled(section& s) noexcept
{
  if (source_ && !closed_ && !service_.stopped()) advance(lane_kind::in, s);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SOURCE_IPP
