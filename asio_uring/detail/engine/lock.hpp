// asio_uring/detail/engine/lock.hpp: a lock for a handful of instructions.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_LOCK_HPP
#define ASIO_URING_DETAIL_ENGINE_LOCK_HPP

#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/ring/one_thread.hpp>
#include <atomic>

namespace asio_uring::detail {

/// Guards pointer and counter updates only, never a system call or an upcall; off when the context asks for
/// no locks. One atomic exchange in and a plain store out, a third of an uncontended pthread mutex.
class lock
{
public:
  explicit lock(bool enabled) noexcept : enabled_(enabled) {}

  [[gnu::always_inline]] void acquire() noexcept
  {
    if (!enabled_) return;
    if (one_thread())
      held_.store(true, std::memory_order_relaxed);
    else if (held_.exchange(true, std::memory_order_acquire)) [[unlikely]]
      wait();
  }
  [[gnu::always_inline]] bool try_acquire() noexcept
  {
    return !enabled_ || !held_.exchange(true, std::memory_order_acquire);
  }
  [[gnu::always_inline]] void release() noexcept
  {
    if (enabled_) [[likely]]
      held_.store(false, std::memory_order_release);
  }

private:
  [[gnu::noinline, gnu::cold]] void wait() noexcept
  {
    constexpr unsigned spins = 64;
    for (unsigned times = 0; held_.exchange(true, std::memory_order_acquire); ++times)
      if (times >= spins) pause(times - spins); // the holder was preempted
  }

  std::atomic<bool> held_{false};
  const bool enabled_;
};

/// Holds a lock for a scope; can be opened and closed within it.
class locked
{
public:
  [[gnu::always_inline]] explicit locked(lock& l) noexcept : lock_(l) { lock_.acquire(); }
  [[gnu::always_inline]] ~locked()
  {
    if (owns_) lock_.release();
  }
  locked(const locked&) = delete;
  locked& operator=(const locked&) = delete;

  void unlock() noexcept
  {
    owns_ = false;
    lock_.release();
  }
  void relock() noexcept
  {
    lock_.acquire();
    owns_ = true;
  }

private:
  lock& lock_;
  bool owns_ = true;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_LOCK_HPP
