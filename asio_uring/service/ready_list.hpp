// asio_uring/service/ready_list.hpp: completions that need no kernel any more, handed to the loop by any
// thread.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_READY_LIST_HPP
#define ASIO_URING_SERVICE_READY_LIST_HPP

#include <asio_uring/service/asio_internals.hpp>
#include <atomic>

namespace asio_uring::detail {

/// Many producers, one consumer, first in first out: a stack that is taken whole and turned round.
class ready_list
{
public:
  void push(completion& op) noexcept
  {
    completion* head = head_.load(std::memory_order_relaxed);
    do
      set_next(&op, head);
    while (!head_.compare_exchange_weak(head, &op, std::memory_order_seq_cst, std::memory_order_relaxed));
  }

  bool empty() const noexcept { return head_.load(std::memory_order_seq_cst) == nullptr; }

  void move_to(completion_queue& out) noexcept
  {
    if (!head_.load(std::memory_order_relaxed)) return;
    completion* op = head_.exchange(nullptr, std::memory_order_acquire);
    completion* oldest = nullptr;
    while (op) {
      completion* older = next_of(op);
      set_next(op, oldest);
      oldest = op;
      op = older;
    }
    while (oldest) {
      completion* following = next_of(oldest);
      out.push(oldest);
      oldest = following;
    }
  }

private:
  std::atomic<completion*> head_{nullptr};
};

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_READY_LIST_HPP
