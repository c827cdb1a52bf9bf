// asio_uring/detail/asio/names.hpp: what is taken from boost::asio::detail, by the names it has here.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_NAMES_HPP
#define ASIO_URING_DETAIL_ASIO_NAMES_HPP

#include <asio_uring/config.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/detail/buffer_sequence_adapter.hpp>
#include <boost/asio/detail/deadline_timer_service.hpp>
#include <boost/asio/detail/descriptor_ops.hpp>
#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/detail/handler_tracking.hpp>
#include <boost/asio/detail/non_const_lvalue.hpp>
#include <boost/asio/detail/op_queue.hpp>
#include <boost/asio/detail/reactive_descriptor_service.hpp>
#include <boost/asio/detail/reactive_socket_service.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/detail/scheduler_operation.hpp>
#include <boost/asio/detail/scheduler_task.hpp>
#include <boost/asio/detail/signal_set_service.hpp>
#include <boost/asio/detail/socket_ops.hpp>
#include <boost/asio/detail/throw_error.hpp>
#include <boost/asio/execution_context.hpp>

#define ASIO_URING_HANDLER_CREATION ASIO_URING_ASIO_MACRO(HANDLER_CREATION)
#define ASIO_URING_HANDLER_COMPLETION ASIO_URING_ASIO_MACRO(HANDLER_COMPLETION)
#define ASIO_URING_HANDLER_INVOCATION_BEGIN ASIO_URING_ASIO_MACRO(HANDLER_INVOCATION_BEGIN)
#define ASIO_URING_HANDLER_INVOCATION_END ASIO_URING_ASIO_MACRO(HANDLER_INVOCATION_END)

namespace asio_uring::detail {

namespace socket_ops = boost::asio::detail::socket_ops;
namespace descriptor_ops = boost::asio::detail::descriptor_ops;
using asio::detail::throw_error;

using scheduler = asio::detail::scheduler;
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
