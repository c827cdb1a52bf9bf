// asio_uring/detail/asio/scheduler.hpp: what is asked of Asio's scheduler, and given to it, past its
// interface.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_SCHEDULER_HPP
#define ASIO_URING_DETAIL_ASIO_SCHEDULER_HPP

#include <asio_uring/detail/asio/members.hpp>
#include <type_traits>
#include <utility>
#if ASIO_URING_ASIO_MACRO(VERSION) >= 103400
#include ASIO_URING_ASIO(config.hpp)
#else
#include ASIO_URING_ASIO(detail/concurrency_hint.hpp)
#endif

namespace asio_uring::detail {

/// Whether the scheduler is run by a thread of its own: it is that of an execution context which is not
/// Asio's.
inline bool has_own_thread(scheduler& s)
{
  return [](auto& thread) {
    if constexpr (std::is_pointer_v<std::remove_reference_t<decltype(thread)>>)
      return thread != nullptr;
    else
      return thread.joinable();
  }(s.*member_of(scheduler_thread{}));
}

/// Queues what does not count as work behind all other operations.
inline void enqueue(scheduler& s, completion& op)
{
  auto& mutex = s.*member_of(scheduler_mutex{});
  typename std::remove_reference_t<decltype(mutex)>::scoped_lock lock(mutex);
  (s.*member_of(scheduler_queue{})).push(&op);
  (s.*member_of(scheduler_wake{}))(lock);
}

/// Queues operations that have been counted as work before all others.
inline void enqueue_first(scheduler& s, completion_queue& ops)
{
  auto& mutex = s.*member_of(scheduler_mutex{});
  typename std::remove_reference_t<decltype(mutex)>::scoped_lock lock(mutex);
  auto& queue = s.*member_of(scheduler_queue{});
  ops.push(queue);
  queue.push(ops);
  (s.*member_of(scheduler_wake{}))(lock);
}

/// Whether a thread is within the context's reactor, asleep as a rule: then the reactor's place in the queue
/// is empty.
inline bool has_thread_in_reactor(scheduler& s)
{
  auto& mutex = s.*member_of(scheduler_mutex{});
  typename std::remove_reference_t<decltype(mutex)>::scoped_lock lock(mutex);
  return s.*member_of(scheduler_reactor{}) &&
         !(s.*member_of(scheduler_queue{})).is_enqueued(&(s.*member_of(scheduler_reactor_place{})));
}

/// Keeps all threads out of the scheduler's reactor, so that another task can take its place. It is false if
/// that is impossible: a thread is in the reactor, where it usually sleeps, or there is no reactor.
/**
 * A thread enters the reactor by taking the reactor's place out of the scheduler's queue, and puts it back
 * when it leaves. So the reactor is free while its place is in the queue, and closed while we hold the place.
 */
class idle_reactor
{
  using mutex = std::remove_reference_t<decltype(std::declval<scheduler&>().*member_of(scheduler_mutex{}))>;
  using locked = typename mutex::scoped_lock;

public:
  explicit idle_reactor(scheduler& s) : scheduler_(s)
  {
    const locked guard(s.*member_of(scheduler_mutex{}));
    completion* const place = &(s.*member_of(scheduler_reactor_place{}));
    auto& queue = s.*member_of(scheduler_queue{});
    if (!(s.*member_of(scheduler_reactor{})) || !queue.is_enqueued(place)) return;
    completion_queue others;
    while (completion* const op = queue.front()) {
      queue.pop();
      if (op != place) others.push(op);
    }
    queue.push(others);
    taken_ = true;
  }
  idle_reactor(const idle_reactor&) = delete;
  idle_reactor& operator=(const idle_reactor&) = delete;
  ~idle_reactor()
  {
    if (taken_) enqueue(scheduler_, scheduler_.*member_of(scheduler_reactor_place{}));
  }
  explicit operator bool() const noexcept { return taken_; }

  /// Makes the scheduler run `task` instead of the reactor.
  void replace(scheduler_task& task)
  {
    const locked guard(scheduler_.*member_of(scheduler_mutex{}));
    scheduler_.*member_of(scheduler_reactor{}) = &task;
  }

private:
  scheduler& scheduler_;
  bool taken_ = false;
};

/// Whether the context's concurrency hint, or configuration, asks for locks in I/O.
inline bool wants_locks(scheduler& s)
{
#if ASIO_URING_ASIO_MACRO(VERSION) >= 103400 // Boost 1.87
  return asio::config(s.context()).get("reactor", "io_locking", true);
#else
  return ASIO_URING_ASIO_MACRO(CONCURRENCY_HINT_IS_LOCKING)(REACTOR_IO, s.concurrency_hint());
#endif
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ASIO_SCHEDULER_HPP
