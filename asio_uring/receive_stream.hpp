// asio_uring/receive_stream.hpp: the bytes that a stream socket receives, as they arrive.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RECEIVE_STREAM_HPP
#define ASIO_URING_RECEIVE_STREAM_HPP

#include <asio_uring/buffer_ring.hpp>
#include <asio_uring/detail/object/io_object.hpp>
#include <asio_uring/detail/object/on_object.hpp>
#include <asio_uring/detail/op/receive_source.hpp>
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(basic_stream_socket.hpp)
#include <optional>
#include <utility>

namespace asio_uring {

/// How far a receive_stream receives ahead.
struct receive_stream_options
{
  /// How many filled buffers may wait for async_next: at high_water the stream pauses, and goes on when no
  /// more than low_water are left. Buffers that the kernel fills before it stops come on top. high_water is
  /// at least 1, low_water less than that.
  unsigned high_water = 16;
  unsigned low_water = 8; ///< see high_water
};

/// Receives bytes before the program asks for them, by one submission for all; a buffer is chosen when some
/// arrive.
/**
 * @code
 * asio_uring::buffer_ring buffers(context);
 * asio_uring::receive_stream received(socket, buffers);
 * for (;;) {
 *   asio_uring::received_buffer data = co_await received.async_next(use_awaitable);
 *   co_await async_write(other_socket, asio::buffer(data), use_awaitable); // without a copy
 * }
 * @endcode
 *
 * It begins with the first async_next, and pauses while the program lags: TCP then stops the peer. While it
 * waits it holds no buffer. An ordinary read of the socket ends the stream, and so does its destruction: the
 * next reads get first the bytes that were received ahead. Writes go through the socket.
 *
 * The socket must be on io_uring (a type of asio_uring's, or any with as_default.hpp), of the buffer_ring's
 * context, and outlive the stream; the buffer_ring need not. Thread safety: distinct objects safe, shared
 * ones unsafe, the socket included. Since Linux 5.11; by one submission since 6.0, by polls and calls before,
 * with path::readiness and with the fallback.
 */
template <typename Protocol, typename Executor = asio::any_io_executor>
class receive_stream
{
public:
  using executor_type = Executor;
  using socket_type = asio::basic_stream_socket<Protocol, Executor>;

  /// Refers to the socket; receiving begins with the first async_next.
  /**
   * @param socket A stream socket on io_uring.
   * @param buffers The buffers for the bytes, of the same context.
   * @param o How far it receives ahead.
   */
  receive_stream(socket_type& socket, const buffer_ring& buffers,
                 const receive_stream_options& o = {}) noexcept
      : socket_(socket), group_(buffers.group()), marks_(detail::marks_of(o.high_water, o.low_water))
  {
    static_assert(
        detail::is_on_ring<socket_type>,
        "asio_uring::receive_stream: the socket is a stock one: use asio_uring/ip/tcp.hpp and the like, or "
        "as_default.hpp");
  }

  executor_type get_executor() noexcept { return socket_->get_executor(); }

  /// Waits for bytes: those of one receive, at most a buffer.
  /**
   * @param token Completion signature `void(error_code, received_buffer)`. Several may wait; they are served
   * in order.
   *
   * Cancellation: terminal, partial and total, the socket's cancel() and close(), and the stream's
   * destruction: no byte is taken or lost. Errors: those of async_read_some: eof, connection_reset;
   * operation_aborted; already_started while another stream of the socket, with other buffers, still receives
   * or has bytes left.
   */
  template <typename Token = asio::default_completion_token_t<Executor>>
  auto async_next(Token&& token = {})
  {
    const auto prepare = [group = group_, marks = marks_](detail::file_state& file) {
      return detail::use_received_source<detail::stream_source>(file, group, marks);
    };
    return asio::async_initiate<Token, void(error_code, received_buffer)>(
        detail::initiate_on_object<socket_type>(*socket_, "async_next"), token, prepare,
        [] { return detail::next_received_op(); });
  }

  /// Returns what async_next would return at once, or nothing. It never waits.
  /**
   * Operations that wait come first. async_next reports the end of the stream and errors. The function itself
   * does not receive: before the first async_next it returns nothing.
   */
  std::optional<received_buffer> try_next()
  {
    return detail::take_next(*socket_, detail::next_received_op(), [this](detail::source& from) {
      return static_cast<detail::stream_source&>(from).uses(*group_);
    });
  }

private:
  detail::streamed_object<socket_type> socket_;
  std::shared_ptr<detail::buffer_group> group_;
  detail::received_source::water_marks marks_;
};

} // namespace asio_uring

#endif // ASIO_URING_RECEIVE_STREAM_HPP
