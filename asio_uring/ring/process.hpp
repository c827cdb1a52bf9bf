// asio_uring/ring/process.hpp: the id of this process, without a system call.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_PROCESS_HPP
#define ASIO_URING_RING_PROCESS_HPP

#include <atomic>
#include <cstddef>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace asio_uring::detail {

/// Returns the id of this process from memory that the kernel clears in a forked child, however it was forked
/// (MADV_WIPEONFORK, Linux 4.14).
class process
{
public:
  [[gnu::always_inline]] static pid_t id() noexcept
  {
    const std::atomic<pid_t>* const here = id_.load(std::memory_order_acquire);
    const pid_t known = here ? here->load(std::memory_order_relaxed) : 0;
    return known != 0 ? known : ask();
  }

private:
  [[gnu::noinline, gnu::cold]] static pid_t ask() noexcept
  {
    std::atomic<pid_t>* here = id_.load(std::memory_order_acquire);
    if (!here) {
      constexpr std::size_t size = 4096;
      void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      const bool wiped = memory != MAP_FAILED && ::madvise(memory, size, MADV_WIPEONFORK) == 0;
      auto* const mine = wiped ? new (memory) std::atomic<pid_t>(0) : &fallback_;
      if (id_.compare_exchange_strong(here, mine, std::memory_order_acq_rel))
        here = mine;
      else if (wiped)
        ::munmap(memory, size); // another thread was first
    }
    const pid_t known = ::getpid();
    here->store(known, std::memory_order_relaxed);
    return known;
  }

  inline static constinit std::atomic<std::atomic<pid_t>*> id_{nullptr};
  // Without such memory, a child is mistaken for its parent unless it calls notify_fork.
  inline static constinit std::atomic<pid_t> fallback_{0};
};
} // namespace asio_uring::detail

#endif // ASIO_URING_RING_PROCESS_HPP
