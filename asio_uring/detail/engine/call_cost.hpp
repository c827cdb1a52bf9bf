// asio_uring/detail/engine/call_cost.hpp: what a system call costs here.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_CALL_COST_HPP
#define ASIO_URING_DETAIL_ENGINE_CALL_COST_HPP

#include <algorithm>
#include <chrono>
#include <sys/syscall.h>
#include <unistd.h>

namespace asio_uring::detail {

/// The time that the cheapest of calls takes, measured once for the process: in some ten microseconds, or
/// some hundred where it is dear.
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

/// Whether what calls save in instructions they lose.
inline bool call_is_dear() noexcept { return call_cost() > std::chrono::nanoseconds(400); }

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_CALL_COST_HPP
