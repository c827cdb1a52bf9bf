// asio_uring/ring/queues.hpp: the two queues that a ring shares with its kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_QUEUES_HPP
#define ASIO_URING_RING_QUEUES_HPP

#include <asio_uring/ring/uapi.hpp>

namespace asio_uring {

/// Pointers to the parts of both queues. Each head, tail and flags word is written by one side and read by
/// the other.
struct ring_queues
{
  unsigned* sq_head = nullptr;  // written by the kernel
  unsigned* sq_tail = nullptr;  // written by the ring
  unsigned* sq_flags = nullptr; // written by the kernel
  unsigned* cq_head = nullptr;  // written by the ring
  unsigned* cq_tail = nullptr;  // written by the kernel
  io_uring_sqe* entries = nullptr;
  io_uring_cqe* completions = nullptr;
  unsigned sq_size = 0; // both are powers of two
  unsigned cq_size = 0;
};

} // namespace asio_uring

#endif // ASIO_URING_RING_QUEUES_HPP
