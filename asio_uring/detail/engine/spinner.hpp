// asio_uring/detail/engine/spinner.hpp: looks for completions for a while before the thread sleeps.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SPINNER_HPP
#define ASIO_URING_DETAIL_ENGINE_SPINNER_HPP

#include <algorithm>
#include <chrono>

namespace asio_uring::detail {

/// Looks again and again until a time limit. The more often it finds nothing in a row, the more rarely it is
/// tried.
class spinner
{
public:
  using duration = std::chrono::nanoseconds;

  explicit spinner(duration limit) noexcept : limit_(limit) {}

  bool wanted() noexcept
  {
    if (limit_.count() <= 0) [[likely]]
      return false;
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }
  /// Calls there() until it returns true; false if the time is over first. Sets `spent` to the time it took.
  template <typename There>
  bool spin(duration at_most, There&& there, duration& spent) noexcept
  {
    const auto begin = clock::now();
    const duration limit = std::min(limit_, at_most);
    bool found = false;
    do {
      constexpr int looks = 16; // per reading of the clock
      for (int i = 0; i < looks && !found; ++i) {
        relax();
        found = there();
      }
      spent = clock::now() - begin;
    } while (!found && spent < limit);
    learn(found);
    return found;
  }

private:
  using clock = std::chrono::steady_clock;
  static void relax() noexcept
  {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  void learn(bool found) noexcept
  {
    constexpr unsigned patience = 4, most = 6;
    misses_ = found ? 0 : std::min(misses_ + 1, patience + most);
    skip_ = misses_ > patience ? 1U << (misses_ - patience) : 0;
  }

  const duration limit_;
  unsigned misses_ = 0; // spins in a row that found nothing
  unsigned skip_ = 0;   // the next sleeps before which it does not spin
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SPINNER_HPP
