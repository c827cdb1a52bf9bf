// asio_uring/detail/engine/record_memory.hpp: memory for the records of a context's operations.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RECORD_MEMORY_HPP
#define ASIO_URING_DETAIL_ENGINE_RECORD_MEMORY_HPP

#include <asio_uring/detail/engine/lock.hpp>
#include <asio_uring/ring/config.hpp>
#include <asio_uring/ring/one_thread.hpp>
#include <atomic>
#include <cstddef>
#include <iterator>
#include <new>

namespace asio_uring::detail {

/// What one operation has given back the next one takes, of whatever file: so the usual operation allocates
/// nothing, and a file holds memory for what it waits for alone.
/**
 * Each size that malloc has is kept apart, so nothing is lost to rounding. Two blocks for each file that was
 * open at a time are kept, and some more; the others are freed when the loop has nothing to do. Any thread
 * takes and gives back.
 */
class record_memory
{
public:
  explicit record_memory(bool locking) noexcept : lock_(locking) {}
  record_memory(const record_memory&) = delete;
  record_memory& operator=(const record_memory&) = delete;
  ~record_memory() { free_more_than(0); }

  /// Larger ones are not kept: enough for the read of a composed operation in a coroutine.
  static constexpr std::size_t largest = 376;

  /// One more file may be open at a time: its usual read and write find memory.
  void add_file() noexcept { usual_.fetch_add(2, std::memory_order_relaxed); }

  /// Throws std::bad_alloc.
  template <std::size_t Size>
  [[gnu::always_inline]] void* take()
  {
    if (one_thread()) [[likely]]
      if (void* const memory = pop(place_of(Size))) [[likely]]
        return memory;
    return take_slowly(place_of(Size));
  }
  template <std::size_t Size>
  [[gnu::always_inline]] void give_back(void* memory) noexcept
  {
    if (one_thread()) [[likely]]
      push(place_of(Size), memory);
    else
      give_back_slowly(place_of(Size), memory);
  }

  bool has_too_much() const noexcept
  {
    return made_.load(std::memory_order_relaxed) > usual_.load(std::memory_order_relaxed);
  }
  ASIO_URING_COLD void trim() noexcept { free_more_than(usual_.load(std::memory_order_relaxed)); }

private:
  struct block
  {
    block* next;
  };

  // Of malloc's blocks 8 bytes are its own.
  static constexpr std::size_t step = 16, lost = 8;
  static constexpr std::size_t place_of(std::size_t size) noexcept { return (size + lost - 1) / step; }

  [[gnu::always_inline]] void* pop(std::size_t place) noexcept
  {
    block* const first = free_[place];
    if (first) [[likely]]
      free_[place] = first->next;
    return first;
  }
  [[gnu::always_inline]] void push(std::size_t place, void* memory) noexcept
  {
    free_[place] = new (memory) block{free_[place]};
  }
  [[gnu::noinline]] void* take_slowly(std::size_t place)
  {
    {
      const locked guard(lock_);
      if (void* const memory = pop(place)) return memory;
    }
    void* const memory = ::operator new((place + 1) * step - lost);
    made_.fetch_add(1, std::memory_order_relaxed);
    return memory;
  }
  [[gnu::noinline]] void give_back_slowly(std::size_t place, void* memory) noexcept
  {
    const locked guard(lock_);
    push(place, memory);
  }
  void free_more_than(std::size_t count) noexcept
  {
    const locked guard(lock_);
    for (std::size_t place = 0; place < std::size(free_); ++place)
      while (made_.load(std::memory_order_relaxed) > count) {
        void* const memory = pop(place);
        if (!memory) break;
        ::operator delete(memory);
        made_.fetch_sub(1, std::memory_order_relaxed);
      }
  }

  lock lock_;
  std::atomic<std::size_t> made_{0}, usual_{1024};
  block* free_[largest / step + 1] = {};
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_RECORD_MEMORY_HPP
