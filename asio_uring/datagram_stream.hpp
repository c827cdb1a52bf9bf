// asio_uring/datagram_stream.hpp: what a datagram socket receives, as it comes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DATAGRAM_STREAM_HPP
#define ASIO_URING_DATAGRAM_STREAM_HPP

#include <asio_uring/buffer_ring.hpp>
#include <asio_uring/detail/object/io_object.hpp>
#include <asio_uring/detail/object/on_object.hpp>
#include <asio_uring/detail/op/datagram_source.hpp>
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(basic_datagram_socket.hpp)
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace asio_uring {

/// How far a datagram_stream receives ahead.
struct datagram_stream_options
{
  /// Buffers that are filled and that nobody has asked for: with so many the kernel is told to stop, and to
  /// go on when no more than low_water are left. What it has received by then, 32 datagrams or so, comes on
  /// top. At least 1, and less than that.
  unsigned high_water = 64;
  unsigned low_water = 32; ///< see high_water
  /// Bytes that each buffer has for control messages, which the socket's options ask for (IP_PKTINFO,
  /// SO_TIMESTAMP).
  std::size_t control_size = 0;
};

/// Receives before it is asked for, into buffers that are chosen when there is something: one submission for
/// all datagrams, whoever sends them.
/**
 * @code
 * asio_uring::buffer_ring buffers(context);
 * asio_uring::datagram_stream received(socket, buffers);
 * for (;;) {
 *   auto datagram = co_await received.async_next(use_awaitable);
 *   co_await socket.async_send_to(datagram.payload(), datagram.sender(), use_awaitable); // without a copy
 * }
 * @endcode
 *
 * A buffer has 144 bytes and control_size for what is known of the datagram; what does not fit into the rest
 * is cut off: received_datagram::truncated(). It begins with the first async_next, and pauses while the
 * program lags: the kernel drops what finds no room in the socket then, as ever. An ordinary receive of the
 * socket ends it: that and the next ones get first what was received ahead, without its control messages;
 * descriptors that came with them are closed. So does its destruction. While something is left, release()
 * fails with try_again. Sending is the socket's business.
 *
 * The socket, of a type of ours or with as_default.hpp, must outlive it; the buffer_ring need not. Both are
 * of one context. Thread safety: distinct objects safe, shared ones unsafe, the socket included. Since
 * Linux 6.0 by one submission; before, with path::readiness and with the fallback, by polls and calls.
 */
template <typename Protocol, typename Executor = asio::any_io_executor>
class datagram_stream
{
public:
  using executor_type = Executor;
  using socket_type = asio::basic_datagram_socket<Protocol, Executor>;
  using value_type = received_datagram<Protocol>;

  /// Begins nothing yet.
  /**
   * @param socket A datagram socket on io_uring.
   * @param buffers Where datagrams are put: of the same context.
   * @param o How far it receives ahead.
   */
  datagram_stream(socket_type& socket, const buffer_ring& buffers,
                  const datagram_stream_options& o = {}) noexcept
      : socket_(socket),
        group_(buffers.group()),
        marks_(detail::marks_of(o.high_water, o.low_water)),
        layout_(o.control_size)
  {
    static_assert(
        detail::is_on_ring<socket_type>,
        "asio_uring::datagram_stream: the socket is a stock one: use asio_uring/ip/udp.hpp and the like, or "
        "as_default.hpp");
  }

  executor_type get_executor() noexcept { return socket_->get_executor(); }

  /// Waits for the next datagram, which may be an empty one.
  /**
   * @param token Completion signature `void(error_code, received_datagram<Protocol>)`. Several may wait;
   * first come, first served.
   *
   * Cancellation: terminal, partial and total: no datagram is taken, nor lost; the socket's cancel() and
   * close(), and the stream's end, do the same. Errors: as async_receive_from: connection_refused and the
   * like of a connected socket, once, and the next call goes on; operation_aborted; invalid_argument where
   * buffers of this size have no room for a payload; already_started where another stream, with other buffers
   * or another control_size, has not been left behind yet.
   */
  template <typename Token = asio::default_completion_token_t<Executor>>
  auto async_next(Token&& token = {})
  {
    const auto prepare = [group = group_, marks = marks_, layout = layout_](detail::file_state& file) {
      return detail::use_datagram_source(file, group, marks, layout);
    };
    return asio::async_initiate<Token, void(error_code, value_type)>(
        detail::initiate_on_object<socket_type>(*socket_, "async_next"), token, prepare,
        [layout = layout_] { return detail::next_datagram_op<Protocol>(layout); });
  }

  /// The datagram that async_next would give at once, or nothing: never waits.
  /**
   * For those who deal with all that are there, by a send_batch for instance. Operations that wait come
   * first. Errors are told by async_next. It receives nothing by itself: a stream that was never asked by
   * async_next has nothing.
   */
  std::optional<value_type> try_next()
  {
    return detail::take_next(*socket_, detail::next_datagram_op<Protocol>(layout_),
                             [this](detail::source& from) {
                               const auto& used = static_cast<detail::datagram_source&>(from);
                               return used.uses(*group_) && used.has_layout(layout_);
                             });
  }

private:
  detail::streamed_object<socket_type> socket_;
  std::shared_ptr<detail::buffer_group> group_;
  detail::received_source::water_marks marks_;
  detail::datagram_layout layout_;
};

} // namespace asio_uring

#endif // ASIO_URING_DATAGRAM_STREAM_HPP
