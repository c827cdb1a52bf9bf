// asio_uring/datagram_batches.hpp: many datagrams by one operation and one system call.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DATAGRAM_BATCHES_HPP
#define ASIO_URING_DATAGRAM_BATCHES_HPP

#include <asio_uring/any_io_executor.hpp>
#include <asio_uring/detail/object/many_datagrams.hpp>
#include <asio_uring/receive_batch.hpp>
#include <asio_uring/send_batch.hpp>
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(basic_datagram_socket.hpp)
#include <cerrno>
#include <cstddef>
#include <optional>

// Functions for datagram sockets of every protocol: UDP, UNIX, generic.

namespace asio_uring {
namespace detail {

/// Only the services of sockets on io_uring perform these operations.
template <typename Executor>
constexpr void check_is_ours()
{
  static_assert(
      enable_io_uring<Executor>,
      "asio_uring: batches need a socket on io_uring, and this is a stock one: compile with -include "
      "asio_uring/as_default.hpp, or use a type of asio_uring, such as asio_uring::ip::udp::socket");
}

} // namespace detail

/// Receives the datagrams that are there: at least one, at most as many as the batch has room for.
/**
 * @code
 * asio_uring::receive_batch<udp> batch(64, 2048);
 * co_await asio_uring::async_receive_many(socket, batch, use_awaitable);
 * for (auto& datagram : batch)
 *   handle(datagram.data(), datagram.sender());
 * @endcode
 *
 * @param socket A datagram socket on io_uring.
 * @param batch Receives the datagrams; borrowed until the handler is called. Afterwards it is the range of
 * the received datagrams, in the order of their arrival.
 * @param token Completion signature `void(error_code, std::size_t)`: the number of datagrams.
 *
 * It is performed in order with the socket's other receives. The call (recvmmsg) is made when the handler is
 * about to run, whatever the path. Datagrams that the socket has received ahead come first.
 *
 * Cancellation: terminal, partial and total, the socket's cancel() and close(): no datagram is taken. Errors:
 * those of async_receive_from; the next receive reports one that occurs after the first datagram;
 * invalid_argument for a batch without room. Thread safety: as the socket's functions. Since Linux 5.11, and
 * with the fallback.
 */
template <typename Protocol, typename Executor,
          asio::completion_token_for<void(error_code, std::size_t)> Token =
              asio::default_completion_token_t<Executor>>
auto async_receive_many(asio::basic_datagram_socket<Protocol, Executor>& socket,
                        receive_batch<Protocol>& batch, Token&& token = {})
{
  detail::check_is_ours<Executor>();
  const auto prepare = [&batch](detail::file_state&) {
    return batch.capacity() == 0 ? std::optional(-EINVAL) : std::nullopt;
  };
  const auto describe = [&socket, &batch] {
    return detail::receive_of(batch, detail::impl_of(socket).get_implementation());
  };
  return asio::async_initiate<Token, void(error_code, std::size_t)>(
      detail::initiate_on_object(socket, "async_receive_many"), token, prepare, describe);
}

/// Sends datagrams in order, until all are sent or one fails.
/**
 * @code
 * asio_uring::send_batch<udp> replies;
 * for (auto& datagram : batch)
 *   replies.push_back(datagram.data(), datagram.sender());
 * co_await asio_uring::async_send_many(socket, replies, use_awaitable);
 * @endcode
 *
 * @param socket A datagram socket on io_uring.
 * @param batch The datagrams; borrowed with the data until the handler is called. The operation does not
 * change it: consume(n) removes those that were sent.
 * @param token Completion signature `void(error_code, std::size_t)`: the number of datagrams sent, also with
 * an error, which is that of the next one. If that is sent segment by segment, some segments may have been
 * sent.
 *
 * It is performed in order with the socket's other sends, and none comes between its datagrams. The calls
 * (sendmmsg) are made at once, and again when there is room, whatever the path.
 *
 * Cancellation: terminal, partial and total, the socket's cancel() and close(); datagrams that were sent
 * before are counted. Errors: those of async_send_to. If an ICMP error for an earlier datagram arrives during
 * a call that has sent some, the kernel does not report it. The rest is sent nevertheless; if that is
 * refused, too, the next operation gets the error. Thread safety: as the socket's functions. Since Linux
 * 5.11, and with the fallback.
 */
template <typename Protocol, typename Executor,
          asio::completion_token_for<void(error_code, std::size_t)> Token =
              asio::default_completion_token_t<Executor>>
auto async_send_many(asio::basic_datagram_socket<Protocol, Executor>& socket, send_batch<Protocol>& batch,
                     Token&& token = {})
{
  detail::check_is_ours<Executor>();
  const auto prepare = [&batch](detail::file_state&) {
    return batch.empty() ? std::optional(0) : std::nullopt;
  };
  const auto describe = [&socket, &batch] {
    return detail::send_many_op(batch, detail::descriptor_of(detail::impl_of(socket).get_implementation()));
  };
  return asio::async_initiate<Token, void(error_code, std::size_t)>(
      detail::initiate_on_object(socket, "async_send_many"), token, prepare, describe);
}

/// Receives as many datagrams as there are; waits for the first, unless the socket is non-blocking.
/**
 * Returns the number of datagrams; 0 with an error. Errors: those of async_receive_many, and would_block.
 * Operations that were started before are submitted first.
 */
template <typename Protocol, typename Executor>
std::size_t receive_many(asio::basic_datagram_socket<Protocol, Executor>& socket,
                         receive_batch<Protocol>& batch, error_code& ec)
{
  detail::check_is_ours<Executor>();
  return detail::receive_many_now(socket, batch, ec);
}

/// The same. @throws system_error
template <typename Protocol, typename Executor>
std::size_t receive_many(asio::basic_datagram_socket<Protocol, Executor>& socket,
                         receive_batch<Protocol>& batch)
{
  error_code ec;
  const std::size_t count = receive_many(socket, batch, ec);
  detail::throw_error(ec, "receive_many");
  return count;
}

/// Sends datagrams, in order; waits for room, unless the socket is non-blocking.
/**
 * Returns the number of datagrams sent, also with an error. Errors: those of async_send_many, and
 * would_block. Operations that were started before are submitted first.
 */
template <typename Protocol, typename Executor>
std::size_t send_many(asio::basic_datagram_socket<Protocol, Executor>& socket, send_batch<Protocol>& batch,
                      error_code& ec)
{
  detail::check_is_ours<Executor>();
  return detail::send_many_now(socket, batch, ec);
}

/// The same. @throws system_error, which does not say how many were sent
template <typename Protocol, typename Executor>
std::size_t send_many(asio::basic_datagram_socket<Protocol, Executor>& socket, send_batch<Protocol>& batch)
{
  error_code ec;
  const std::size_t count = send_many(socket, batch, ec);
  detail::throw_error(ec, "send_many");
  return count;
}

} // namespace asio_uring

#endif // ASIO_URING_DATAGRAM_BATCHES_HPP
