// asio_uring/ring/ring.hpp: owns one io_uring. Usable alone, without Asio.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_RING_HPP
#define ASIO_URING_RING_RING_HPP

#include <asio_uring/ring/config.hpp>
#include <asio_uring/ring/counter.hpp>
#include <asio_uring/ring/emulated_kernel.hpp>
#include <asio_uring/ring/features.hpp>
#include <asio_uring/ring/one_thread.hpp>
#include <asio_uring/ring/queues.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>

namespace asio_uring {

/// Sizes and limits of a ring.
struct ring_parameters
{
  unsigned entries = 256; ///< submission queue entries, 1 to 32768; the kernel rounds up to a power of two
  unsigned completions = 4096; ///< completion queue entries, at least 2 * entries
  linux_version newest = {};   ///< use no feature newer than this kernel
  bool bound = false;          ///< only one thread will enter, if the kernel supports that: ring::bound()
  /// How long a wait that has a completion goes on waiting for more. Since Linux 6.12; ignored before.
  std::chrono::microseconds min_wait{0};
  /// How long the kernel polls the queues of network devices before it sleeps (NAPI). Since Linux 6.9, if
  /// built with it; otherwise ignored: ring::busy_polls().
  std::chrono::microseconds busy_poll{0};
};

/// Owns one io_uring: sets it up with the best flags that the kernel accepts, fills and submits entries,
/// hands out completions.
/**
 * It does not use liburing's struct io_uring: queues and flags are its own.
 *
 * A bound ring is entered by one thread only, the one that called bind(). The kernel then does its work for
 * the ring inside enter() only: it interrupts no other call of that thread, and a thread that sleeps
 * elsewhere does not hold it up. A ring that is not bound may be entered by any thread; the kernel then works
 * for a request in the thread that submitted it, whenever that thread is in the kernel.
 *
 * Thread safety: one thread at a time fills entries, one thread at a time consumes completions. Since
 * Linux 5.11.
 */
class ring
{
public:
  /// Sets up a ring. Throws std::system_error: EPERM (forbidden), ENOSYS (no io_uring), ENOMEM, EMFILE, and
  /// ENOSYS where the kernel lacks FAST_POLL, NODROP or EXT_ARG (before 5.11). what() names the call.
  ASIO_URING_DECL explicit ring(const ring_parameters& parameters = {});
  /// Makes a ring whose entries an emulated kernel performs.
  ASIO_URING_DECL explicit ring(std::unique_ptr<emulated_kernel> emulation) noexcept;
  ring(ring&& other) noexcept { swap(other); }
  ring& operator=(ring&& other) noexcept
  {
    ring(std::move(other)).swap(*this);
    return *this;
  }
  ASIO_URING_DECL ~ring();

  /// A descriptor that is readable while there are completions; a bound ring's may need an enter first. -1
  /// after retire().
  int fd() const noexcept { return emulation_ ? emulation_->fd() : fd_; }
  unsigned entries() const noexcept { return queues_.sq_size; }
  unsigned completions() const noexcept { return queues_.cq_size; }
  const asio_uring::features& features() const noexcept { return features_; }

  /// Whether only the thread that called bind() may enter. Since Linux 6.6; false where the program cannot
  /// provide the memory of the queues.
  bool bound() const noexcept { return features_.setup(IORING_SETUP_DEFER_TASKRUN); }
  /// Makes the calling thread the only one that enters; once for each ring. Returns 0 or a negative errno.
  ASIO_URING_DECL int bind() noexcept;

