// asio_uring/receive_stream.hpp: what a stream socket receives, as it comes.
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
  /// Buffers that are filled and that nobody has asked for: with so many the kernel is told to stop, and to
  /// go on when no more than low_water are left. What it has received by then comes on top. At least 1, and
  /// less than that.
  unsigned high_water = 16;
  unsigned low_water = 8; ///< see high_water
};

/// Receives before it is asked for, into buffers that are chosen when there is something: one submission for
/// all.
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
 * waits it holds no memory. An ordinary read of the socket ends it: that and the next ones get first what was
 * received ahead. So does its destruction. Writing is the socket's business, as ever.
 *
 * The socket, of a type of ours or with as_default.hpp, must outlive it; the buffer_ring need not. Both are
 * of one context. Thread safety: distinct objects safe, shared ones unsafe, the socket included. Since
 * Linux 6.0 by one submission; before, with path::readiness and with the fallback, by polls and calls.
 */
template <typename Protocol, typename Executor = asio::any_io_executor>
class receive_stream
{
public:
  using executor_type = Executor;
  using socket_type = asio::basic_stream_socket<Protocol, Executor>;

  /// Begins nothing yet.
  /**
   * @param socket A stream socket on io_uring.
   * @param buffers Where bytes are put: of the same context.
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

  /// Waits for bytes: what one receive of the kernel's has brought, at most a buffer.
  /**
   * @param token Completion signature `void(error_code, received_buffer)`. Several may wait; first come,
   * first served.
   *
   * Cancellation: terminal, partial and total: no byte is taken, nor lost; the socket's cancel() and close(),
   * and the stream's end, do the same. Errors: as async_read_some: eof, connection_reset; operation_aborted;
   * already_started where another stream, with other buffers, has not been left behind yet.
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

  /// What async_next would give at once, or nothing: never waits.
  /**
   * Operations that wait come first. An end and errors are told by async_next. It receives nothing by itself:
   * a stream that was never asked by async_next has nothing.
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
