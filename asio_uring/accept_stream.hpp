// asio_uring/accept_stream.hpp: the connections of an acceptor, one after the other.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_ACCEPT_STREAM_HPP
#define ASIO_URING_ACCEPT_STREAM_HPP

#include <asio_uring/detail/object/io_object.hpp>
#include <asio_uring/detail/object/on_object.hpp>
#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/detail/op/accept.hpp>
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(basic_socket_acceptor.hpp)
#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace asio_uring {

/// How an accept_stream accepts.
struct accept_stream_options
{
  /// How many connections may be accepted ahead. At this number the stream pauses, and goes on when half of
  /// them are taken. Connections that the kernel accepts before it stops, at most the listener's backlog,
  /// come on top.
  std::size_t max_ready = 64;
};

/// Accepts connections before the program asks for them, by one submission for all.
/**
 * @code
 * asio_uring::accept_stream connections(acceptor);
 * for (;;) {
 *   tcp::socket socket = co_await connections.async_next(use_awaitable);
 *   co_spawn(context, session(std::move(socket)), detached);
 * }
 * @endcode
 *
 * It begins with the first async_next. If descriptors or memory run out it pauses, for up to a quarter of a
 * second at a time, without an error; connections wait in the listener's backlog meanwhile. Connections that
 * are left when the stream is destroyed, or when async_accept is called beside it, are the next ones that the
 * acceptor accepts. Those that are left when the acceptor is closed are closed.
 *
 * The acceptor must be on io_uring (a type of asio_uring's, or any with as_default.hpp) and outlive the
 * stream. Thread safety: distinct objects safe, shared ones unsafe, the acceptor included. Since Linux 5.11,
 * and with the fallback; by one submission for all since 5.19, otherwise by one for each connection.
 */
template <typename Protocol, typename Executor = asio::any_io_executor>
class accept_stream
{
public:
  using protocol_type = Protocol;
  using executor_type = Executor;
  using endpoint_type = typename Protocol::endpoint;
  using acceptor_type = asio::basic_socket_acceptor<Protocol, Executor>;
  /// The socket that async_next makes with an executor.
  template <typename PeerExecutor>
  using socket_on = typename Protocol::socket::template rebind_executor<PeerExecutor>::other;

  /// Refers to the acceptor; accepting begins with the first async_next.
  /**
   * @param acceptor Must listen by then.
   * @param o How many connections are accepted ahead.
   */
  explicit accept_stream(acceptor_type& acceptor, const accept_stream_options& o = {}) noexcept
      : acceptor_(acceptor), options_(o)
  {
    static_assert(
        detail::is_on_ring<acceptor_type>,
        "asio_uring::accept_stream: the acceptor is a stock one: use asio_uring/ip/tcp.hpp and the like, or "
        "as_default.hpp");
  }

  executor_type get_executor() noexcept { return acceptor_->get_executor(); }

  /// Waits for the next connection.
  /**
   * @param token Completion signature `void(error_code, socket)`. Several may wait; they are served in order.
   *
   * Cancellation: terminal, partial and total, the acceptor's cancel() and close(), and the stream's
   * destruction: no connection is taken. Errors: those of async_accept except no_descriptors and the like, at
   * which it pauses: invalid_argument if the acceptor does not listen; bad_descriptor if it is closed;
   * operation_aborted.
   */
  template <typename Token = asio::default_completion_token_t<Executor>>
  requires(!detail::gives_executor<Token> &&
           !std::is_same_v<std::remove_cvref_t<Token>, endpoint_type>) auto async_next(Token&& token = {})
  {
    return next(get_executor(), nullptr, std::forward<Token>(token));
  }

  /// The same, with the peer's address.
  /**
   * @param peer_endpoint Set to the peer's address before the handler is called; unspecified if the peer has
   * gone by then. Must live until the handler is called.
   * @param token Completion signature `void(error_code, socket)`.
   */
  template <typename Token = asio::default_completion_token_t<Executor>>
  auto async_next(endpoint_type& peer_endpoint, Token&& token = {})
  {
    return next(get_executor(), &peer_endpoint, std::forward<Token>(token));
  }

  /// The same, for a socket with an executor of its own.
  /**
   * @param peer_executor The socket's executor, or an execution context, whose executor is used.
   * @param token Completion signature `void(error_code, socket_on<PeerExecutor>)`.
   */
  template <detail::gives_executor Peer, typename Token = asio::default_completion_token_t<Executor>>
  auto async_next(Peer&& peer_executor, Token&& token = {})
  {
    return next(detail::executor_of(peer_executor), nullptr, std::forward<Token>(token));
  }

  /// The same, with an executor and the peer's address.
  template <detail::gives_executor Peer, typename Token = asio::default_completion_token_t<Executor>>
  auto async_next(Peer&& peer_executor, endpoint_type& peer_endpoint, Token&& token = {})
  {
    return next(detail::executor_of(peer_executor), &peer_endpoint, std::forward<Token>(token));
  }

private:
  template <typename PeerExecutor, typename Token>
  auto next(const PeerExecutor& ex, endpoint_type* peer_endpoint, Token&& token)
  {
    const auto prepare = [acceptor = &*acceptor_, most = std::max<std::size_t>(options_.max_ready, 1)](
                             detail::file_state& file) -> std::optional<int> {
      file.use_source<detail::accept_source>(
          [&] { return std::make_unique<detail::accept_source>(file, most, reports_aborted(*acceptor)); });
      return std::nullopt;
    };
    const auto describe = [acceptor = &*acceptor_, ex, peer_endpoint] {
      return detail::next_connection_op<Protocol, PeerExecutor>(
          ex, detail::protocol_of(detail::impl_of(*acceptor).get_implementation()), peer_endpoint,
          reports_aborted(*acceptor));
    };
    return asio::async_initiate<Token, void(error_code, socket_on<PeerExecutor>)>(
        detail::initiate_on_object<acceptor_type>(*acceptor_, "async_next"), token, prepare, describe);
  }
  static bool reports_aborted(acceptor_type& acceptor)
  {
    return detail::state_of(detail::impl_of(acceptor).get_implementation()) &
           detail::socket_ops::enable_connection_aborted;
  }

  detail::streamed_object<acceptor_type> acceptor_;
  accept_stream_options options_;
};

} // namespace asio_uring

#endif // ASIO_URING_ACCEPT_STREAM_HPP
