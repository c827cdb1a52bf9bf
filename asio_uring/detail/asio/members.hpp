// asio_uring/detail/asio/members.hpp: the private members of Asio's classes that are reached, each once.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_MEMBERS_HPP
#define ASIO_URING_DETAIL_ASIO_MEMBERS_HPP

#include <asio_uring/detail/asio/names.hpp>
#include <type_traits>

namespace asio_uring::detail {

/// A private member of Asio's, by the one loophole the language leaves: explicit instantiation ignores
/// access. `Type` is what the library takes the member for. `object.*member_of(tag{})` is the member.
template <typename Tag, typename Type, auto Member>
struct expose_member
{
  static_assert(std::is_same_v<decltype(Member), Type>,
                "asio_uring: a private member of this version of Asio has another type than those known "
                "to this version of asio_uring");
  friend auto member_of(Tag) { return Member; }
};

#define ASIO_URING_MEMBER(tag, type, member)                                                                 \
  struct tag                                                                                                 \
  {                                                                                                          \
    friend auto member_of(tag);                                                                              \
  };                                                                                                         \
  template struct expose_member<tag, type, &member>;

// clang-format off
// A compiler error here: this version of Asio is not known to this version of asio_uring.
ASIO_URING_MEMBER(reactor_timer_fd, int epoll_reactor::*, epoll_reactor::timer_fd_)
ASIO_URING_MEMBER(reactor_epoll_fd, int epoll_reactor::*, epoll_reactor::epoll_fd_)
ASIO_URING_MEMBER(reactor_timer_queues, asio::detail::timer_queue_set epoll_reactor::*, epoll_reactor::timer_queues_)
ASIO_URING_MEMBER(reactor_mutex, epoll_reactor::mutex epoll_reactor::*, epoll_reactor::mutex_)
ASIO_URING_MEMBER(reactor_state_mutex, epoll_reactor::mutex reactor_state::*, reactor_state::mutex_)
ASIO_URING_MEMBER(reactor_state_queues, reactor_queue (reactor_state::*)[epoll_reactor::max_ops], reactor_state::op_queue_)
ASIO_URING_MEMBER(reactor_state_shutdown, bool reactor_state::*, reactor_state::shutdown_)
ASIO_URING_MEMBER(scheduler_mutex, scheduler::mutex scheduler::*, scheduler::mutex_)
ASIO_URING_MEMBER(scheduler_queue, completion_queue scheduler::*, scheduler::op_queue_)
ASIO_URING_MEMBER(scheduler_reactor, asio::detail::scheduler_task* scheduler::*, scheduler::task_)
ASIO_URING_MEMBER(scheduler_reactor_place, scheduler::task_operation scheduler::*, scheduler::task_operation_)
ASIO_URING_MEMBER(scheduler_wake, void (scheduler::*)(scheduler::mutex::scoped_lock&), scheduler::wake_one_thread_and_unlock)
ASIO_URING_MEMBER(scheduler_thread, decltype(&scheduler::thread_), scheduler::thread_) // by pointer or by value
ASIO_URING_MEMBER(descriptor_number, int stock_descriptor::*, stock_descriptor::descriptor_)
ASIO_URING_MEMBER(descriptor_state, descriptor_ops::state_type stock_descriptor::*, stock_descriptor::state_)
ASIO_URING_MEMBER(descriptor_reactor_data, reactor_state* stock_descriptor::*, stock_descriptor::reactor_data_)
// clang-format on

#undef ASIO_URING_MEMBER

// What a service keeps of a socket or descriptor.

template <typename Implementation>
inline constexpr bool is_socket = !std::is_base_of_v<stock_descriptor, Implementation>;

template <typename Implementation>
auto& descriptor_of(Implementation& impl) noexcept
{
  if constexpr (is_socket<Implementation>)
    return impl.socket_;
  else
    return impl.*member_of(descriptor_number{});
}
/// Flags of socket_ops or descriptor_ops.
template <typename Implementation>
auto& state_of(Implementation& impl) noexcept
{
  if constexpr (is_socket<Implementation>)
    return impl.state_;
  else
    return impl.*member_of(descriptor_state{});
}
template <typename Implementation>
auto& protocol_of(Implementation& impl) noexcept
{
  return impl.protocol_;
}
template <typename Implementation>
reactor_state* reactor_data_of(Implementation& impl) noexcept
{
  if constexpr (is_socket<Implementation>)
    return impl.reactor_data_;
  else
    return impl.*member_of(descriptor_reactor_data{});
}

/// As Asio's own asynchronous operations make a descriptor non-blocking; its synchronous ones know.
template <typename Implementation>
bool set_non_blocking(Implementation& impl, error_code& ec)
{
  auto& state = state_of(impl);
  if constexpr (is_socket<Implementation>)
    return (state & socket_ops::non_blocking) ||
           socket_ops::set_internal_non_blocking(descriptor_of(impl), state, true, ec);
  else
    return (state & descriptor_ops::non_blocking) ||
           descriptor_ops::set_internal_non_blocking(descriptor_of(impl), state, true, ec);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ASIO_MEMBERS_HPP
