// asio_uring/detail/engine/deadlines.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_DEADLINES_IPP
#define ASIO_URING_DETAIL_ENGINE_DEADLINES_IPP

#include <algorithm>
#include <asio_uring/detail/engine/deadlines.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <cassert>
#include <utility>

namespace asio_uring::detail {

// --- one

// Runs in the loop when its time has come. It was not counted as work, so that is made up for here.
ASIO_URING_DECL void deadline::do_complete(void* owner, completion* base, const error_code&, std::size_t)
{
  auto& self = *static_cast<deadline*>(base);
  if (!owner) return self.emit(false);
  static_cast<scheduler*>(owner)->compensating_work_started();
  locked guard(self.all_.lock_);
  const std::unique_ptr<executor> ex = self.held_ ? std::move(self.executor_) : nullptr;
  guard.unlock();
  if (ex)
    ex->dispatch(self);
  else
    self.emit(true);
}

ASIO_URING_DECL void deadline::emit(bool runs) noexcept
{
  locked guard(all_.lock_);
  if (held_ && runs) {
    guard.unlock();
    signal_.emit(asio::cancellation_type::terminal); // may end the operation, which gives back
    guard.relock();
  }
  due_ = false;
  if (!held_) all_.recycle(*this, guard);
}

ASIO_URING_DECL bool deadline::give_back() noexcept
{
  locked guard(all_.lock_);
  assert(held_);
  const bool expired = expired_;
  if (waits()) all_.wheel_.remove(*this);
  held_ = false;
  holder_.store(holder() + 1, std::memory_order_relaxed);
  if (!due_) all_.recycle(*this, guard);
  return expired;
}

// --- all

/// Milliseconds since the clock's epoch.
ASIO_URING_DECL timing_wheel::tick_type deadlines::ticks_until(clock::time_point t) noexcept
{
  const auto since = std::chrono::floor<std::chrono::milliseconds>(t.time_since_epoch()).count();
  return static_cast<timing_wheel::tick_type>(std::max<decltype(since)>(since, 0));
}

ASIO_URING_DECL deadlines::deadlines(ring_service& service)
    : request(functions()), service_(service), wheel_(ticks_until(clock::now()))
{}

ASIO_URING_DECL const request::type& deadlines::functions() noexcept
{
  static constexpr request::type type = {[](request& r, io_uring_sqe& sqe) noexcept {
                                           io_uring_prep_timeout(
                                               &sqe, &static_cast<deadlines&>(r).until_then_, 0, 0);
                                         },
                                         [](request& r, int, unsigned, completion_queue& out) noexcept {
                                           static_cast<deadlines&>(r).expire(out);
                                         }};
  return type;
}

ASIO_URING_DECL held_deadline deadlines::take(std::unique_ptr<deadline::executor> ex)
{
  const locked guard(lock_);
  if (!free_) {
    made_.push_back(std::make_unique<deadline>(*this));
    free_ = made_.back().get();
  }
  deadline& d = *std::exchange(free_, free_->next_free_);
  d.executor_ = std::move(ex);
  d.held_ = true;
  d.expired_ = false;
  ++in_use_;
  return held_deadline(&d);
}

ASIO_URING_DECL void deadlines::start(deadline& d, unsigned holder, clock::time_point at) noexcept
{
  {
    const locked guard(lock_);
    if (d.holder() != holder || abandoned_) return;
    // Round up to the next millisecond: no operation is cancelled before its time.
    const timing_wheel::tick_type tick = ticks_until(at) + 1;
    wheel_.insert(d, tick);
    if (tick >= armed_at_.load(std::memory_order_relaxed)) return;
    if (armed()) {
      armed_at_.store(tick, std::memory_order_relaxed); // expire() arms it again
      service_.cancel(*this);
    } else
      arm();
  }
  service_.notify();
}

ASIO_URING_DECL void deadlines::recycle(deadline& d, locked& guard) noexcept
{
  d.executor_.reset();
  d.next_free_ = std::exchange(free_, &d);
  if (--in_use_ || !abandoned_) return;
  guard.unlock();
  delete this;
}

ASIO_URING_DECL void deadlines::abandon() noexcept
{
  {
    const locked guard(lock_);
    abandoned_ = true;
    if (in_use_) return;
  }
  delete this;
}

// Handles the timer's completion: it has expired, or was cancelled to be set to an earlier time.
ASIO_URING_DECL void deadlines::expire(completion_queue& out) noexcept
{
  const locked guard(lock_);
  wheel_.advance(ticks_until(clock::now()), [&](timing_wheel::entry& e) {
    auto& d = static_cast<deadline&>(e);
    d.due_ = d.expired_ = true;
    out.push(&d);
  });
  armed_at_.store(timing_wheel::never, std::memory_order_relaxed);
  if (!service_.stopped()) arm();
}

ASIO_URING_DECL void deadlines::arm() noexcept
{
  const timing_wheel::tick_type next = wheel_.next();
  armed_at_.store(next, std::memory_order_relaxed);
  if (next == timing_wheel::never) return;
  const clock::time_point at{std::chrono::milliseconds(next)};
  const auto left = std::max<clock::duration>(at - clock::now(), clock::duration(1));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  until_then_ = {seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
  service_.push(*this);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_DEADLINES_IPP
