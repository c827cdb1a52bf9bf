// asio_uring/datagram_batches.hpp: many datagrams by one operation, and one system call.
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

/// The operations are made by the services of our sockets.
template <typename Executor>
constexpr void check_is_ours()
{
  static_assert(
      enable_io_uring<Executor>,
      "asio_uring: batches need a socket on io_uring, and this is a stock one: compile with -include "
      "asio_uring/as_default.hpp, or use a type of asio_uring, such as asio_uring::ip::udp::socket");
}

} // namespace detail

/// Receives as many datagrams as there are: one at least, and no more than the batch has room for.
/**
 * @code
 * asio_uring::receive_batch<udp> batch(64, 2048);
 * co_await asio_uring::async_receive_many(socket, batch, use_awaitable);
 * for (auto& datagram : batch)
 *   handle(datagram.data(), datagram.sender());
 * @endcode
 *
 * @param socket A datagram socket on io_uring.
 * @param batch Where they are put; borrowed until the handler is called. Afterwards it is the range of what
 * was received, in the order in which it has arrived.
 * @param token Completion signature `void(error_code, std::size_t)`: how many.
 *
 * It takes its turn among the socket's other receives. The call (recvmmsg) is made when the handler is about
 * to run, whatever path is forced. Datagrams that the socket has received ahead come first.
 *
 * Cancellation: terminal, partial and total, the socket's cancel() and close(); what was cancelled has taken
 * nothing. Errors: those of async_receive_from; one behind the first datagram is told by the next receive;
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

/// Sends datagrams, in order: completes when all are sent, or one cannot be.
/**
 * @code
 * asio_uring::send_batch<udp> replies;
 * for (auto& datagram : batch)
 *   replies.push_back(datagram.data(), datagram.sender());
 * co_await asio_uring::async_send_many(socket, replies, use_awaitable);
 * @endcode
 *
 * @param socket A datagram socket on io_uring.
 * @param batch Borrowed until the handler is called, with the data. It is left as it was: consume(n) removes
 * what was sent.
 * @param token Completion signature `void(error_code, std::size_t)`: how many were sent, in an error, too;
 * the error is that of the next one. Of one that is sent segment by segment, some may have gone before it
 * failed.
 *
 * It takes its turn among the socket's other sends, and none comes between. The calls (sendmmsg) are made at
 * once, and again when there is room, whatever path is forced.
 *
 * Cancellation: terminal, partial and total, the socket's cancel() and close(); those that were sent before
 * count. Errors: those of async_send_to. What an ICMP message tells of an earlier datagram, the kernel keeps
 * to itself where it comes in the midst of a call that has sent some; the others are sent nevertheless, and
 * if these are refused, too, the next operation is told. Thread safety: as the socket's functions. Since
 * Linux 5.11, and with the fallback.
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
 * Returns how many; 0 with an error: as async_receive_many, and would_block. It comes after what was started
 * before.
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
 * Returns how many were sent, with an error, too: as async_send_many, and would_block. It comes after what
 * was started before.
 */
template <typename Protocol, typename Executor>
std::size_t send_many(asio::basic_datagram_socket<Protocol, Executor>& socket, send_batch<Protocol>& batch,
                      error_code& ec)
{
  detail::check_is_ours<Executor>();
  return detail::send_many_now(socket, batch, ec);
}

/// The same. @throws system_error, which does not tell how many were sent
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
