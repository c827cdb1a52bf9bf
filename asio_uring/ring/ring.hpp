// asio_uring/ring/ring.hpp: one io_uring, owned. Usable alone, without Asio.
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
  linux_version newest = {};   ///< nothing is used that came after this version
  bool bound = false;          ///< one thread is going to enter, if the kernel has such rings: ring::bound()
  /// How long a wait goes on when something has completed, for more. Since 6.12; nothing before.
  std::chrono::microseconds min_wait{0};
  /// How long the kernel polls the queues of network devices before it sleeps (NAPI). Since 6.9, and where
  /// the kernel is built so; nothing elsewhere: ring::busy_polls().
  std::chrono::microseconds busy_poll{0};
};

/// RAII over one io_uring: set-up that degrades flag by flag, submission entries, enter, completions.
/**
 * Nothing rests on how liburing keeps its own rings: queues and flags are ours.
 *
 * A bound ring is entered by one thread, the one that called bind(). Then the kernel does its work for the
 * ring nowhere but inside enter(): no other call of that thread is interrupted by it, and no thread that
 * sleeps elsewhere holds it up. A ring that is not bound may be entered by any thread; the kernel's work for
 * a request is then done by the thread that submitted it, whenever that is in the kernel.
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
  /// A ring whose entries are performed by an emulated kernel.
  ASIO_URING_DECL explicit ring(std::unique_ptr<emulated_kernel> emulation) noexcept;
  ring(ring&& other) noexcept { swap(other); }
  ring& operator=(ring&& other) noexcept
  {
    ring(std::move(other)).swap(*this);
    return *this;
  }
  ASIO_URING_DECL ~ring();

  /// Readable while there are completions; of a bound ring also once it is entered only. -1 after retire().
  int fd() const noexcept { return emulation_ ? emulation_->fd() : fd_; }
  unsigned entries() const noexcept { return queues_.sq_size; }
  unsigned completions() const noexcept { return queues_.cq_size; }
  const asio_uring::features& features() const noexcept { return features_; }

  /// Whether only the thread that binds it may enter. Since Linux 6.6; not where the memory of the queues
  /// cannot be the program's own.
  bool bound() const noexcept { return features_.setup(IORING_SETUP_DEFER_TASKRUN); }
  /// Makes the calling thread the one that enters; once for each ring. 0, or a negative errno.
  ASIO_URING_DECL int bind() noexcept;

  /// Whether retire() is possible.
  bool can_retire() const noexcept { return memory_ || (emulation_ && bound()); }
  /// Gives the ring back to the kernel, which ends all requests. Their completions arrive without anybody
  /// entering: soon, but for what a thread of the kernel's is performing. Any thread, while no other enters.
  ASIO_URING_DECL void retire() noexcept;
  /// Whether a wait may poll the queues of network devices.
  bool busy_polls() const noexcept { return busy_polls_; }
  /// Whether it is the kernel's own, and not an emulated one.
  bool kernels() const noexcept { return !emulation_; }
  /// Entries that were published and whose last completion has not been consumed.
  unsigned left() const noexcept { return tail_ - ended_; }
  /// Whether all completions that are to come fit into the queue: those that do not, the kernel keeps for who
  /// enters, and drops when the ring is retired.
  bool fits() const noexcept
  {
    return left() <= queues_.cq_size &&
           !(shared(queues_.sq_flags).load(std::memory_order_relaxed) & IORING_SQ_CQ_OVERFLOW);
  }
  /// Gives up the memory of a ring. The completions of a retired one should have been seen; of another the
  /// kernel ends its requests some time soon, unseen.
  ASIO_URING_DECL void release() noexcept;
  /// Calls f(user_data) for each published entry that the kernel has not taken and is not going to.
  template <typename F>
  void take_back_unsubmitted(F&& f)
  {
    const auto taken = shared(queues_.sq_head);
    for (unsigned head = taken.load(std::memory_order_acquire); head != tail_; ++head, ++ended_)
      f(queues_.entries[head & (queues_.sq_size - 1)].user_data);
    taken.store(tail_, std::memory_order_release);
  }

  /// The next free submission entry, or the one that many `ahead` of it; null when the queue has no room for
  /// it. Contents are unspecified.
  io_uring_sqe* next_entry(unsigned ahead = 0) noexcept
  {
    const unsigned position = tail_ + ahead;
    if (position - shared(queues_.sq_head).load(std::memory_order_acquire) >= entries()) return nullptr;
    return &queues_.entries[position & (queues_.sq_size - 1)];
  }

  /// Makes the next entry, or the next few at once, visible to the kernel; enter() submits them.
  void publish(unsigned count = 1) noexcept
  {
    tail_ += count;
    shared(queues_.sq_tail)
        .store(tail_, detail::one_thread() ? std::memory_order_release : std::memory_order_seq_cst);
  }

  /// From the next call on, no function here takes only some of the entries that were published at once. Two
  /// threads may enter at a time: the kernel ends a chain of linked entries where a submission ends.
  void keep_whole() noexcept { whole_.store(true, std::memory_order_seq_cst); }

  /// Published entries that no enter() has taken yet.
  unsigned unsubmitted() const noexcept
  {
    return shared(queues_.sq_tail).load(std::memory_order_seq_cst) -
           shared(queues_.sq_head).load(std::memory_order_acquire);
  }

  /// A queue of buffers from which receives choose (IORING_REGISTER_PBUF_RING); and its end. 0, or a negative
  /// errno.
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

  /// To be called between cancelling what uses a file descriptor and closing it.
  void let_go(int fd) noexcept
  {
    if (emulation_) emulation_->let_go(fd);
  }

  /// True when the kernel holds completions back until somebody enters.
  bool wants_enter() const noexcept
  {
    return shared(queues_.sq_flags).load(std::memory_order_relaxed) &
           (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
  }

  /// True when completions found no room; the kernel delivers them with the next enter.
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

  /// Submits all that is published and runs the kernel's deferred work. Returns entries taken, or a negative
  /// errno.
  ASIO_URING_DECL int submit() noexcept;

  /// Submits, then waits for a completion, at most `timeout` (nanoseconds::max(): for ever).
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

  /// Times that it was entered, of these to wait, and of these with completions that had found no room. Any
  /// thread.
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
  unsigned ended_ = 0;         // last completions of entries that were consumed
  unsigned enter_flags_ = 0;   // of every enter
  std::uint32_t min_wait_ = 0; // microseconds
  bool busy_polls_ = false;
  detail::counter enters_, waits_, overflows_;
  std::atomic<bool> whole_{false};
  void* memory_ = nullptr; // of the queues, where it is the program's own
  std::size_t memory_size_ = 0;
  void* mapped_[2] = {}; // otherwise: the kernel's, for the queues and for the entries
  std::size_t mapped_size_[2] = {};
  asio_uring::features features_;
  std::unique_ptr<emulated_kernel> emulation_;
};

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/ring.ipp>
#endif

#endif // ASIO_URING_RING_RING_HPP
