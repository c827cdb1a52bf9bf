// asio_uring/ring/futex_wait.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FUTEX_WAIT_IPP
#define ASIO_URING_RING_FUTEX_WAIT_IPP

#include <asio_uring/ring/futex_wait.hpp>
#include <asio_uring/ring/process.hpp>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace asio_uring::detail {

// A 32-bit system has a second call for times of 64 bits.
#ifdef SYS_futex_time64
inline constexpr long futex_call = SYS_futex_time64;
#else
inline constexpr long futex_call = SYS_futex;
#endif

ASIO_URING_DECL void interruption::request() noexcept
{
  word_.store(1, std::memory_order_release);
  ::syscall(futex_call, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

ASIO_URING_DECL void make_futex_table() noexcept
{
  static std::atomic<pid_t> last{0};
  if (last.exchange(process::id(), std::memory_order_relaxed) == process::id()) return;
  constexpr int futex_hash = 78, get_slots = 2;             // prctl(2), since Linux 6.16
  if (::prctl(futex_hash, get_slots, 0, 0, 0) != 0) return; // has it, or never will
  const auto nothing = [](void*) -> void* { return nullptr; };
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, nothing, nullptr) == 0) ::pthread_join(thread, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// Calls futex_waitv(2). -EINTR: only `asked` was woken.
ASIO_URING_DECL int wait_for_either(const io_uring_sqe& entry, const interruption& asked) noexcept
{
  constexpr long futex_waitv_call = 449; // in headers, with the structure, since Linux 5.16
  const struct
  {
    std::uint64_t value, address;
    std::uint32_t flags, reserved;
  } words[] = {
      {0, reinterpret_cast<std::uintptr_t>(&asked.word()), futex_size_u32 | futex_private, 0},
      {entry.addr2, entry.addr, static_cast<std::uint32_t>(entry.fd), 0},
  };
  const long woken =
      ::syscall(futex_waitv_call, words, 2, 0, nullptr, 0); // the last of those that were woken
  return woken < 0 ? -errno : woken == 1 ? 0 : -EINTR;
}

/// Calls futex(2), for 10 ms.
ASIO_URING_DECL int wait_for_a_while(const io_uring_sqe& entry) noexcept
{
  constexpr long interval = 10'000'000;
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const bool carry = now.tv_nsec + interval >= 1'000'000'000;
  const __kernel_timespec until{now.tv_sec + carry, now.tv_nsec + interval - carry * 1'000'000'000};
  return ::syscall(futex_call, static_cast<std::uintptr_t>(entry.addr),
                   FUTEX_WAIT_BITSET | (entry.fd & futex_private), static_cast<std::uint32_t>(entry.addr2),
                   &until, nullptr, static_cast<std::uint32_t>(entry.addr3)) < 0
             ? -errno
             : 0;
}

ASIO_URING_DECL int wait_for_futex(const io_uring_sqe& entry, const interruption& asked) noexcept
{
  if ((entry.fd & ~futex_private) != futex_size_u32 || entry.addr2 >> 32 || entry.addr3 >> 32 || entry.len ||
      entry.rw_flags)
    return -EINVAL;
  for (bool waited = false;; waited = true) {
    int result = entry.addr3 == FUTEX_BITSET_MATCH_ANY ? wait_for_either(entry, asked) : -ENOSYS;
    if (result == -ENOSYS || result == -EPERM) result = wait_for_a_while(entry);
    if (result == 0) return 0;
    if (asked.requested()) return -ECANCELED;
    if (result == -EAGAIN) return waited ? 0 : -EAGAIN;
    if (result != -ETIMEDOUT && result != -EINTR) return result;
  }
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_FUTEX_WAIT_IPP
