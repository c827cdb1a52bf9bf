// asio_uring/ring/counter.hpp: a statistics counter without locked instructions.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_COUNTER_HPP
#define ASIO_URING_RING_COUNTER_HPP

#include <atomic>
#include <cstdint>

namespace asio_uring::detail {

/// A counter that any thread may read at any time.
class counter
{
public:
  counter() = default;
  counter(const counter& other) noexcept : value_(other.get()) {}
  counter& operator=(const counter& other) noexcept
  {
    value_.store(other.get(), std::memory_order_relaxed);
    return *this;
  }

  /// Adds n without a locked instruction. One thread at a time: concurrent calls may lose counts.
  void add(std::uint64_t n) noexcept { value_.store(get() + n, std::memory_order_relaxed); }
  /// Adds one. Any thread.
  void count() noexcept { value_.fetch_add(1, std::memory_order_relaxed); }
  void raise_to(std::uint64_t n) noexcept
  {
    if (n > get()) value_.store(n, std::memory_order_relaxed);
  }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t> value_{0};
};

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_COUNTER_HPP
