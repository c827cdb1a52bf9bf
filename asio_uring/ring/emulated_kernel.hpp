// asio_uring/ring/emulated_kernel.hpp: the interface of what replaces the kernel behind a ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_EMULATED_KERNEL_HPP
#define ASIO_URING_RING_EMULATED_KERNEL_HPP

#include <asio_uring/ring/features.hpp>
#include <asio_uring/ring/queues.hpp>
#include <atomic>
#include <bit>
#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace asio_uring {

/// Acts as the kernel behind a ring: takes submission entries, performs them, posts completions.
/**
 * The queues are ordinary memory with the kernel's layout: a ring uses them unchanged and calls enter() here
 * instead of the system call. Derived classes decide how an entry is performed and keep what does not fit.
 * Threads may enter at the same time, so derived classes hold a lock of their own when they call take_entries
 * and offer.
 */
class emulated_kernel
{
public:
  virtual ~emulated_kernel() = default;
  emulated_kernel(const emulated_kernel&) = delete;
  emulated_kernel& operator=(const emulated_kernel&) = delete;

  /// Like io_uring_enter(2): takes all entries, then waits for `wait` completions, at most `timeout` (null:
  /// no limit). Returns how many entries it took. Any thread.
  virtual int enter(unsigned wait, const __kernel_timespec* timeout) noexcept = 0;

  /// Returns a descriptor to poll: readable when enter() would deliver completions. Whenever there may be new
  /// ones, an edge-triggered poll gets a new event.
  virtual int fd() noexcept = 0;

  /// Waits until nothing uses this descriptor number any longer. Called after its operations were cancelled
  /// and before it is closed: unlike the kernel's requests, emulated ones do not hold the open file. Any
  /// thread.
  virtual void let_go(int) noexcept {}

  /// Makes the calling thread the only one that enters, where features() have IORING_SETUP_DEFER_TASKRUN.
  /// Returns 0 or a negative errno.
  virtual int bind() noexcept { return 0; }
  /// Ends all requests. No thread enters afterwards.
  virtual void retire() noexcept {}

  /// Registers a queue of buffers from which receives choose. Returns 0 or a negative errno.
  virtual int register_buffer_queue(const io_uring_buf_reg&) noexcept { return -EINVAL; }

  const asio_uring::features& features() const noexcept { return features_; }

protected:
  /// Both sizes are rounded up to powers of two.
  emulated_kernel(unsigned entries, unsigned completions)
      : sq_size_(std::bit_ceil(entries)),
        cq_size_(std::bit_ceil(completions)),
        entries_(std::make_unique<io_uring_sqe[]>(sq_size_)),
        completions_(cq_size_)
  {
    features_.kernel =
        IORING_FEAT_FAST_POLL | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_SUBMIT_STABLE;
  }

  /// Calls perform(const io_uring_sqe&) with a copy of each published entry, in order, `most` at most. If
  /// perform returns false, that entry and all later ones stay in the queue. Returns how many were taken. As
  /// in the kernel, an entry counts as unsubmitted until perform returns: closing a descriptor relies on
  /// that.
  template <typename Perform>
  unsigned take_entries(Perform&& perform, unsigned most = ~0u)
  {
    unsigned taken = 0;
    for (unsigned head = sq_head_; taken < most && head != load(sq_tail_); ++taken) {
      const io_uring_sqe entry = entries_[head & (sq_size_ - 1)];
      if constexpr (std::is_void_v<std::invoke_result_t<Perform&, const io_uring_sqe&>>)
        perform(entry);
      else if (!perform(entry))
        break;
      store(sq_head_, ++head);
    }
    return taken;
  }

  /// Posts a completion; returns false if the queue is full.
  bool offer(std::uint64_t user_data, int result, unsigned flags) noexcept
  {
    if (ready() == cq_size_) return false;
    io_uring_cqe& cqe = completions_[cq_tail_ & (cq_size_ - 1)];
    cqe.user_data = user_data;
    cqe.res = result;
    cqe.flags = flags;
    store(cq_tail_, cq_tail_ + 1);
    return true;
  }

  /// Posts a completion, and keeps it until the queue has room. May throw std::bad_alloc.
  void post(std::uint64_t user_data, int result, unsigned flags)
  {
    kept_.push_back({user_data, result, flags});
    deliver();
  }
  void deliver() noexcept
  {
    while (overflown() && offer(kept_.front().user_data, kept_.front().result, kept_.front().flags))
      kept_.pop_front();
  }
  bool overflown() const noexcept { return !kept_.empty(); }

  /// Completions posted and consumed so far; both wrap around.
  unsigned completed() const noexcept { return cq_tail_; }
  unsigned consumed() const noexcept { return load(cq_head_); }
  /// Completions that can be consumed.
  unsigned ready() const noexcept { return completed() - consumed(); }

  /// Tells the ring's owner to enter even with nothing to submit (IORING_SQ_TASKRUN).
  void want_enter(bool wanted) noexcept { store(sq_flags_, wanted ? IORING_SQ_TASKRUN : 0u); }

  asio_uring::features features_;

private:
  friend class ring;
  struct completion
  {
    std::uint64_t user_data;
    int result;
    unsigned flags;
  };

  static unsigned load(const unsigned& shared) noexcept
  {
    return std::atomic_ref<unsigned>(const_cast<unsigned&>(shared)).load(std::memory_order_acquire);
  }
  static void store(unsigned& shared, unsigned value) noexcept
  {
    std::atomic_ref<unsigned>(shared).store(value, std::memory_order_release);
  }

  ring_queues queues() noexcept
  {
    return {&sq_head_,      &sq_tail_,           &sq_flags_, &cq_head_, &cq_tail_,
            entries_.get(), completions_.data(), sq_size_,   cq_size_};
  }

  const unsigned sq_size_, cq_size_;
  const std::unique_ptr<io_uring_sqe[]> entries_;
  std::vector<io_uring_cqe> completions_;
  unsigned sq_head_ = 0, sq_tail_ = 0, sq_flags_ = 0, cq_head_ = 0, cq_tail_ = 0;
  std::deque<completion> kept_;
};

} // namespace asio_uring

#endif // ASIO_URING_RING_EMULATED_KERNEL_HPP
