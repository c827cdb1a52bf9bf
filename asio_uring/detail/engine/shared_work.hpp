// asio_uring/detail/engine/shared_work.hpp: many operations as one piece of the scheduler's work.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SHARED_WORK_HPP
#define ASIO_URING_DETAIL_ENGINE_SHARED_WORK_HPP

#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/ring/one_thread.hpp>
#include <atomic>

namespace asio_uring::detail {

/// Counts operations, and their handlers as long as they run: while there are any, the scheduler has one
/// piece of work, whose own count is a locked instruction at each start and each end.
class shared_work
{
public:
  [[gnu::always_inline]] void started(scheduler& s) noexcept
  {
    if (!count_another()) count_first(s);
  }
  /// To be called when a handler has returned, within the scheduler's upcall.
  [[gnu::always_inline]] void finished(scheduler& s) noexcept
  {
    if (count_ended() != 0) s.compensating_work_started(); // which takes one off when we return
  }

private:
  /// False: there was none before, and nothing is counted.
  [[gnu::always_inline]] bool count_another() noexcept
  {
    long before = operations_.load(std::memory_order_relaxed);
    if (one_thread() && before != 0) {
      operations_.store(before + 1, std::memory_order_relaxed);
      return true;
    }
    while (before != 0)
      if (operations_.compare_exchange_weak(before, before + 1, std::memory_order_acq_rel)) return true;
    return false;
  }
  /// The scheduler's work comes first: whoever counts on another's operation finds it there.
  [[gnu::noinline]] void count_first(scheduler& s) noexcept
  {
    s.work_started();
    if (operations_.fetch_add(1, std::memory_order_acq_rel) != 0)
      s.work_finished(); // another thread was first
  }
  /// Returns how many are left.
  [[gnu::always_inline]] long count_ended() noexcept
  {
    if (!one_thread()) return operations_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    const long left = operations_.load(std::memory_order_relaxed) - 1;
    operations_.store(left, std::memory_order_relaxed);
    return left;
  }

  std::atomic<long> operations_{0}; // started, their handlers not yet returned
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SHARED_WORK_HPP
