// asio_uring/detail/asio/contract.hpp: what the library relies on in Asio, checked by the compiler.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_CONTRACT_HPP
#define ASIO_URING_DETAIL_ASIO_CONTRACT_HPP

#include <asio_uring/detail/asio/names.hpp>
#include ASIO_URING_ASIO(posix/descriptor_base.hpp)
#include ASIO_URING_ASIO(socket_base.hpp)
#include <type_traits>

// Seen in Boost 1.81 to 1.92 (Asio 1.26 to 1.38). The private members are in members.hpp, with their types.

namespace asio_uring::detail {

// The scheduler queues our operations among its own, and runs them or gives them up by these.
static_assert(requires(completion & op) { op.complete(nullptr, error_code(), 0), op.destroy(); });
static_assert(std::is_base_of_v<completion, reactor_op>);

// A ring pump stands in the place of the reactor, which the scheduler calls by these.
static_assert(std::is_base_of_v<asio::detail::scheduler_task, epoll_reactor>);
static_assert(
    std::is_same_v<decltype(&epoll_reactor::run), void (epoll_reactor::*)(long, completion_queue&)>);
static_assert(std::is_same_v<decltype(&epoll_reactor::interrupt), void (epoll_reactor::*)()>);

// A guest's ring and the links of stock objects wait in these of a descriptor's queues.
static_assert(epoll_reactor::read_op < epoll_reactor::max_ops &&
              epoll_reactor::except_op < epoll_reactor::max_ops);

// A descriptor is waited for as a socket is.
static_assert(int(asio::posix::descriptor_base::wait_read) == int(asio::socket_base::wait_read) &&
              int(asio::posix::descriptor_base::wait_write) == int(asio::socket_base::wait_write) &&
              int(asio::posix::descriptor_base::wait_error) == int(asio::socket_base::wait_error));

/// Whether a socket's transfers make its descriptor non-blocking, and not its connect and accept alone: since
/// Asio 1.38.2 transfers have a flag of their own for that.
inline constexpr bool transfers_set_non_blocking = ASIO_URING_ASIO_MACRO(VERSION) < 103802;

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ASIO_CONTRACT_HPP
