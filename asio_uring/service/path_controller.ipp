// asio_uring/service/path_controller.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_PATH_CONTROLLER_IPP
#define ASIO_URING_SERVICE_PATH_CONTROLLER_IPP

#include <asio_uring/service/path_controller.hpp>

namespace asio_uring::detail {

ASIO_URING_DECL void path_controller::ended(unsigned operations, duration processor_time, duration now) noexcept
{
  const double cost = static_cast<double>(processor_time.count()) / std::max(operations, 1U);
  switch (phase_) {
  case phase::use:
    if (processor_time < shortest_epoch)
      epoch_ = std::min(epoch_ * 2, most);
    else if (processor_time > longest_epoch)
      epoch_ = std::max(epoch_ / 2, fewest);
    look_for_change(cost);
    before_ = cost;
    return try_next(now);
  case phase::change:
    phase_ = phase::trial;
    return;
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

/// The load is another: what lost may win.
ASIO_URING_DECL void path_controller::look_for_change(double cost) noexcept
{
  if (usual_ > 0 && (cost > usual_ * 1.4 || cost < usual_ / 1.4)) {
    for (other& o : others_)
      o = {};
    usual_ = cost;
  } else
    usual_ = usual_ > 0 ? usual_ + (cost - usual_) / 16 : cost;
}

ASIO_URING_DECL void path_controller::try_next(duration now) noexcept
{
  strategy due = used_;
  for (unsigned i = 0; i < strategies; ++i) {
    const auto s = static_cast<strategy>(i);
    if (s != used_ && of(s).next <= now && (due == used_ || of(s).next < of(due).next)) due = s;
  }
  if (due == used_) return;
  ++trials_;
  now_ = tried_ = due;
  phase_ = phase::change;
}

ASIO_URING_DECL void path_controller::judge(double after, duration now) noexcept
{
  other& o = of(tried_);
  const double ratio = 2 * during_ / std::max(before_ + after, 1.0);
  constexpr unsigned remembered = 8;
  o.samples = std::min(o.samples + 1, remembered);
  o.ratio += (ratio - o.ratio) / o.samples;
  constexpr unsigned enough = 3;
  constexpr double clearly = 0.85, better = 0.985;
  if ((o.samples >= enough && o.ratio < better) || (o.samples >= 2 && o.ratio < clearly)) return use(tried_);
  // What is hardly worse is asked again soon, and then ever more rarely.
  if (o.samples >= enough || o.ratio > 1.25) o.pause = std::min(o.pause * 2, longest_pause);
  o.next = now + o.pause;
}

ASIO_URING_DECL void path_controller::use(strategy s) noexcept
{
  ++switches_;
  used_ = now_ = s;
  usual_ = 0;
  for (other& o : others_)
    o = {};
}

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_PATH_CONTROLLER_IPP
