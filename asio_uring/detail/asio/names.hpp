// asio_uring/detail/asio/names.hpp: what is taken from asio::detail, by the names it has here.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_NAMES_HPP
#define ASIO_URING_DETAIL_ASIO_NAMES_HPP

#include <asio_uring/config.hpp>
#include <asio_uring/detail/asio/one_asio.hpp>
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(detail/buffer_sequence_adapter.hpp)
#include ASIO_URING_ASIO(detail/deadline_timer_service.hpp)
#include ASIO_URING_ASIO(detail/descriptor_ops.hpp)
#include ASIO_URING_ASIO(detail/epoll_reactor.hpp)
#include ASIO_URING_ASIO(detail/handler_tracking.hpp)
#include ASIO_URING_ASIO(detail/non_const_lvalue.hpp)
#include ASIO_URING_ASIO(detail/op_queue.hpp)
#include ASIO_URING_ASIO(detail/reactive_descriptor_service.hpp)
#include ASIO_URING_ASIO(detail/reactive_socket_service.hpp)
#include ASIO_URING_ASIO(detail/reactor_op.hpp)
#include ASIO_URING_ASIO(detail/scheduler.hpp)
#include ASIO_URING_ASIO(detail/scheduler_operation.hpp)
#include ASIO_URING_ASIO(detail/scheduler_task.hpp)
#include ASIO_URING_ASIO(detail/signal_set_service.hpp)
#include ASIO_URING_ASIO(detail/socket_ops.hpp)
#include ASIO_URING_ASIO(detail/throw_error.hpp)
#include ASIO_URING_ASIO(execution_context.hpp)

#define ASIO_URING_HANDLER_CREATION ASIO_URING_ASIO_MACRO(HANDLER_CREATION)
#define ASIO_URING_HANDLER_COMPLETION ASIO_URING_ASIO_MACRO(HANDLER_COMPLETION)
#define ASIO_URING_HANDLER_INVOCATION_BEGIN ASIO_URING_ASIO_MACRO(HANDLER_INVOCATION_BEGIN)
#define ASIO_URING_HANDLER_INVOCATION_END ASIO_URING_ASIO_MACRO(HANDLER_INVOCATION_END)

namespace asio_uring::detail {

namespace socket_ops = asio::detail::socket_ops;
namespace descriptor_ops = asio::detail::descriptor_ops;
using asio::detail::throw_error;

using scheduler = asio::detail::scheduler;
using scheduler_task = asio::detail::scheduler_task;
using epoll_reactor = asio::detail::epoll_reactor;

/// What a run loop runs: complete(owner, ec, n) delivers, destroy() gives up. Asio's own type, so that the
/// stock scheduler can queue our operations among its own.
using completion = asio::detail::scheduler_operation;
using completion_queue = asio::detail::op_queue<completion>;

/// What Asio's reactor knows of one descriptor: the operations that wait for it.
using reactor_state = epoll_reactor::descriptor_state;
using reactor_op = asio::detail::reactor_op;
using reactor_queue = asio::detail::op_queue<reactor_op>;
using op_queue_access = asio::detail::op_queue_access;

/// The services of stock I/O objects.
template <typename Protocol>
using stock_socket_service = asio::detail::reactive_socket_service<Protocol>;
using stock_descriptor_service = asio::detail::reactive_descriptor_service;
using stock_descriptor = stock_descriptor_service::implementation_type;
template <typename TimeTraits>
using stock_timer_service = asio::detail::deadline_timer_service<TimeTraits>;
using stock_signal_service = asio::detail::signal_set_service;

template <typename Buffer, typename Buffers>
using buffer_adapter = asio::detail::buffer_sequence_adapter<Buffer, Buffers>;
template <typename Handler>
using non_const_lvalue = asio::detail::non_const_lvalue<Handler>;
template <typename... Signatures>
using initiation_archetype = asio::detail::initiation_archetype<Signatures...>;

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ASIO_NAMES_HPP
