// asio_uring/detail/engine/fast_paths.hpp: the common cases of an operation in its file state.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_FAST_PATHS_HPP
#define ASIO_URING_DETAIL_ENGINE_FAST_PATHS_HPP

#include <asio_uring/detail/engine/file_state.hpp>

namespace asio_uring::detail {

[[gnu::always_inline]] inline bool file_state::settle_lane(lane& l, bool more) noexcept
{
  l.in_vain = false;
  if (l.eager || more) {
    l.ready = true;
    return false;
  }
  return doubt_ != doubt::raised && raise_doubt();
}

[[gnu::always_inline]] inline void file_state::link(operation& op, operation_list& l) noexcept
{
  op.previous_ = l.last;
  op.following_ = nullptr;
  (l.last ? l.last->following_ : l.first) = &op;
  l.last = &op;
  ++references_;
}

[[gnu::always_inline]] inline void file_state::append(operation& op) noexcept
{
  op.stage_ = operation::stage::waiting;
  link(op, list_of(op.get_type().lane));
}

[[gnu::always_inline]] inline void file_state::unlink(operation& op, operation_list& l) noexcept
{
  (op.previous_ ? op.previous_->following_ : l.first) = op.following_;
  (op.following_ ? op.following_->previous_ : l.last) = op.previous_;
  --references_;
}

[[gnu::always_inline]] inline void file_state::remove(operation& op) noexcept
{
  unlink(op, list_of(op.get_type().lane));
  op.stage_ = operation::stage::ended;
}

// The following functions handle the common case in a few instructions under the lock. Everything else is
// left to a function that is out of line: by start() and start_unordered() to start_slowly(), by end_send()
// to end_send_slowly(), by begin_call() to ends_without_call(), by end_call() to end_call_slowly(), by
// settle_unordered() and settle_submitted() to settle().

inline bool file_state::completes(const operation& op) const noexcept
{
  if (sends_by_calls_ && op.get_type().lane == lane_kind::out) return false;
  if (ahead_ && op.get_type().lane == lane_kind::in) return false;
  return !borrowed_ && service_.paths().path_for(op.get_type().preferred) == path::completion;
}

[[gnu::always_inline]] inline bool file_state::may_submit_at_once(lane_kind kind) noexcept
{
  const bool calls = kind == lane_kind::in ? in().poll_armed : sends_by_calls_ || out().busy;
  return !calls && !borrowed_ && !in().busy && fd_ >= 0 && !service_.stopped();
}

[[gnu::always_inline]] inline void file_state::set_submitted(operation& op, lane_kind kind,
                                                             preference preferred) noexcept
{
  op.stage_ = operation::stage::submitted;
  op.set_pending();
  service_.counts().submitted.add(1);
  // What is always submitted in the lane `in` is of a stream file: it writes, or moves the position.
  if (kind != lane_kind::in || preferred == preference::always_submitted) service_.has_effect();
}

[[gnu::always_inline]] inline void file_state::start(operation& op, lane_kind kind, preference preferred,
                                                     const void* cancellation_key) noexcept
{
  service_.work_started();
  op.cancellation_key_ = cancellation_key;
  lock_.acquire();
  lane& l = lane_of(kind);
  const bool by_calls = service_.paths().readiness(preferred) || (kind == lane_kind::in && ahead_);
  if (kind == lane_kind::none || l.first || (kind == lane_kind::in && kept_.first_to_be_asked()) ||
      !(by_calls ? kind == lane_kind::in && (l.ready || l.poll_armed) : may_submit_at_once(kind)))
    return start_slowly(op);
  op.previous_ = op.following_ = nullptr;
  l.first = l.last = &op;
  ++references_;
  if (by_calls) {
    const bool due = is_ready(kind);
    op.stage_ = due ? operation::stage::due : operation::stage::waiting;
    lock_.release();
    if (due) service_.post(op);
  } else {
    set_submitted(op, kind, preferred);
    service_.push(op);
    lock_.release();
    service_.notify();
  }
}

[[gnu::always_inline]] inline void file_state::start_unordered(operation& op,
                                                               const void* cancellation_key) noexcept
{
  service_.shared_work_started();
  op.cancellation_key_ = cancellation_key;
  lock_.acquire();
  if (service_.stopped()) [[unlikely]]
    return start_slowly(op);
  append(op);
  op.stage_ = operation::stage::submitted;
  op.set_pending();
  service_.push(op);
  const bool names_strangers = fd_ < 0;
  lock_.release(); // from here on this file state may serve another file
  if (names_strangers) service_.names_strangers();
  service_.has_effect();
  service_.notify();
}

[[gnu::always_inline]] inline void file_state::settle_unordered(operation& op) noexcept
{
  lock_.acquire();
  const operation* first = op.previous_ ? unordered_.first : op.following_;
  const bool usual = op.stage_ == operation::stage::submitted && references_ > 1 &&
                     !(first && first->stage_ == operation::stage::waiting);
  if (usual) [[likely]] {
    service_.forget(op);
    remove(op);
  }
  lock_.release();
  if (!usual) settle(op);
}

[[gnu::always_inline]] inline void file_state::settle_submitted(operation& op, lane_kind kind) noexcept
{
  lock_.acquire();
  lane& l = lane_of(kind);
  const bool usual = op.stage_ == operation::stage::submitted && l.first == &op && !op.following_ &&
                     !op.cancelled_ && !closed_ && !unordered_.first;
  if (usual) [[likely]] {
    service_.forget(op);
    l.first = l.last = nullptr;
    --references_;
    op.stage_ = operation::stage::ended;
  }
  lock_.release();
  if (!usual) settle(op);
}

[[gnu::always_inline]] inline bool file_state::begin_send(preference preferred) noexcept
{
  if (!service_.paths().readiness(preferred)) return false;
  lock_.acquire();
  lane& l = out();
  const bool turn = l.ready && !l.first && !l.busy;
  if (turn) l.busy = true;
  lock_.release();
  return turn;
}

[[gnu::always_inline]] inline void file_state::end_send(operation& op, const void* cancellation_key,
                                                        int result) noexcept
{
  service_.work_started();
  op.set_result(result);
  lock_.acquire();
  lane& l = out();
  l.busy = false;
  if (result == -EAGAIN || l.first) return end_send_slowly(op, cancellation_key);
  lock_.release();
  service_.post(op);
}

[[gnu::always_inline]] inline bool file_state::begin_call(operation& op, lane_kind kind) noexcept
{
  lock_.acquire();
  const bool is_over = op.cancelled_ && !op.notifications_; // otherwise settle_attempt() ends it
  if (is_over | (kind == lane_kind::in && kept_.first_to_be_asked()))
    if (ends_without_call(op)) return false;
  lane& l = lane_of(kind);
  l.busy = true;
  l.ready = false; // an event during the call sets it again
  lock_.release();
  return true;
}

[[gnu::always_inline]] inline bool file_state::end_call(operation& op, lane_kind kind, int result, bool more,
                                                        bool retry) noexcept
{
  lock_.acquire();
  lane& l = lane_of(kind);
  l.busy = false;
  if (result == -EAGAIN || retry || op.following_) return end_call_slowly(op, result);
  const bool first_doubt = settle_lane(l, more);
  l.first = l.last = nullptr;
  --references_;
  lock_.release();
  if (first_doubt) [[unlikely]]
    service_.notify();
  op.stage_ = operation::stage::ended;
  op.set_result(result);
  return true;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_FAST_PATHS_HPP
