// test/simulation/buffer_queues.hpp: the buffers from which a simulated kernel's receives choose.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATION_BUFFER_QUEUES_HPP
#define ASIO_URING_TEST_SIMULATION_BUFFER_QUEUES_HPP

#include <asio_uring/ring/uapi.hpp>
#include <atomic>
#include <cstdint>
#include <map>

/// Queues in the program's memory: the program puts buffers in at the tail, the kernel takes them at the
/// head.
class buffer_queues
{
public:
  /// Adds a queue; it replaces one of the same number.
  void add(const io_uring_buf_reg& r) { queues_[r.bgid] = {r.ring_addr, r.ring_entries, 0}; }

  /// The next buffer of a queue, or null.
  const io_uring_buf* first(unsigned number) const
  {
    const auto found = queues_.find(number);
    if (found == queues_.end()) return nullptr;
    const queue& q = found->second;
    auto* const entries = reinterpret_cast<io_uring_buf*>(q.address);
    const std::uint16_t tail = std::atomic_ref<std::uint16_t>(entries->resv).load(std::memory_order_acquire);
    return q.head == tail ? nullptr : &entries[q.head & (q.size - 1)];
  }
  /// Takes the next buffer. Returns the flags that tell it in a completion.
  unsigned take(unsigned number)
  {
    const unsigned id = first(number)->bid;
    ++queues_[number].head;
    return IORING_CQE_F_BUFFER | id << IORING_CQE_BUFFER_SHIFT;
  }

private:
  struct queue
  {
    std::uintptr_t address;
    unsigned size;
    std::uint16_t head;
  };
  std::map<unsigned, queue> queues_;
};

#endif // ASIO_URING_TEST_SIMULATION_BUFFER_QUEUES_HPP
