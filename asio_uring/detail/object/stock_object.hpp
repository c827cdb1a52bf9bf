// asio_uring/detail/object/stock_object.hpp: starting operations of ours on stock I/O objects.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_STOCK_OBJECT_HPP
#define ASIO_URING_DETAIL_OBJECT_STOCK_OBJECT_HPP

#include <asio_uring/detail/asio/stock_access.hpp>
#include <asio_uring/detail/object/descriptor_service.hpp>
#include <asio_uring/detail/object/reactor_link.hpp>
#include <asio_uring/detail/object/socket_service.hpp>
#include <type_traits>

namespace asio_uring::detail {

/// A description for a stock object: what touches the descriptor does so only while it is the object's.
template <typename Description>
class while_linked : public Description
{
public:
  static constexpr preference preferred = preference::by_calls;

  template <typename... Args>
  explicit while_linked(reactor_link::handle&& link, Args&&... args)
      : Description(std::forward<Args>(args)...), link_(std::move(link))
  {}

  int perform(int fd)
  {
    return link_.if_linked([&] { return Description::perform(fd); });
  }
  int finish(int fd, int result) requires(Description::lane == lane_kind::none)
  {
    if (result < 0 || !link_) return result;
    return link_.if_linked([&] {
      if constexpr (requires(Description & d) { d.finish(0, 0); })
        return Description::finish(fd, result);
      else
        return result;
    });
  }

private:
  reactor_link::handle link_;
};

/// async_connect on a stock socket: connect(2) has been called, its outcome is waited for.
class connect_outcome_op
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr bool polls = true;

  void prepare(io_uring_sqe& sqe, int fd) { wait_.prepare(sqe, fd); }
  int perform(int) { return -EAGAIN; }
  bool more(int) const noexcept { return false; }
  bool retry(int fd, int result) const noexcept { return wait_.retry(fd, result); }
  int finish(int fd, int)
  {
    int error = 0;
    socklen_t size = sizeof(error);
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) ? -errno : -error;
  }
  std::tuple<error_code> arguments(int result) const { return {error_of(result)}; }

private:
  wait_op<> wait_{asio::socket_base::wait_write};
};

/// Operations on one stock object, started through the ring of its context.
template <typename Object>
class stock_object
{
public:
  explicit stock_object(Object& object)
      : impl_(stock_access::implementation_of(object)), ex_(object.get_executor()), uring_(service_of(ex_))
  {}

  template <typename What, typename Handler>
  void async_wait(What w, Handler& handler)
  {
    const auto what = static_cast<asio::socket_base::wait_type>(w);
    if (!wait_op<>(what).valid()) know(-EINVAL);
    start<wait_op<>>(handler, "async_wait", what);
  }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler& handler)
  {
    if constexpr (no_buffers<Buffers>)
      start<wait_op<std::size_t>>(handler, "async_read_some(null_buffers)", asio::socket_base::wait_read);
    else
      transfer<asio::mutable_buffer, read_op<Buffers>>(handler, "async_read_some", buffers);
  }

  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler& handler)
  {
    if constexpr (no_buffers<Buffers>)
      start<wait_op<std::size_t>>(handler, "async_write_some(null_buffers)", asio::socket_base::wait_write);
    else
      transfer<asio::const_buffer, write_op<Buffers>>(handler, "async_write_some", buffers);
  }

  template <typename Buffers, typename Handler>
  void async_receive(const Buffers& buffers, asio::socket_base::message_flags flags, Handler& handler)
  {
    if constexpr (no_buffers<Buffers>)
      start<wait_op<std::size_t>>(handler, "async_receive(null_buffers)", read_or_urgent(flags));
    else {
      const bool stream = impl_.state_ & socket_ops::stream_oriented;
      if (stream && borrowed_buffers<asio::mutable_buffer, Buffers>::all_empty(buffers)) know(0);
      if (flags & asio::socket_base::message_out_of_band)
        start<receive_urgent_op<Buffers>>(handler, "async_receive", buffers, flags, impl_.state_);
      else
        start<receive_op<Buffers>>(handler, "async_receive", buffers, flags, impl_.state_);
    }
  }

  template <typename Buffers, typename Endpoint, typename Handler>
  void async_receive_from(const Buffers& buffers, Endpoint& sender, asio::socket_base::message_flags flags,
                          Handler& handler)
  {
    if constexpr (no_buffers<Buffers>) {
      sender = Endpoint();
      start<wait_op<std::size_t>>(handler, "async_receive_from(null_buffers)", read_or_urgent(flags));
    } else
      start<receive_message_op<Buffers, sender_address<Endpoint>>>(handler, "async_receive_from", buffers,
                                                                   flags, sender_address(sender));
  }

  template <typename Buffers, typename Handler>
  void async_send(const Buffers& buffers, asio::socket_base::message_flags flags, Handler& handler)
  {
    if constexpr (no_buffers<Buffers>)
      start<wait_op<std::size_t>>(handler, "async_send(null_buffers)", asio::socket_base::wait_write);
    else {
      if ((impl_.state_ & socket_ops::stream_oriented) &&
          borrowed_buffers<asio::const_buffer, Buffers>::all_empty(buffers))
        know(0);
      start<send_op<Buffers>>(handler, "async_send", buffers, flags);
    }
  }

  template <typename Buffers, typename Endpoint, typename Handler>
  void async_send_to(const Buffers& buffers, const Endpoint& destination,
                     asio::socket_base::message_flags flags, Handler& handler)
  {
    if constexpr (no_buffers<Buffers>)
      start<wait_op<std::size_t>>(handler, "async_send_to(null_buffers)", asio::socket_base::wait_write);
    else
      start<send_to_op<Buffers, Endpoint>>(handler, "async_send_to", buffers, destination, flags);
  }

  template <typename Endpoint, typename Handler>
  void async_connect(const Endpoint& peer, error_code ec, Handler& handler)
  {
    if (!ec && set_non_blocking(ec) &&
        socket_ops::connect(impl_.socket_, peer.data(), peer.size(), ec) != 0 &&
        (ec == asio::error::in_progress || ec == asio::error::would_block))
      return start<connect_outcome_op>(handler, "async_connect");
    know(-ec.value());
    start<connect_outcome_op>(handler, "async_connect");
  }

  template <typename Socket, typename Endpoint, typename Handler>
  void async_accept(Socket& peer, Endpoint* peer_endpoint, Handler& handler)
  {
    error_code ec;
    if (peer.is_open())
      know(-EALREADY); // the description knows better
    else if (!set_non_blocking(ec))
      know(-ec.value());
    start<accept_into_op<Socket, typename Object::protocol_type>>(
        handler, "async_accept", peer, impl_.protocol_, peer_endpoint, reports_aborted());
  }

  template <typename PeerExecutor, typename Endpoint, typename Handler>
  void async_move_accept(const PeerExecutor& peer_ex, Endpoint* peer_endpoint, Handler& handler)
  {
    error_code ec;
    if (!set_non_blocking(ec)) know(-ec.value());
    start<accept_new_op<typename Object::protocol_type, PeerExecutor>>(
        handler, "async_accept", peer_ex, impl_.protocol_, peer_endpoint, reports_aborted());
  }

