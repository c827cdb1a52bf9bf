// asio_uring/detail/engine/buffer_group.hpp: buffers of which one is chosen when there is something to
// receive.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_BUFFER_GROUP_HPP
#define ASIO_URING_DETAIL_ENGINE_BUFFER_GROUP_HPP

#include <asio_uring/detail/engine/lock.hpp>
#include <asio_uring/detail/engine/source.hpp>
#include <asio_uring/ring/ring.hpp>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace asio_uring::detail {

class ring_service;

/// A group of buffers of a context's ring: a queue in memory from which the kernel takes what it fills. Where
/// there is none, or it does not know such groups, who receives takes them.
/**
 * A buffer is free, in the queue or in a list, or filled. What is filled belongs to who holds it, and comes
 * home from any thread. Sources that find no free one wait here, first come, first served.
 */
class buffer_group
{
public:
  /// What is known of a buffer.
  struct slot
  {
    std::atomic<unsigned> holders{0}; ///< of its parts; 0: it is free
    unsigned size = 0;                ///< of what it was filled with, in a source
    std::uint16_t next = 0;           ///< in the list where it is: the free ones, or a source's
  };
  static constexpr unsigned most_buffers = 32768;

  /// `count` buffers to begin with, `most` at last, of `size` bytes each.
  ASIO_URING_DECL buffer_group(ring_service& service, std::uint16_t id, unsigned count, unsigned most,
                               std::size_t size, bool huge_pages);
  buffer_group(const buffer_group&) = delete;
  buffer_group& operator=(const buffer_group&) = delete;
  ASIO_URING_DECL ~buffer_group();

  std::uint16_t id() const noexcept { return id_; }
  std::size_t size() const noexcept { return size_; }
  /// Free ones, and all; about, where other threads hold some.
  unsigned free() const noexcept { return free_.load(std::memory_order_relaxed); }
  unsigned count() const noexcept { return made_.load(std::memory_order_relaxed); }
  /// Whether it is the kernel that takes them.
  bool with_kernel() const noexcept { return with_kernel_.load(std::memory_order_relaxed); }
  std::byte* data(unsigned buffer) const noexcept { return memory_.get() + buffer * size_; }
  slot& operator[](unsigned buffer) noexcept { return slots_[buffer]; }

  /// The kernel has filled one. That it was given to the kernel before, the language's rules do not see: it
  /// is acquired where that released it.
  void taken(unsigned buffer) noexcept
  {
    [[maybe_unused]] const unsigned none = slots_[buffer].holders.exchange(1, std::memory_order_acquire);
    assert(none == 0);
    free_.fetch_sub(1, std::memory_order_relaxed);
  }
  /// Takes a free one to be filled by a call; -1: there is none.
  ASIO_URING_DECL int take() noexcept;
  /// It is free again. Any thread.
  ASIO_URING_DECL void give_back(unsigned buffer) noexcept;
  /// The same, and the service is to be notified by whoever calls, where the loop does not go on anyway: it
  /// may be collecting completions.
  ASIO_URING_DECL ring_service* put_back(unsigned buffer) noexcept;

  // The sources that wait for a buffer.
  /// False: there is one; or it is to be behind others, and nobody waits.
  ASIO_URING_DECL bool wait(source& s, source::place where) noexcept;
  /// Something has come of it. True: a buffer was promised to it.
  bool settle(source& s) noexcept
  {
    const bool promised = std::exchange(s.promised_, false);
    if (promised) promised_.fetch_sub(1, std::memory_order_relaxed);
    return promised;
  }
  /// Whether there are not enough for all.
  bool scarce() const noexcept
  {
    return awaited_.load(std::memory_order_relaxed) || promised_.load(std::memory_order_relaxed) > 0;
  }
  /// Where there are free ones, the first of them begin anew. Returns the service if it is to be notified.
  ASIO_URING_DECL ring_service* pass_on() noexcept;
  ASIO_URING_DECL bool withdraw(source& s) noexcept;
  ASIO_URING_DECL bool waits(const source& s) noexcept;

  /// All that are free go to this ring. To be called by a thread that may register.
  ASIO_URING_DECL void use(ring& r) noexcept;
  ASIO_URING_DECL void leave(ring& r) noexcept;
  /// The service ends: nobody waits any longer.
  ASIO_URING_DECL void abandon() noexcept;

private:
  struct unmapped
  {
    std::size_t size;
    ASIO_URING_DECL void operator()(std::byte* memory) const noexcept;
  };
  using mapped_memory = std::unique_ptr<std::byte, unmapped>;
  ASIO_URING_DECL static mapped_memory map(std::size_t size);
  ASIO_URING_DECL void add(unsigned buffer) noexcept;
  ASIO_URING_DECL bool grow() noexcept;
  ASIO_URING_DECL void remove(source& s, source* previous) noexcept;

  const std::uint16_t id_;
  const unsigned step_, most_;
  const std::size_t size_;
  const unsigned queue_size_; // a power of two
  const mapped_memory queue_; // of io_uring_buf
  const mapped_memory memory_;
  const std::unique_ptr<slot[]> slots_;
  std::atomic<bool> with_kernel_{false};
  std::atomic<unsigned> made_{0}, free_{0};

  lock lock_{true}; // of the queue and the list
  std::uint16_t tail_ = 0;
  int first_free_ = -1;

  std::mutex waiting_mutex_;
  ring_service* service_; // until it ends
  std::atomic<bool> awaited_{false};
  std::atomic<unsigned> promised_{0}; // free ones, to sources that begin anew
  source* first_waiting_ = nullptr;
  source* last_waiting_ = nullptr;
};

/// The groups of a context.
class buffer_groups
{
public:
  // Both to be called by a thread that may register.
  ASIO_URING_DECL void add(const std::shared_ptr<buffer_group>& group, ring& r);
  /// Those that nobody uses any more leave the ring. Returns an id that none has.
  ASIO_URING_DECL std::uint16_t sweep(ring& r) noexcept;
  /// Another ring takes the place of the one before it.
  ASIO_URING_DECL void move_to(ring& r) noexcept;
  ASIO_URING_DECL void abandon() noexcept;

private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<buffer_group>> groups_;
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/ring_service.hpp> // and then the functions
#endif

#endif // ASIO_URING_DETAIL_ENGINE_BUFFER_GROUP_HPP
