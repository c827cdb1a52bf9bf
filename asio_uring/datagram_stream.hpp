// asio_uring/datagram_stream.hpp: the datagrams of a socket, one after the other.
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

/// How many datagrams a datagram_stream receives ahead.
struct datagram_stream_options
{
  /// How many filled buffers may wait for async_next: at high_water the stream pauses, and goes on when no
  /// more than low_water are left. Datagrams that the kernel receives before it stops, about 32, come on top.
  /// high_water is at least 1, low_water less than that.
  unsigned high_water = 64;
  unsigned low_water = 32; ///< see high_water
  /// The room in each buffer for control messages that the socket's options ask for (IP_PKTINFO,
  /// SO_TIMESTAMP), in bytes.
  std::size_t control_size = 0;
};

/// Receives datagrams before the program asks for them, by one submission for all; a buffer is chosen when
/// one arrives.
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
 * Of each buffer, 144 bytes and control_size hold what is known of the datagram; a datagram that does not fit
 * into the rest is cut: received_datagram::truncated(). The stream begins with the first async_next, and
 * pauses while the program lags; then the kernel drops datagrams for which the socket has no room, as ever.
 * An ordinary receive of the socket ends the stream, and so does its destruction: the next receives get the
 * datagrams that were received ahead, without their control messages; descriptors in these are closed. While
 * such datagrams are left, the socket's release() fails with try_again. Sends go through the socket.
 *
 * The socket must be on io_uring (a type of asio_uring's, or any with as_default.hpp), of the buffer_ring's
 * context, and outlive the stream; the buffer_ring need not. Thread safety: distinct objects safe, shared
 * ones unsafe, the socket included. Since Linux 5.11; by one submission since 6.0, by polls and calls before,
 * with path::readiness and with the fallback.
 */
template <typename Protocol, typename Executor = asio::any_io_executor>
class datagram_stream
{
public:
  using executor_type = Executor;
  using socket_type = asio::basic_datagram_socket<Protocol, Executor>;
  using value_type = received_datagram<Protocol>;

  /// Refers to the socket; receiving begins with the first async_next.
  /**
   * @param socket A datagram socket on io_uring.
   * @param buffers The buffers for the datagrams, of the same context.
   * @param o How many datagrams it receives ahead.
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

  /// Waits for the next datagram, which may be empty.
  /**
   * @param token Completion signature `void(error_code, received_datagram<Protocol>)`. Several may wait; they
   * are served in order.
   *
   * Cancellation: terminal, partial and total, the socket's cancel() and close(), and the stream's
   * destruction: no datagram is taken or lost. Errors: those of async_receive_from, such as
   * connection_refused of a connected socket: each is reported once, and the next call goes on;
   * operation_aborted; invalid_argument if buffers of this size have no room for a payload; already_started
   * while another stream of the socket, with other buffers or another control_size, still receives or has
   * datagrams left.
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

  /// Returns the datagram that async_next would return at once, or nothing. It never waits.
  /**
   * So a program can handle all datagrams that are there, by a send_batch for instance. Operations that wait
   * come first. async_next reports errors. The function itself does not receive: before the first async_next
   * it returns nothing.
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
