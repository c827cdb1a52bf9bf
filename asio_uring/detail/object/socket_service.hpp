// asio_uring/detail/object/socket_service.hpp: what Asio's socket classes call.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_SOCKET_SERVICE_HPP
#define ASIO_URING_DETAIL_OBJECT_SOCKET_SERVICE_HPP

#include <asio_uring/detail/object/operations.hpp>
#include <asio_uring/detail/object/service_on_ring.hpp>
#include <asio_uring/detail/object/socket_kind.hpp>
#include <asio_uring/detail/op/connect.hpp>
#include <asio_uring/detail/op/send_zero_copy.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <netinet/udp.h>

namespace asio_uring::detail {

/// The service of sockets and acceptors. The synchronous functions are those of Asio's own service; the
/// asynchronous ones, and the lifetime of the descriptor, are ours.
/**
 * The interface is what Asio's basic_socket, basic_stream_socket, basic_socket_acceptor, … have called since
 * Boost 1.66. So their public interface is Asio's own code, whatever the version.
 */
template <typename Protocol>
class socket_service : public service_on_ring<stock_socket_service<Protocol>>
{
  using stock = stock_socket_service<Protocol>;
  using on_ring = service_on_ring<stock>;
  using on_ring::finds_kept;
  using on_ring::uring_;

public:
  using key_type = socket_service;
  inline static asio::execution_context::id id;

  using protocol_type = Protocol;
  using endpoint_type = typename Protocol::endpoint;
  using implementation_type = typename on_ring::implementation_type;

  explicit socket_service(asio::execution_context& context) : on_ring(context) {}

  // --- life

  template <typename Protocol1>
  void converting_move_construct(implementation_type& impl, socket_service<Protocol1>& other_service,
                                 typename socket_service<Protocol1>::implementation_type& other)
  {
    stock::converting_move_construct(impl, other_service, other);
    this->take_descriptor(impl, other);
  }

  /// Takes over the descriptor of a stock socket from Asio's reactor.
  template <typename Protocol1>
  void converting_move_construct(implementation_type& impl, stock_socket_service<Protocol1>& other_service,
                                 typename stock_socket_service<Protocol1>::implementation_type& other)
  {
    this->construct(impl);
    if (!other_service.is_open(other)) return;
    const Protocol1 protocol = protocol_of(other);
    const auto state = state_of(other);
    error_code ec;
    unique_descriptor fd(other_service.release(other, ec));
    if (!assign(impl, protocol_type(protocol), fd.get(), ec)) fd.release();
    state_of(impl) = state;
  }

  error_code open(implementation_type& impl, const protocol_type& protocol, error_code& ec)
  {
    if (this->is_open(impl)) return ec = asio::error::already_open;
    unique_descriptor fd(socket_ops::socket(protocol.family(), protocol.type(), protocol.protocol(), ec));
    if (ec) return ec;
    adopt(impl, protocol, fd.get(), ec);
    fd.release();
    return ec;
  }

  error_code assign(implementation_type& impl, const protocol_type& protocol, int fd, error_code& ec)
  {
    if (this->is_open(impl)) return ec = asio::error::already_open;
    if ((ec = this->check_descriptor(fd))) return ec;
    return adopt(impl, protocol, fd, ec);
  }

  /// Takes ownership of a descriptor that is an open socket. If it throws, the caller keeps it.
  error_code adopt(implementation_type& impl, const protocol_type& protocol, int fd, error_code& ec,
                   bool accepted = false)
  {
    const socket_ops::state_type state = protocol.type() == SOCK_STREAM  ? socket_ops::stream_oriented
                                         : protocol.type() == SOCK_DGRAM ? socket_ops::datagram_oriented
                                                                         : 0;
    impl.file_ =
        &uring_.open_file_state(fd, kind_of_socket(protocol.family(), protocol.type(), protocol.protocol()));
    descriptor_of(impl) = fd;
    protocol_of(impl) = protocol;
    state_of(impl) = state;
    impl.accepted_ = accepted && (protocol.family() == AF_INET || protocol.family() == AF_INET6);
    return ec = error_code();
  }

