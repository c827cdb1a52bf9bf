// asio_uring/detail/engine/buffer_group.hpp: buffers from which one is chosen when data arrives.
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

/// A group of buffers for receives. The kernel takes them from a queue in shared memory when it has data
/// (IORING_REGISTER_PBUF_RING). Where it cannot, the receiving code takes them from a list.
/**
 * A buffer is either free, in the queue or the list, or filled. A filled one belongs to its holders, and is
 * given back from any thread. Sources that find no free one wait here, first come, first served.
 */
class buffer_group
{
public:
  /// The state of a buffer.
  struct slot
  {
    std::atomic<unsigned> holders{0}; ///< of its parts; 0 if it is free
    unsigned size = 0;                ///< of the data, while it is in a source
    std::uint16_t next = 0;           ///< in the list of free ones, or a source's
  };
  static constexpr unsigned most_buffers = 32768;

  /// `count` buffers at first, `most` at last, of `size` bytes each.
  ASIO_URING_DECL buffer_group(ring_service& service, std::uint16_t id, unsigned count, unsigned most,
                               std::size_t size, bool huge_pages);
  buffer_group(const buffer_group&) = delete;
  buffer_group& operator=(const buffer_group&) = delete;
  ASIO_URING_DECL ~buffer_group();

  std::uint16_t id() const noexcept { return id_; }
  std::size_t size() const noexcept { return size_; }
  /// How many are free, and how many there are. Approximate while other threads hold some.
  unsigned free() const noexcept { return free_.load(std::memory_order_relaxed); }
  unsigned count() const noexcept { return made_.load(std::memory_order_relaxed); }
  /// Whether the kernel takes them.
  bool with_kernel() const noexcept { return with_kernel_.load(std::memory_order_relaxed); }
  std::byte* data(unsigned buffer) const noexcept { return memory_.get() + buffer * size_; }
  slot& operator[](unsigned buffer) noexcept { return slots_[buffer]; }

  /// Notes that the kernel has filled one. Acquires what add() released when it gave the buffer to the
  /// kernel, of which the language's rules know nothing.
  void taken(unsigned buffer) noexcept
  {
    [[maybe_unused]] const unsigned none = slots_[buffer].holders.exchange(1, std::memory_order_acquire);
    assert(none == 0);
    free_.fetch_sub(1, std::memory_order_relaxed);
  }
  /// Takes a free one to be filled by a call; -1 if there is none.
  ASIO_URING_DECL int take() noexcept;
  /// Makes a buffer free again. Any thread.
  ASIO_URING_DECL void give_back(unsigned buffer) noexcept;
  /// The same, for a thread that may be collecting completions: unless the loop goes on anyway, the caller
  /// must notify() the service that is returned, if any.
  ASIO_URING_DECL ring_service* put_back(unsigned buffer) noexcept;

  // The sources that wait for a buffer.
  /// Has a source wait. False if it need not: there is a buffer, or it should wait behind others only and
  /// none do.
  ASIO_URING_DECL bool wait(source& s, source::place where) noexcept;
  /// Withdraws the promise to a source. True if a buffer was promised to it.
  bool settle(source& s) noexcept
  {
    const bool promised = std::exchange(s.promised_, false);
    if (promised) promised_.fetch_sub(1, std::memory_order_relaxed);
    return promised;
  }
  /// Whether sources wait for buffers.
  bool scarce() const noexcept
  {
    return awaited_.load(std::memory_order_relaxed) || promised_.load(std::memory_order_relaxed) > 0;
  }
  /// Pushes waiting sources while there are free buffers. Returns the service if it must be notified.
  ASIO_URING_DECL ring_service* pass_on() noexcept;
  ASIO_URING_DECL bool withdraw(source& s) noexcept;
  ASIO_URING_DECL bool waits(const source& s) noexcept;

  /// Gives all free buffers to this ring. The calling thread must be one that may register.
  ASIO_URING_DECL void use(ring& r) noexcept;
  ASIO_URING_DECL void leave(ring& r) noexcept;
  /// Pushes no source any more, because the service ends.
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

  lock lock_{true}; // guards the queue and the list
  std::uint16_t tail_ = 0;
  int first_free_ = -1;

  std::mutex waiting_mutex_;
  ring_service* service_; // until it ends
  std::atomic<bool> awaited_{false};
  std::atomic<unsigned> promised_{0}; // free buffers, to sources that were pushed
  source* first_waiting_ = nullptr;
  source* last_waiting_ = nullptr;
};

/// The groups of a context.
class buffer_groups
{
public:
  // The calling thread must be one that may register.
  ASIO_URING_DECL void add(const std::shared_ptr<buffer_group>& group, ring& r);
  /// Unregisters unused groups. Returns an id that none has.
  ASIO_URING_DECL std::uint16_t sweep(ring& r) noexcept;
  /// Moves all groups to the ring that replaces the last one.
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
