// asio_uring/detail/op/accept.hpp: descriptions of the accept operations.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_ACCEPT_HPP
#define ASIO_URING_DETAIL_OP_ACCEPT_HPP

#include <asio_uring/detail/asio/doors.hpp>
#include <asio_uring/detail/op/accept_source.hpp>
#include <asio_uring/detail/op/receive.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <unistd.h>

namespace asio_uring::detail {

/// The common part of both forms of async_accept: accepts a descriptor and the peer's address.
template <typename Protocol>
class accept_op
{
public:
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::by_completion;
  static constexpr bool connects = true;

  using endpoint_type = typename Protocol::endpoint;

  accept_op(const Protocol& protocol, endpoint_type* peer_endpoint, bool reports_aborted) noexcept
      : peer_endpoint_(peer_endpoint), protocol_(protocol), reports_aborted_(reports_aborted)
  {}

  void prepare(io_uring_sqe& sqe, int fd)
  {
    length_ = capacity();
    io_uring_prep_accept(&sqe, fd, address(), peer_endpoint_ ? &length_ : nullptr, 0);
  }
  int perform(int fd)
  {
    length_ = capacity();
    return result_of(::accept(fd, address(), peer_endpoint_ ? &length_ : nullptr));
  }
  bool more(int) const noexcept { return true; }
  int take_ahead(source& from) noexcept
  {
    length_ = 0; // the address is not known yet
    return static_cast<accept_source&>(from).take();
  }

  /// Accepts again after a connection that was aborted in the queue, unless the program asked for that error.
  bool retry(int result) const noexcept
  {
    return result == -EINTR || ((result == -ECONNABORTED || result == -EPROTO) && !reports_aborted_);
  }

  /// Closes a connection that no handler receives.
  void discard(int result) const noexcept
  {
    if (result >= 0) ::close(result);
  }

protected:
  /// Gives the accepted descriptor to the peer. Throws if the address does not fit: a UNIX client's name may
  /// be one byte longer than the endpoint.
  template <typename Socket>
  error_code adopt(Socket& peer, int result)
  {
    unique_descriptor accepted(result);
    error_code ec = error_of(result);
    if (ec) return ec;
    if (peer_endpoint_ && length_ == 0) ask_for_address(result);
    if (peer_endpoint_) peer_endpoint_->resize(length_);
    give(peer, accepted.get(), ec);
    if (!ec) accepted.release();
    return ec;
  }

private:
  /// Asks for the peer's address; leaves it unspecified if the peer has gone meanwhile.
  void ask_for_address(int fd)
  {
    length_ = capacity();
    if (::getpeername(fd, address(), &length_) == 0) return;
    *peer_endpoint_ = endpoint_type();
    length_ = static_cast<socklen_t>(peer_endpoint_->size());
  }
  template <typename Socket>
  void give(Socket& peer, int fd, error_code& ec) const
  {
    auto& impl = impl_of(peer);
    if constexpr (requires { impl.get_service().adopt(impl.get_implementation(), protocol_, fd, ec, true); })
      impl.get_service().adopt(impl.get_implementation(), protocol_, fd, ec, true);
    else
      peer.assign(protocol_, fd, ec);
  }

  socklen_t capacity() const noexcept
  {
    return peer_endpoint_ ? static_cast<socklen_t>(peer_endpoint_->capacity()) : 0;
  }
  sockaddr* address() const noexcept { return peer_endpoint_ ? peer_endpoint_->data() : nullptr; }

  endpoint_type* peer_endpoint_;
  Protocol protocol_;
  socklen_t length_ = 0;
  bool reports_aborted_;
};

/// async_accept into an existing socket.
template <typename Socket, typename Protocol>
class accept_into_op : public accept_op<Protocol>
{
public:
  template <typename... Args>
  explicit accept_into_op(Socket& peer, Args&&... args)
      : accept_op<Protocol>(std::forward<Args>(args)...), peer_(peer)
  {}
  std::tuple<error_code> arguments(int result)
  {
    if (peer_.is_open()) {
      this->discard(result);
      return {asio::error::already_open};
    }
    return {this->adopt(peer_, result)};
  }

private:
  Socket& peer_;
};

/// async_accept that passes a new socket to the handler.
template <typename Protocol, typename PeerExecutor>
class accept_new_op : public accept_op<Protocol>
{
public:
  using socket_type = typename Protocol::socket::template rebind_executor<PeerExecutor>::other;

  template <typename... Args>
  explicit accept_new_op(const PeerExecutor& ex, Args&&... args)
      : accept_op<Protocol>(std::forward<Args>(args)...), peer_(ex)
  {}
  std::tuple<error_code, socket_type> arguments(int result)
  {
    const error_code ec = this->adopt(peer_, result);
    return {ec, std::move(peer_)};
  }

private:
  socket_type peer_;
};

/// Takes the next connection from the acceptor's source.
template <typename Protocol, typename PeerExecutor>
class next_connection_op : public accept_new_op<Protocol, PeerExecutor>
{
public:
  static constexpr bool from_source = true;
  using accept_new_op<Protocol, PeerExecutor>::accept_new_op;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_ACCEPT_HPP