  /// Handles two options: data below the low-water mark (SO_RCVLOWAT) raises no event, but the next read must
  /// get it; and datagrams that are received ahead have no room for the segment size that UDP_GRO reports.
  template <typename Option>
  error_code set_option(implementation_type& impl, const Option& option, error_code& ec)
  {
    stock::set_option(impl, option, ec);
    if (!ec && option.level(protocol_of(impl)) == SOL_SOCKET && option.name(protocol_of(impl)) == SO_RCVLOWAT)
      impl.file_->try_reads_at_once();
    if (!ec && option.level(protocol_of(impl)) == IPPROTO_UDP && option.name(protocol_of(impl)) == UDP_GRO)
      impl.file_->stop_reading_ahead();
    return ec;
  }

  // --- synchronous functions: what was started before is submitted first, and what a cancelled read left is
  // read first

  using on_ring::shutdown; // the one that ends the service
  error_code shutdown(implementation_type& impl, asio::socket_base::shutdown_type what, error_code& ec)
  {
    this->catch_up(impl, lane_kind::out);
    return stock::shutdown(impl, what, ec);
  }

  error_code connect(implementation_type& impl, const endpoint_type& peer, error_code& ec)
  {
    this->flush(impl);
    return stock::connect(impl, peer, ec);
  }

  template <typename Socket>
  error_code accept(implementation_type& impl, Socket& peer, endpoint_type* peer_endpoint, error_code& ec)
  {
    if (impl.file_ && !peer.is_open() && impl.file_->has_source()) {
      this->catch_up(impl, lane_kind::in);
      const auto accepted =
          impl.file_->take_ahead([](source& from) { return static_cast<accept_source&>(from).take(); });
      if (accepted)
        return ec =
                   std::get<0>(accept_into_op<Socket, Protocol>(peer, protocol_of(impl), peer_endpoint, false)
                                   .arguments(*accepted));
    }
    this->flush(impl);
    return stock::accept(impl, peer, peer_endpoint, ec);
  }

  template <typename Buffers>
  std::size_t send(implementation_type& impl, const Buffers& buffers, asio::socket_base::message_flags flags,
                   error_code& ec)
  {
    this->catch_up(impl, lane_kind::out);
    return stock::send(impl, buffers, flags, ec);
  }

  template <typename Buffers>
  std::size_t send_to(implementation_type& impl, const Buffers& buffers, const endpoint_type& destination,
                      asio::socket_base::message_flags flags, error_code& ec)
  {
    this->catch_up(impl, lane_kind::out);
    return stock::send_to(impl, buffers, destination, flags, ec);
  }

  std::size_t available(const implementation_type& impl, error_code& ec) const
  {
    const std::size_t kept = finds_kept(impl) ? impl.file_->kept_size() : 0;
    const std::size_t waiting = stock::available(impl, ec);
    const auto next = impl.file_ ? impl.file_->next_datagram() : std::nullopt;
    return next ? *next : kept + waiting;
  }

  error_code wait(implementation_type& impl, asio::socket_base::wait_type w, error_code& ec)
  {
    this->flush(impl);
    if (w == asio::socket_base::wait_read && finds_kept(impl)) return ec = error_code();
    return stock::wait(impl, w, ec);
  }

  template <typename Buffers>
  std::size_t receive(implementation_type& impl, const Buffers& buffers,
                      asio::socket_base::message_flags flags, error_code& ec)
  {
    if (const auto size = take_datagram(impl, buffers, flags)) return ec = error_code(), *size;
    if (finds_kept(impl) && state_of(impl) & socket_ops::stream_oriented &&
        !borrowed_buffers<asio::mutable_buffer, Buffers>::all_empty(buffers))
      return this->take_kept(impl, receive_op<Buffers>(buffers, flags, state_of(impl)), ec);
    return stock::receive(impl, buffers, flags, ec);
  }

  template <typename Buffers>
  std::size_t receive_from(implementation_type& impl, const Buffers& buffers, endpoint_type& sender,
                           asio::socket_base::message_flags flags, error_code& ec)
  {
    if (const auto size = take_datagram(impl, buffers, flags, sender_address(sender)))
      return ec = error_code(), *size;
    return stock::receive_from(impl, buffers, sender, flags, ec);
  }

  template <no_buffers Buffers>
  std::size_t receive_from(implementation_type& impl, const Buffers& buffers, endpoint_type& sender,
                           asio::socket_base::message_flags flags, error_code& ec)
  {
    if (finds_kept(impl)) return sender = endpoint_type(), ec = error_code(), 0;
    return stock::receive_from(impl, buffers, sender, flags, ec);
  }

