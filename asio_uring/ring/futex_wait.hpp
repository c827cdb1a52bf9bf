// asio_uring/ring/futex_wait.hpp: waits for a futex in a thread, until another thread ends that.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FUTEX_WAIT_HPP
#define ASIO_URING_RING_FUTEX_WAIT_HPP

#include <asio_uring/ring/config.hpp>
#include <asio_uring/ring/uapi.hpp>
#include <atomic>
#include <cstdint>

namespace asio_uring::detail {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) &&
                  std::atomic<std::uint32_t>::is_always_lock_free,
              "asio_uring: the kernel looks at a std::atomic<std::uint32_t> as at a 32-bit word");

/// FUTEX2_SIZE_U32 and FUTEX2_PRIVATE, the flags of a futex; in headers since Linux 6.7.
inline constexpr int futex_size_u32 = 2, futex_private = 128;

/// The request that a call, which waits in a thread, should end.
class interruption
{
public:
  /// For the next call. No thread is in a call.
  void reset() noexcept { word_.store(0, std::memory_order_relaxed); }
  /// Any thread.
  ASIO_URING_DECL void request() noexcept;
  bool requested() const noexcept { return word_.load(std::memory_order_acquire); }
  /// A private futex: 0 until the request.
  const std::atomic<std::uint32_t>& word() const noexcept { return word_; }

private:
  std::atomic<std::uint32_t> word_{0};
};

/// Gives the process a table of private futexes of its own, if the kernel has such.
/**
 * It does since Linux 6.16, and gives a process its table with its second thread. What a ring waits for
 * before that stays in the table of the system, where no FUTEX_WAKE_PRIVATE finds it any longer (seen with
 * 6.18). So a process that never had a second thread gets one, which ends at once.
 */
ASIO_URING_DECL void make_futex_table() noexcept;

/// To be called before the kernel's ring takes an entry.
inline void make_futex_table_for(const io_uring_sqe& entry) noexcept
{
  if (entry.opcode == opcode::futex_wait || entry.opcode == opcode::futex_waitv) [[unlikely]]
    make_futex_table();
}

/// Performs FUTEX_WAIT like the kernel's ring, in the calling thread. Returns 0 or a negative errno:
/// -ECANCELED if it was interrupted.
/**
 * It waits for both words by futex_waitv(2) (Linux 5.16), which tells who has woken it. If both have, that is
 * the entry's: a wake-up is never taken and not told. Where that call is missing, and with a bitset, which
 * it lacks, the thread looks for an interruption every 10 ms. In between it does not wait for a moment; then
 * a changed word stands for the wake-up.
 */
ASIO_URING_DECL int wait_for_futex(const io_uring_sqe& entry, const interruption& asked) noexcept;

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/futex_wait.ipp>
#endif

#endif // ASIO_URING_RING_FUTEX_WAIT_HPP
