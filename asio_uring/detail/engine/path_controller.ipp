// asio_uring/detail/engine/path_controller.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_IPP
#define ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_IPP

#include <asio_uring/detail/engine/path_controller.hpp>
#include <cassert>
#include <cmath>

namespace asio_uring::detail {

ASIO_URING_DECL void path_controller::ended(unsigned operations, duration processor_time,
                                            duration now) noexcept
{
  assert(tries() ? now_ == tried_ && tried_ != used_ : now_ == used_);
  const double cost = static_cast<double>(processor_time.count()) / std::max(operations, 1U);
  if (phase_ != phase::use) excess_ += static_cast<double>(processor_time.count()) - before_ * operations;
  switch (phase_) {
  case phase::use:
    if (processor_time < shortest_epoch)
      epoch_ = std::min(epoch_ * 2, most);
    else if (processor_time > longest_epoch)
      epoch_ = std::max(epoch_ / 2, fewest);
    ++epochs_;
    look_for_change(cost, now);
    before_ = cost;
    return try_next(now);
  case phase::change:
    phase_ = phase::probe;
    return;
  case phase::probe:
    during_ = cost;
    phase_ = cost > much_worse * before_ ? phase::give_up : phase::trial;
    if (phase_ == phase::give_up) now_ = used_;
    return;
  case phase::give_up:
    phase_ = phase::use;
    return judge(before_, now);
  case phase::trial:
    during_ = cost;
    phase_ = phase::change_back;
    now_ = used_;
    return;
  case phase::change_back:
    phase_ = phase::compare;
    return;
  case phase::compare:
    phase_ = phase::use;
    judge(cost, now);
    before_ = cost;
  }
}

/// If several epochs in a row cost more than usual, or less, the load has changed: a strategy that lost may
/// win then.
ASIO_URING_DECL void path_controller::look_for_change(double cost, duration now) noexcept
{
  constexpr int enough = 3;
  constexpr double much = 0.08, spreads = 3;
  if (usual_ == 0) usual_ = cost;
  const double difference = cost - usual_;
  const bool unusual = std::abs(difference) > std::max(much * usual_, spreads * spread_);
  if (unusual) {
    unusual_ = difference > 0 ? std::max(unusual_, 0) + 1 : std::min(unusual_, 0) - 1;
    if (std::abs(unusual_) == enough) return load_changed(now);
  } else
    usual_ += difference / 16;
  // What was unusual counts as noise only once it has passed.
  if (!unusual || std::abs(unusual_) == 1) spread_ += (std::abs(last_difference_) - spread_) / 16;
  if (!unusual) unusual_ = 0;
  last_difference_ = difference;
}

// Where costs change all the time, as they do when the system moves threads about, the trials that each
// change begins would cost more than they gain. So the rest from them gets longer, but none is put off.
ASIO_URING_DECL void path_controller::load_changed(duration now) noexcept
{
  constexpr duration steady = std::chrono::seconds(1);
  constexpr unsigned remembered = 2;
  rest_ = now - changed_ < steady ? std::clamp(2 * rest_, shortest_pause, longest_rest) : duration{0};
  changed_ = now;
  forget_costs();
  for (other& o : others_)
    o = {.ratio = o.ratio,
         .samples = std::min(o.samples, remembered),
         .of_another_load = true,
         .next = std::min(o.next, now + rest_)};
}

ASIO_URING_DECL void path_controller::try_next(duration now) noexcept
{
  // With many sockets a trial takes long, and each socket changes over twice: use the first guess for some
  // time before.
  constexpr unsigned long_time = 16;
  if (turnover_ > epoch_ && epochs_ < long_time) return;
  strategy due = used_;
  for (unsigned i = 0; i < strategies; ++i) {
    const auto s = static_cast<strategy>(i);
    if (s != used_ && of(s).next <= now && (due == used_ || of(s).next < of(due).next)) due = s;
  }
  if (due == used_) return;
  excess_ = 0;
  now_ = tried_ = due;
  phase_ = phase::change;
}

ASIO_URING_DECL void path_controller::judge(double after, duration now) noexcept
{
  other& o = of(tried_);
  const double ratio = 2 * during_ / std::max(before_ + after, 1.0);
  constexpr unsigned remembered = 8, enough = 3;
  constexpr double better = 0.985, clearly_better = 0.85, worse = 1.1;
  const bool outdated =
      (ratio < 0.9 && o.ratio > 1) || (o.of_another_load && std::abs(ratio - o.ratio) > 0.2 * o.ratio);
  if (o.samples > 0 && outdated) o = {};
  o.of_another_load = false;
  o.samples = std::min(o.samples + 1, remembered);
  o.ratio += (ratio - o.ratio) / o.samples;
  if ((o.samples >= enough && o.ratio < better) || (o.samples >= 2 && o.ratio < clearly_better))
    return use(tried_);
  // The more time a trial has cost, the longer the pause before the next. With few sockets a trial is
  // short: if it cost much, that was some handler's doing, which says nothing of the strategy.
  constexpr double pause_per_excess = 512;
  auto deserved = std::chrono::duration_cast<duration>(
      std::chrono::duration<double, std::nano>(pause_per_excess * std::max(excess_, 0.0)));
  if (turnover_ <= epoch_) deserved = std::min(deserved, longest_pause);
  const duration longest = o.ratio > worse ? longest_pause : longest_pause_if_close;
  if (o.samples >= enough || o.ratio > worse)
    o.pause = std::min(o.pause * (o.ratio > much_worse ? 4 : 2), longest);
  if (o.ratio > worse || turnover_ > epoch_) o.pause = std::max(o.pause, deserved); // else it may be noise
  o.next = now + o.pause;
}

ASIO_URING_DECL void path_controller::use(strategy s) noexcept
{
  used_ = now_ = s;
  epochs_ = 0;
  forget_costs();
  for (other& o : others_)
    o = {};
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_IPP