private:
  using executor_type = typename Object::executor_type;
  using implementation_type =
      std::remove_reference_t<decltype(stock_access::implementation_of(std::declval<Object&>()))>;

  static ring_service& service_of(const executor_type& ex)
  {
    asio::execution_context& context = context_of(ex);
    // Threads may come at a time, and a second service must not begin.
    return asio::has_service<ring_service>(context) ? asio::use_service<ring_service>(context)
                                                    : use_ring_service(context);
  }

  static asio::socket_base::wait_type read_or_urgent(asio::socket_base::message_flags flags) noexcept
  {
    return flags & asio::socket_base::message_out_of_band ? asio::socket_base::wait_error
                                                          : asio::socket_base::wait_read;
  }

  void know(int result) noexcept
  {
    known_ = true;
    result_ = result;
  }

  bool set_non_blocking(error_code& ec) { return stock_access::set_non_blocking(impl_, ec); }

  bool reports_aborted() const noexcept { return impl_.state_ & socket_ops::enable_connection_aborted; }

  // Descriptors have no calls that do not block, other than by themselves not to block.
  template <typename Buffer, typename Description, typename Handler, typename Buffers>
  void transfer(Handler& handler, const char* name, const Buffers& buffers)
  {
    error_code ec;
    if (borrowed_buffers<Buffer, Buffers>::all_empty(buffers))
      know(0);
    else if (!set_non_blocking(ec))
      know(-ec.value());
    start<Description>(handler, name, buffers);
  }

  template <typename Description, typename Handler, typename... Args>
  void start(Handler& handler, const char* name, Args&&... args)
  {
    reactor_link::handle link;
    if (!known_) {
      reactor_state* const state = stock_access::reactor_data_of(impl_);
      if (!state)
        know(-EBADF);
      else if (uring_.stopped() ||
               !(link = reactor_link::make(uring_, *state, stock_access::descriptor_of(impl_))))
        know(-ECANCELED);
    }
    file_state* const d = link.file();
    const auto describe = [&] {
      return while_linked<Description>(std::move(link), std::forward<Args>(args)...);
    };
    using record = handler_operation<while_linked<Description>, Handler, executor_type>;
    if (known_)
      record::complete(uring_, d, is_loop(uring_, ex_), result_, describe, handler, ex_, "stock object",
                       name);
    else
      record::start(uring_, *d, is_loop(uring_, ex_), describe, handler, ex_, "stock object", name);
  }

  implementation_type& impl_;
  const executor_type ex_;
  ring_service& uring_;
  bool known_ = false; // the result, already
  int result_ = 0;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_STOCK_OBJECT_HPP