  template <no_buffers Buffers>
  std::size_t receive(implementation_type& impl, const Buffers& buffers,
                      asio::socket_base::message_flags flags, error_code& ec)
  {
    if (finds_kept(impl)) return ec = error_code(), 0;
    return stock::receive(impl, buffers, flags, ec);
  }

  // --- asynchronous operations: operations.hpp

  template <typename Handler, typename IoExecutor>
  void async_wait(implementation_type& impl, asio::socket_base::wait_type what, Handler& handler,
                  const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).wait(what);
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  [[gnu::always_inline]] void async_send(implementation_type& impl, const Buffers& buffers,
                                         asio::socket_base::message_flags flags, Handler& handler,
                                         const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).send(buffers, flags);
  }

  /// Starts a zero-copy send (send_zero_copy.hpp). False if it should be an ordinary send: then nothing has
  /// been started.
  template <amount Amount, typename Buffers, typename Handler, typename IoExecutor>
  bool async_send_zero_copy(implementation_type& impl, const Buffers& buffers,
                            asio::socket_base::message_flags flags, Handler& handler, const IoExecutor& io_ex)
  {
    if (!impl.file_ || !zero_copy_sends::wanted(*impl.file_, asio::buffer_size(buffers))) return false;
    of(impl, handler, io_ex)
        .template start<send_zero_copy_op<Buffers, Amount>>(std::nullopt, "async_send_zero_copy", *impl.file_,
                                                            buffers, flags);
    return true;
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_send_to(implementation_type& impl, const Buffers& buffers, const endpoint_type& destination,
                     asio::socket_base::message_flags flags, Handler& handler, const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).send_to(buffers, destination, flags);
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  [[gnu::always_inline]] void async_receive(implementation_type& impl, const Buffers& buffers,
                                            asio::socket_base::message_flags flags, Handler& handler,
                                            const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).receive(buffers, flags);
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_receive_from(implementation_type& impl, const Buffers& buffers, endpoint_type& sender,
                          asio::socket_base::message_flags flags, Handler& handler, const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).receive_from(buffers, sender, flags);
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_receive_with_flags(implementation_type& impl, const Buffers& buffers,
                                asio::socket_base::message_flags in_flags,
                                asio::socket_base::message_flags& out_flags, Handler& handler,
                                const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).receive_with_flags(buffers, in_flags, out_flags);
  }

  template <typename Socket, typename Handler, typename IoExecutor>
  void async_accept(implementation_type& impl, Socket& peer, endpoint_type* peer_endpoint, Handler& handler,
                    const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).accept(peer, peer_endpoint);
  }

  template <typename PeerIoExecutor, typename Handler, typename IoExecutor>
  void async_move_accept(implementation_type& impl, const PeerIoExecutor& peer_io_ex,
                         endpoint_type* peer_endpoint, Handler& handler, const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).move_accept(peer_io_ex, peer_endpoint);
  }

  template <typename Handler, typename IoExecutor>
  void async_connect(implementation_type& impl, const endpoint_type& peer, Handler& handler,
                     const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).template start<connect_op<endpoint_type>>(std::nullopt, "async_connect", peer);
  }

  static constexpr const char* tracked_as = "socket";

private:
  template <typename>
  friend class socket_service;

  /// Serves a synchronous function with a datagram that was received ahead, if there is one.
  template <typename Buffers, typename... Detail>
  std::optional<std::size_t> take_datagram(implementation_type& impl, const Buffers& buffers,
                                           asio::socket_base::message_flags flags, Detail... detail)
  {
    if (!(state_of(impl) & socket_ops::datagram_oriented) || !impl.file_) return std::nullopt;
    this->catch_up(impl, lane_kind::in);
    return borrowed_buffers<asio::mutable_buffer, Buffers>(buffers).with_message([&](msghdr& message) {
      (detail.ask(message), ...);
      const auto size = impl.file_->take_datagram(message, flags);
      if (size) ((detail.read_back(message), detail.report()), ...);
      return size;
    });
  }

  template <typename Handler, typename IoExecutor>
  auto of(implementation_type& impl, Handler& handler, const IoExecutor& io_ex)
  {
    return operations<started_on_ring<socket_service, Handler, IoExecutor>>(*this, impl, handler, io_ex);
  }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_SOCKET_SERVICE_HPP