  /// Whether retire() is possible.
  bool can_retire() const noexcept { return memory_ || (emulation_ && bound()); }
  /// Closes the ring, so that the kernel ends all requests. Their completions arrive without anyone entering:
  /// soon, except those of requests that a kernel thread is performing. Any thread, while no other thread
  /// enters.
  ASIO_URING_DECL void retire() noexcept;
  /// Whether a wait may poll the queues of network devices.
  bool busy_polls() const noexcept { return busy_polls_; }
  /// Whether the kernel provides the ring, not an emulation.
  bool kernels() const noexcept { return !emulation_; }
  /// Published entries whose last completion has not been consumed.
  unsigned left() const noexcept { return tail_ - ended_; }
  /// Whether all outstanding completions fit into the queue. The kernel keeps those that do not until the
  /// next enter, and drops them when the ring is retired.
  bool fits() const noexcept
  {
    return left() <= queues_.cq_size &&
           !(shared(queues_.sq_flags).load(std::memory_order_relaxed) & IORING_SQ_CQ_OVERFLOW);
  }
  /// Releases the memory of the ring. Consume the completions of a retired ring first. If the ring was not
  /// retired, the kernel ends its requests some time later, unseen.
  ASIO_URING_DECL void release() noexcept;
  /// Calls f(const io_uring_sqe&) for each published entry that the kernel has not taken and will not take.
  template <typename F>
  void take_back_unsubmitted(F&& f)
  {
    const auto taken = shared(queues_.sq_head);
    for (unsigned head = taken.load(std::memory_order_acquire); head != tail_; ++head, ++ended_)
      f(std::as_const(queues_.entries[head & (queues_.sq_size - 1)]));
    taken.store(tail_, std::memory_order_release);
  }

  /// Returns the next free submission entry, or the one `ahead` places behind it; null if the queue has no
  /// room for it. Its contents are unspecified.
  io_uring_sqe* next_entry(unsigned ahead = 0) noexcept
  {
    const unsigned position = tail_ + ahead;
    if (position - shared(queues_.sq_head).load(std::memory_order_acquire) >= entries()) return nullptr;
    return &queues_.entries[position & (queues_.sq_size - 1)];
  }

  /// Makes the next `count` entries visible to the kernel; enter() submits them.
  void publish(unsigned count = 1) noexcept
  {
    tail_ += count;
    shared(queues_.sq_tail)
        .store(tail_, detail::one_thread() ? std::memory_order_release : std::memory_order_seq_cst);
  }

  /// Guarantees from the next call on that entries published together are submitted together, even if two
  /// threads enter at a time. Needed for linked entries: the kernel ends a chain where a submission ends.
  void keep_whole() noexcept { whole_.store(true, std::memory_order_seq_cst); }

  /// How many entries were published, and how many of them the kernel has taken; modulo 2^32.
  unsigned published() const noexcept { return tail_; }
  unsigned taken() const noexcept { return shared(queues_.sq_head).load(std::memory_order_acquire); }
  /// Published entries that the kernel has not taken yet.
  unsigned unsubmitted() const noexcept
  {
    return shared(queues_.sq_tail).load(std::memory_order_seq_cst) -
           shared(queues_.sq_head).load(std::memory_order_acquire);
  }

  /// Registers (IORING_REGISTER_PBUF_RING) or unregisters a queue of buffers from which receives choose.
  /// Returns 0 or a negative errno.
  int register_buffer_queue(const io_uring_buf_reg& queue) noexcept
  {
    return emulation_ ? emulation_->register_buffer_queue(queue)
                      : io_uring_register(static_cast<unsigned>(fd_), IORING_REGISTER_PBUF_RING, &queue, 1);
  }
  int unregister_buffer_queue(std::uint16_t id) noexcept
  {
    io_uring_buf_reg queue{};
    queue.bgid = id;
    return emulation_ ? 0
                      : io_uring_register(static_cast<unsigned>(fd_), IORING_UNREGISTER_PBUF_RING, &queue, 1);
  }

  /// Call this after cancelling what uses a file descriptor and before closing it.
  void let_go(int fd) noexcept
  {
    if (emulation_) emulation_->let_go(fd);
  }

