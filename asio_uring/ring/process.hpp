// asio_uring/ring/process.hpp: which process this is, without a system call.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_PROCESS_HPP
#define ASIO_URING_RING_PROCESS_HPP

#include <asio_uring/config.hpp>
#include <atomic>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace asio_uring::detail {

/// A number that a process has for itself: its id, read from memory that the kernel empties in a forked
/// child, however that was forked (MADV_WIPEONFORK, Linux 4.14).
class process
{
public:
  static pid_t id() noexcept
  {
    static process here;
    pid_t known = here.id_->load(std::memory_order_relaxed);
    if (known == 0) [[unlikely]] {
      known = ::getpid();
      here.id_->store(known, std::memory_order_relaxed);
    }
    return known;
  }

private:
  process() noexcept
  {
    void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool wiped = memory != MAP_FAILED && ::madvise(memory, 4096, MADV_WIPEONFORK) == 0;
    // Without such memory a child takes itself for its parent, unless it says notify_fork.
    id_ = new (wiped ? memory : fallback_) std::atomic<pid_t>(0);
  }

  std::atomic<pid_t>* id_;
  alignas(std::atomic<pid_t>) unsigned char fallback_[sizeof(std::atomic<pid_t>)];
};

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_PROCESS_HPP
