// asio_uring/detail/asio/members.hpp: what the service takes from boost::asio::detail, in one place.
//
// The record that Asio's scheduler queues, the queue, the scheduler and the reactor slot have kept their
// shape from Boost 1.66 on. What is reached past `private` (the reactor's timers, epoll descriptor and queues
// of operations) does not compile where a version has it otherwise.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_MEMBERS_HPP
#define ASIO_URING_DETAIL_ASIO_MEMBERS_HPP

#include <asio_uring/config.hpp>
#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/detail/op_queue.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/detail/scheduler_operation.hpp>
#include <boost/asio/detail/scheduler_task.hpp>
#include <boost/asio/detail/socket_ops.hpp>
#include <boost/asio/detail/throw_error.hpp>
#include <boost/asio/detail/timer_queue_set.hpp>
#include <boost/asio/execution_context.hpp>
#if BOOST_ASIO_VERSION >= 103400
#include <boost/asio/config.hpp>
#else
#include <boost/asio/detail/concurrency_hint.hpp>
#endif
#include <type_traits>

namespace asio_uring::detail {

namespace asio = boost::asio;
namespace socket_ops = boost::asio::detail::socket_ops;
using asio::detail::throw_error;
using boost::system::error_code;

using scheduler = asio::detail::scheduler;
using epoll_reactor = asio::detail::epoll_reactor;

/// What a run loop runs: complete(owner, ec, n) delivers, destroy() gives up. Asio's own type, so that the
/// stock scheduler can queue our operations among its own.
using completion = asio::detail::scheduler_operation;
using completion_queue = asio::detail::op_queue<completion>;

/// A private member of Asio's, by the one loophole the language leaves: explicit instantiation ignores
/// access. `Type` is what the library takes the member for.
template <typename Tag, typename Type, auto Member>
struct expose_member
{
  static_assert(
      std::is_same_v<decltype(Member), Type>,
      "asio_uring: a private member of this version of Boost.Asio has another type than those known "
      "to this version of asio_uring");
  friend auto member_of(Tag) { return Member; }
};

struct reactor_timer_fd
{
  friend auto member_of(reactor_timer_fd);
};
struct reactor_epoll_fd
{
  friend auto member_of(reactor_epoll_fd);
};
struct reactor_timer_queues
{
  friend auto member_of(reactor_timer_queues);
};
struct reactor_mutex
{
  friend auto member_of(reactor_mutex);
};

/// What Asio's reactor knows of one descriptor: the operations that wait for it.
using reactor_state = epoll_reactor::descriptor_state;
using reactor_op = asio::detail::reactor_op;
using reactor_queue = asio::detail::op_queue<reactor_op>;
using op_queue_access = asio::detail::op_queue_access;

struct reactor_state_mutex
{
  friend auto member_of(reactor_state_mutex);
};
struct reactor_state_queues
{
  friend auto member_of(reactor_state_queues);
};
struct reactor_state_shutdown
{
  friend auto member_of(reactor_state_shutdown);
};

struct scheduler_mutex
{
  friend auto member_of(scheduler_mutex);
};
struct scheduler_queue
{
  friend auto member_of(scheduler_queue);
};
struct scheduler_reactor
{
  friend auto member_of(scheduler_reactor);
};
struct scheduler_reactor_place
{
  friend auto member_of(scheduler_reactor_place);
};

// clang-format off
// A compiler error here: this version of Boost.Asio is not known to this version of asio_uring.
template struct expose_member<reactor_timer_fd, int epoll_reactor::*, &epoll_reactor::timer_fd_>;
template struct expose_member<reactor_epoll_fd, int epoll_reactor::*, &epoll_reactor::epoll_fd_>;
template struct expose_member<reactor_timer_queues, asio::detail::timer_queue_set epoll_reactor::*, &epoll_reactor::timer_queues_>;
template struct expose_member<reactor_mutex, epoll_reactor::mutex epoll_reactor::*, &epoll_reactor::mutex_>;
template struct expose_member<reactor_state_mutex, epoll_reactor::mutex reactor_state::*, &reactor_state::mutex_>;
template struct expose_member<reactor_state_queues, asio::detail::op_queue<reactor_op> (reactor_state::*)[epoll_reactor::max_ops], &reactor_state::op_queue_>;
template struct expose_member<reactor_state_shutdown, bool reactor_state::*, &reactor_state::shutdown_>;
template struct expose_member<scheduler_mutex, scheduler::mutex scheduler::*, &scheduler::mutex_>;
template struct expose_member<scheduler_queue, completion_queue scheduler::*, &scheduler::op_queue_>;
template struct expose_member<scheduler_reactor, asio::detail::scheduler_task* scheduler::*, &scheduler::task_>;
template struct expose_member<scheduler_reactor_place, scheduler::task_operation scheduler::*, &scheduler::task_operation_>;
// clang-format on

struct scheduler_wake
{
  friend auto member_of(scheduler_wake);
};
struct scheduler_thread
{
  friend auto member_of(scheduler_thread);
};
// clang-format off
template struct expose_member<scheduler_wake, void (scheduler::*)(scheduler::mutex::scoped_lock&), &scheduler::wake_one_thread_and_unlock>;
template struct expose_member<scheduler_thread, decltype(&scheduler::thread_), &scheduler::thread_>; // by pointer or by value
// clang-format on

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

/// Whether the context's concurrency hint, or configuration, asks for locks in I/O.
inline bool wants_locks(scheduler& s)
{
#if BOOST_ASIO_VERSION >= 103400 // Boost 1.87
  return asio::config(s.context()).get("reactor", "io_locking", true);
#else
  return BOOST_ASIO_CONCURRENCY_HINT_IS_LOCKING(REACTOR_IO, s.concurrency_hint());
#endif
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ASIO_MEMBERS_HPP
