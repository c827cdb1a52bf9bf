// asio_uring/detail/engine/ready_list.hpp: completions that need no kernel any more, handed to the loop by
// any thread.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_READY_LIST_HPP
#define ASIO_URING_DETAIL_ENGINE_READY_LIST_HPP

#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/detail/engine/lock.hpp>
#include <atomic>

namespace asio_uring::detail {

/// First in, first out; taken whole, without touching the elements, which may long have left the cache.
class ready_list
{
public:
  explicit ready_list(bool locking) noexcept : lock_(locking) {}

  /// True if the list was empty: then the pusher has to see whether the loop is idle (doorbell.hpp).
  /// Otherwise the thread that made it non-empty does.
  [[gnu::always_inline]] bool push(completion& op) noexcept
  {
    lock_.acquire();
    const bool first = queue_.empty();
    if (first) filled_.exchange(true, std::memory_order_seq_cst); // a full barrier before that look
    queue_.push(&op);
    lock_.release();
    return first;
  }

  /// By a thread that sees to the loop itself.
  void push_all(completion_queue& ops) noexcept
  {
    while (completion* op = ops.front()) {
      ops.pop();
      push(*op);
    }
  }

  bool empty() const noexcept { return !filled_.load(std::memory_order_seq_cst); }

  void move_to(completion_queue& out) noexcept
  {
    if (empty()) return;
    lock_.acquire();
    filled_.store(false, std::memory_order_relaxed);
    out.push(queue_);
    lock_.release();
  }

private:
  lock lock_;
  std::atomic<bool> filled_{false};
  completion_queue queue_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_READY_LIST_HPP
