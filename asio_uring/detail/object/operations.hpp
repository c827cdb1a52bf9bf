// asio_uring/detail/object/operations.hpp: the operations of sockets, descriptors and pipes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_OPERATIONS_HPP
#define ASIO_URING_DETAIL_OBJECT_OPERATIONS_HPP

#include <asio_uring/detail/asio/members.hpp>
#include <asio_uring/detail/op/accept.hpp>
#include <asio_uring/detail/op/receive.hpp>
#include <asio_uring/detail/op/send.hpp>
#include <asio_uring/detail/op/transfer.hpp>
#include <asio_uring/detail/op/wait.hpp>
#include <cerrno>
#include <optional>

namespace asio_uring::detail {

/// Chooses the description of each operation, and completes at once those whose result is known.
/**
 * `Start` starts the operation: of an object that is ours (started_on_ring), or of a stock one
 * (started_by_token). It has:
 * - `start<Description>(result, name, args...)`: makes the description from the arguments and starts it, or
 *   completes it with `result` if there is one;
 * - `start_wait<Extra...>(what, name)`: a wait, whose handler gets `Extra` after the error code;
 * - `make_non_blocking(preference)`: for calls that have no flag not to block; returns a result if that
 *   fails;
 * - `impl()`: what Asio's service stores in the object.
 */
template <typename Start>
class operations : public Start
{
  using flags_type = asio::socket_base::message_flags;

public:
  using Start::Start;

  void wait(asio::socket_base::wait_type what) { this->template start_wait<>(what, "async_wait"); }

  template <typename Buffers>
  [[gnu::always_inline]] void send(const Buffers& buffers, flags_type flags)
  {
    if constexpr (no_buffers<Buffers>)
      wait_instead(asio::socket_base::wait_write, "async_send(null_buffers)");
    else
      this->template start<send_op<Buffers>>(nothing_to_do<asio::const_buffer>(buffers), "async_send",
                                             buffers, flags);
  }

  template <typename Buffers, typename Endpoint>
  void send_to(const Buffers& buffers, const Endpoint& destination, flags_type flags)
  {
    if constexpr (no_buffers<Buffers>)
      wait_instead(asio::socket_base::wait_write, "async_send_to(null_buffers)");
    else
      this->template start<send_to_op<Buffers, Endpoint>>(std::nullopt, "async_send_to", buffers, destination,
                                                          flags);
  }

  template <typename Buffers>
  [[gnu::always_inline]] void receive(const Buffers& buffers, flags_type flags)
  {
    if constexpr (no_buffers<Buffers>)
      wait_instead(read_or_urgent(flags), "async_receive(null_buffers)");
    else if (flags & asio::socket_base::message_out_of_band)
      this->template start<receive_urgent_op<Buffers>>(nothing_to_do<asio::mutable_buffer>(buffers),
                                                       "async_receive", buffers, flags,
                                                       state_of(this->impl()));
    else
      this->template start<receive_op<Buffers>>(nothing_to_do<asio::mutable_buffer>(buffers), "async_receive",
                                                buffers, flags, state_of(this->impl()));
  }

  template <typename Buffers, typename Endpoint>
  void receive_from(const Buffers& buffers, Endpoint& sender, flags_type flags)
  {
    if constexpr (no_buffers<Buffers>) {
      sender = Endpoint();
      wait_instead(read_or_urgent(flags), "async_receive_from(null_buffers)");
    } else
      receive_message(buffers, flags, sender_address(sender), "async_receive_from");
  }

  template <typename Buffers>
  void receive_with_flags(const Buffers& buffers, flags_type in_flags, flags_type& out_flags)
  {
    if constexpr (no_buffers<Buffers>) {
      out_flags = 0;
      wait_instead(read_or_urgent(in_flags), "async_receive_with_flags(null_buffers)");
    } else
      receive_message(buffers, in_flags, received_flags(out_flags), "async_receive_with_flags");
  }

  template <typename Socket, typename Endpoint>
  void accept(Socket& peer, Endpoint* peer_endpoint)
  {
    using protocol = std::remove_cvref_t<decltype(protocol_of(this->impl()))>;
    std::optional<int> result = -EALREADY; // the description replaces it by its own error
    if (!peer.is_open()) result = this->make_non_blocking(accept_op<protocol>::preferred);
    this->template start<accept_into_op<Socket, protocol>>(
        result, "async_accept", peer, protocol_of(this->impl()), peer_endpoint, reports_aborted());
  }

  template <typename PeerExecutor, typename Endpoint>
  void move_accept(const PeerExecutor& peer_ex, Endpoint* peer_endpoint)
  {
    using protocol = std::remove_cvref_t<decltype(protocol_of(this->impl()))>;
    this->template start<accept_new_op<protocol, PeerExecutor>>(
        this->make_non_blocking(accept_op<protocol>::preferred), "async_accept", peer_ex,
        protocol_of(this->impl()), peer_endpoint, reports_aborted());
  }

  template <typename Buffers>
  void read_some(const Buffers& buffers)
  {
    if constexpr (no_buffers<Buffers>)
      wait_instead(asio::socket_base::wait_read, "async_read_some(null_buffers)");
    else
      transfer<asio::mutable_buffer>(buffers, "async_read_some");
  }

  template <typename Buffers>
  void write_some(const Buffers& buffers)
  {
    if constexpr (no_buffers<Buffers>)
      wait_instead(asio::socket_base::wait_write, "async_write_some(null_buffers)");
    else
      transfer<asio::const_buffer>(buffers, "async_write_some");
  }

  using Start::start;

private:
  /// The wait that null_buffers stand for.
  void wait_instead(asio::socket_base::wait_type what, const char* name)
  {
    this->template start_wait<std::size_t>(what, name);
  }

  static asio::socket_base::wait_type read_or_urgent(flags_type flags) noexcept
  {
    return flags & asio::socket_base::message_out_of_band ? asio::socket_base::wait_error
                                                          : asio::socket_base::wait_read;
  }

  /// An empty transfer of a stream completes at once.
  template <typename Buffer, typename Buffers>
  std::optional<int> nothing_to_do(const Buffers& buffers)
  {
    if ((state_of(this->impl()) & socket_ops::stream_oriented) &&
        borrowed_buffers<Buffer, Buffers>::all_empty(buffers))
      return 0;
    return std::nullopt;
  }

  template <typename Buffers, typename Detail>
  void receive_message(const Buffers& buffers, flags_type flags, const Detail& detail, const char* name)
  {
    this->template start<receive_message_op<Buffers, Detail>>(std::nullopt, name, buffers, flags, detail);
  }

  bool reports_aborted() { return state_of(this->impl()) & socket_ops::enable_connection_aborted; }

  template <typename Buffer, typename Buffers>
  void transfer(const Buffers& buffers, const char* name)
  {
    using description = transfer_op<Buffer, Buffers>;
    std::optional<int> result = 0;
    if (!borrowed_buffers<Buffer, Buffers>::all_empty(buffers))
      result = this->make_non_blocking(description::preferred);
    this->template start<description>(result, name, buffers);
  }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_OPERATIONS_HPP
