// asio_uring/ring/ring.hpp: one io_uring, owned. Usable alone, without Asio.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_RING_HPP
#define ASIO_URING_RING_RING_HPP

#include <asio_uring/config.hpp>
#include <asio_uring/ring/emulated_kernel.hpp>
#include <asio_uring/ring/features.hpp>
#include <asio_uring/ring/one_thread.hpp>
#include <atomic>
#include <chrono>
#include <memory>
#include <system_error>

namespace asio_uring {

/// Sizes and limits of a ring.
struct ring_parameters
{
  unsigned entries = 256; ///< submission queue entries, 1 to 32768; the kernel rounds up to a power of two
  unsigned completions = 4096; ///< completion queue entries, at least 2 * entries
  linux_version newest = {};   ///< nothing is used that came after this version
};

/// RAII over one io_uring: set-up that degrades flag by flag, submission entries, enter, completions.
/**
 * Thread safety: one thread at a time fills entries, one thread at a time consumes completions; enter() may
 * be called by any thread at any time (no IORING_SETUP_SINGLE_ISSUER). Since Linux 5.11.
 */
class ring
{
public:
  /// Sets up a ring. Throws std::system_error: EPERM (forbidden), ENOSYS (no io_uring), ENOMEM, EMFILE, and
  /// ENOSYS where the kernel lacks FAST_POLL, NODROP or EXT_ARG (before 5.11).
  ASIO_URING_DECL explicit ring(const ring_parameters& parameters = {});
  /// A ring whose entries are performed by a stand-in for the kernel.
  ASIO_URING_DECL explicit ring(std::unique_ptr<emulated_kernel> emulation) noexcept;
  ASIO_URING_DECL ~ring();
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;

  /// Readable while there are completions.
  int fd() const noexcept { return emulation_ ? emulation_->fd() : ring_.ring_fd; }
  unsigned entries() const noexcept { return ring_.sq.ring_entries; }
  unsigned completions() const noexcept { return ring_.cq.ring_entries; }
  const asio_uring::features& features() const noexcept { return features_; }

  /// The next free submission entry, or the one that many `ahead` of it; null when the queue has no room for
  /// it. Contents are unspecified.
  io_uring_sqe* next_entry(unsigned ahead = 0) noexcept
  {
    const unsigned position = tail_ + ahead;
    if (position - kernel(ring_.sq.khead).load(std::memory_order_acquire) >= entries()) return nullptr;
    return &ring_.sq.sqes[position & ring_.sq.ring_mask];
  }

  /// Makes the next entry, or the next few at once, visible to the kernel; enter() submits them.
  void publish(unsigned count = 1) noexcept
  {
    tail_ += count;
    const auto ktail = kernel(ring_.sq.ktail);
    if (detail::one_thread())
      ktail.store(tail_, std::memory_order_release);
    else
      ktail.store(tail_, std::memory_order_seq_cst);
  }

  /// From the next call on, no function here takes only some of the entries that were published at once. Two
  /// threads may enter at a time: the kernel ends a chain of linked entries where a submission ends.
  void keep_whole() noexcept { whole_.store(true, std::memory_order_seq_cst); }

  /// Published entries that no enter() has taken yet.
  unsigned unsubmitted() const noexcept
  {
    return kernel(ring_.sq.ktail).load(std::memory_order_seq_cst) -
           kernel(ring_.sq.khead).load(std::memory_order_acquire);
  }

  /// To be called between cancelling what uses a file descriptor and closing it.
  void let_go(int fd) noexcept
  {
    if (emulation_) emulation_->let_go(fd);
  }

  /// True when the kernel holds completions back until somebody enters.
  bool wants_enter() const noexcept
  {
    return kernel(ring_.sq.kflags).load(std::memory_order_relaxed) &
           (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
  }

  unsigned completions_present() const noexcept
  {
    return kernel(ring_.cq.ktail).load(std::memory_order_acquire) -
           kernel(ring_.cq.khead).load(std::memory_order_relaxed);
  }
  bool has_completions() const noexcept { return completions_present() != 0; }

  /// Submits all that is published and runs the kernel's deferred work. Returns entries taken, or a negative
  /// errno.
  ASIO_URING_DECL int submit() noexcept;

  /// Submits, then waits for a completion, at most `timeout` (nanoseconds::max(): for ever).
  ASIO_URING_DECL int submit_and_wait(std::chrono::nanoseconds timeout) noexcept;

  /// Calls consume(const io_uring_cqe&) for each completion present; returns their number.
  template <typename Consume>
  unsigned consume_completions(Consume&& consume)
  {
    const auto khead = kernel(ring_.cq.khead);
    unsigned head = khead.load(std::memory_order_relaxed);
    const unsigned first = head;
    const unsigned tail = kernel(ring_.cq.ktail).load(std::memory_order_acquire);
    while (head != tail) {
      consume(static_cast<const io_uring_cqe&>(ring_.cq.cqes[head & ring_.cq.ring_mask]));
      khead.store(++head, std::memory_order_release);
    }
    return head - first;
  }

private:
  static std::atomic_ref<unsigned> kernel(unsigned* shared) noexcept
  {
    return std::atomic_ref<unsigned>(*shared);
  }
  ASIO_URING_DECL int set_up(const ring_parameters& parameters, std::uint32_t flags) noexcept;
  ASIO_URING_DECL void probe() noexcept;
  ASIO_URING_DECL int enter(unsigned submit, unsigned wait, const __kernel_timespec* timeout) noexcept;

  io_uring ring_{};
  unsigned tail_ = 0;
  std::atomic<bool> whole_{false};
  asio_uring::features features_;
  std::unique_ptr<emulated_kernel> emulation_;
};

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/ring.ipp>
#endif

#endif // ASIO_URING_RING_RING_HPP
