// asio_uring/detail/engine/runner_threads.hpp: the threads that run a context, and the processor time that
// they have used.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RUNNER_THREADS_HPP
#define ASIO_URING_DETAIL_ENGINE_RUNNER_THREADS_HPP

#include <atomic>
#include <chrono>
#include <ctime>
#include <optional>
#include <sys/types.h>
#include <utility>

namespace asio_uring::detail {

/// What is known of the thread that ran a context last: `gone` if it is the calling one, or has exited.
enum class runner : unsigned char
{
  unknown,
  gone,
  alive
};

/// Adds up the times of the threads, because those are exact: a process's time, while its threads run, is
/// exact only to the kernel's tick.
class runner_threads
{
public:
  /// Adds a thread, unless it is known. Called by any thread.
  void add(pid_t thread) noexcept
  {
    for (auto& t : threads_) {
      pid_t found = t.load(std::memory_order_relaxed);
      if (found == 0 && t.compare_exchange_strong(found, thread, std::memory_order_relaxed)) return;
      if (found == thread) return;
    }
    more_.store(true, std::memory_order_relaxed);
  }

  /// Returns the processor time of all threads that were added. Nothing if the number of living ones has
  /// changed, because then it cannot be compared with the time before. With too many threads, that of the
  /// process.
  std::optional<std::chrono::nanoseconds> processor_time() noexcept
  {
    if (more_.load(std::memory_order_relaxed)) return read(CLOCK_PROCESS_CPUTIME_ID);
    std::chrono::nanoseconds sum{0};
    unsigned count = 0;
    for (auto& t : threads_) {
      const pid_t thread = t.load(std::memory_order_relaxed);
      if (thread == 0) continue;
      if (const auto time = read(clock_of(thread))) {
        sum += *time;
        ++count;
      } else
        t.store(0, std::memory_order_relaxed);
    }
    if (std::exchange(count_, count) != count) return std::nullopt;
    return sum;
  }

  static std::optional<std::chrono::nanoseconds> time_of_this() noexcept
  {
    return read(CLOCK_THREAD_CPUTIME_ID);
  }

private:
  static std::optional<std::chrono::nanoseconds> read(clockid_t clock) noexcept
  {
    timespec t{};
    if (::clock_gettime(clock, &t) != 0) return std::nullopt;
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
  }
  /// Makes the clock's number as pthread_getcpuclockid(3) does.
  static clockid_t clock_of(pid_t thread) noexcept
  {
    constexpr unsigned thread_and_scheduler = 4 | 2;
    return static_cast<clockid_t>(~static_cast<unsigned>(thread) << 3 | thread_and_scheduler);
  }

  std::atomic<pid_t> threads_[16] = {};
  std::atomic<bool> more_{false}; // more threads than there is room for
  unsigned count_ = 0;            // living threads at the last processor_time()
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_RUNNER_THREADS_HPP
