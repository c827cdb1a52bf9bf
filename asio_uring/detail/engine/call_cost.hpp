// asio_uring/detail/engine/call_cost.hpp: measures what a system call costs.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_CALL_COST_HPP
#define ASIO_URING_DETAIL_ENGINE_CALL_COST_HPP

#include <algorithm>
#include <chrono>
#include <sys/syscall.h>
#include <unistd.h>

namespace asio_uring::detail {

/// Returns the time of a cheap system call. It is measured once in the process, which takes about ten
/// microseconds, or a hundred if calls are expensive.
inline std::chrono::nanoseconds call_cost() noexcept
{
  static const std::chrono::nanoseconds cost = [] {
    using clock = std::chrono::steady_clock;
    constexpr int calls = 16, tries = 8;
    auto best = clock::duration::max();
    for (int i = 0; i < tries; ++i) {
      const auto before = clock::now();
      for (int n = 0; n < calls; ++n)
        ::syscall(SYS_getppid);
      best = std::min(best, clock::now() - before);
    }
    return std::chrono::duration_cast<std::chrono::nanoseconds>(best) / calls;
  }();
  return cost;
}

/// Whether calls are so expensive that the readiness path loses more by them than it saves in instructions.
inline bool call_is_dear() noexcept { return call_cost() > std::chrono::nanoseconds(400); }

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_CALL_COST_HPP