  /// True when the kernel holds back completions until a thread enters, or has something to do that may lead
  /// to some. May stay true when there is nothing: the kernel sets the flag after it has queued the work,
  /// which the entering thread may have done by then, and clears it with the next work.
  bool wants_enter() const noexcept
  {
    return shared(queues_.sq_flags).load(std::memory_order_relaxed) &
           (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
  }

  /// True when completions did not fit into the queue; the kernel delivers them with the next enter.
  bool overflown() const noexcept
  {
    return shared(queues_.sq_flags).load(std::memory_order_relaxed) & IORING_SQ_CQ_OVERFLOW;
  }

  unsigned completions_present() const noexcept
  {
    return shared(queues_.cq_tail).load(std::memory_order_acquire) -
           shared(queues_.cq_head).load(std::memory_order_relaxed);
  }
  bool has_completions() const noexcept { return completions_present() != 0; }

  /// Submits all published entries and runs the kernel's deferred work. Returns the entries taken, or a
  /// negative errno.
  ASIO_URING_DECL int submit() noexcept;

  /// Submits, then waits for a completion, at most `timeout` (nanoseconds::max(): no limit). Returns the
  /// entries taken, or a negative errno.
  ASIO_URING_DECL int submit_and_wait(std::chrono::nanoseconds timeout) noexcept;

  /// Calls consume(const io_uring_cqe&) for each completion present; returns their number.
  template <typename Consume>
  unsigned consume_completions(Consume&& consume)
  {
    const auto consumed = shared(queues_.cq_head);
    unsigned head = consumed.load(std::memory_order_relaxed);
    const unsigned first = head;
    const unsigned tail = shared(queues_.cq_tail).load(std::memory_order_acquire);
    while (head != tail) {
      const io_uring_cqe& completion = queues_.completions[head & (queues_.cq_size - 1)];
      if (!(completion.flags & IORING_CQE_F_MORE)) ++ended_;
      consume(completion);
      consumed.store(++head, std::memory_order_release);
    }
    return head - first;
  }

  /// How many enters there were, how many of them waited, and how many found that completions had overflown.
  /// Any thread.
  std::uint64_t enters() const noexcept { return enters_.get(); }
  std::uint64_t waits() const noexcept { return waits_.get(); }
  std::uint64_t overflows() const noexcept { return overflows_.get(); }

private:
  static std::atomic_ref<unsigned> shared(unsigned* word) noexcept
  {
    return std::atomic_ref<unsigned>(*word);
  }
  ASIO_URING_DECL int set_up(const ring_parameters& parameters, std::uint32_t flags) noexcept;
  ASIO_URING_DECL int map(const io_uring_params& params) noexcept;
  ASIO_URING_DECL void unmap() noexcept;
  ASIO_URING_DECL void probe() noexcept;
  void count_enter(bool waits) noexcept
  {
    enters_.add(1);
    waits_.add(waits);
    overflows_.add(overflown());
  }
  ASIO_URING_DECL int enter(unsigned submit, unsigned wait, unsigned flags,
                            const __kernel_timespec* timeout) noexcept;
  ASIO_URING_DECL void swap(ring& other) noexcept;

  int fd_ = -1;
  ring_queues queues_;
  unsigned tail_ = 0;          // entries published
  unsigned ended_ = 0;         // entries whose last completion was consumed
  unsigned enter_flags_ = 0;   // for every enter
  std::uint32_t min_wait_ = 0; // microseconds
  bool busy_polls_ = false;
  detail::counter enters_, waits_, overflows_;
  std::atomic<bool> whole_{false};
  void* memory_ = nullptr; // of the queues, if the program provides it
  std::size_t memory_size_ = 0;
  void* mapped_[2] = {}; // otherwise the kernel's: the queues, then the entries
  std::size_t mapped_size_[2] = {};
  asio_uring::features features_;
  std::unique_ptr<emulated_kernel> emulation_;
};

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/ring.ipp>
#endif

#endif // ASIO_URING_RING_RING_HPP
