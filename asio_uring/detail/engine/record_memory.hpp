// asio_uring/detail/engine/record_memory.hpp: memory for the record of a usual operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RECORD_MEMORY_HPP
#define ASIO_URING_DETAIL_ENGINE_RECORD_MEMORY_HPP

#include <atomic>
#include <cstddef>

namespace asio_uring::detail {

/// Taken by one thread at a time, given back by any.
class record_memory
{
public:
  /// Null if it is taken, or too small.
  void* take(std::size_t size) noexcept
  {
    if (size > sizeof(bytes_) || taken_.load(std::memory_order_acquire)) return nullptr;
    taken_.store(true, std::memory_order_relaxed);
    return bytes_;
  }
  /// False: it came from elsewhere.
  bool give_back(void* record) noexcept
  {
    if (record != bytes_) return false;
    taken_.store(false, std::memory_order_release);
    return true;
  }

private:
  // Enough for the read of a composed operation in a coroutine.
  static constexpr std::size_t usual_size = 368;

  std::atomic<bool> taken_{false};
  alignas(std::max_align_t) std::byte bytes_[usual_size];
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_RECORD_MEMORY_HPP
