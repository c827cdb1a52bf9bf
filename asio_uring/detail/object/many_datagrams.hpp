// asio_uring/detail/object/many_datagrams.hpp: receives and sends of many datagrams, asynchronous and
// synchronous.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_MANY_DATAGRAMS_HPP
#define ASIO_URING_DETAIL_OBJECT_MANY_DATAGRAMS_HPP

#include <asio_uring/detail/asio/doors.hpp>
#include <asio_uring/detail/object/io_object.hpp>
#include <asio_uring/detail/object/on_object.hpp>
#include <asio_uring/detail/op/receive_many.hpp>
#include <asio_uring/detail/op/send_many.hpp>
#include <cerrno>
#include <optional>
#include <poll.h>
#include <sys/socket.h>

namespace asio_uring::detail {

/// Whether to ask for the size of segments. Only UDP has segments; a UNIX socket would pass on descriptors
/// into the room for that size.
template <typename Implementation>
bool has_segments(Implementation& impl) noexcept
{
  const int family = protocol_of(impl).family();
  return family == AF_INET || family == AF_INET6;
}

template <typename Batch, typename Implementation>
auto receive_of(Batch& batch, Implementation& impl) noexcept
{
  return receive_many_op<Batch>(batch, impl.file_ && has_segments(impl));
}

/// Repeats a call until it does not return -EAGAIN, as Asio's synchronous functions do.
template <typename Implementation, typename Call>
int wait_and_call(Implementation& impl, short events, Call&& call) noexcept
{
  for (;;) {
    const int result = call();
    if (result != -EAGAIN || state_of(impl) & socket_ops::user_set_non_blocking) return result;
    pollfd p{descriptor_of(impl), events, 0};
    ::poll(&p, 1, -1);
  }
}

template <typename Socket, typename Batch>
std::size_t receive_many_now(Socket& socket, Batch& batch, error_code& ec) noexcept
{
  auto& impl = impl_of(socket).get_implementation();
  auto receive = receive_of(batch, impl);
  int result = -EBADF;
  if (impl.file_ && batch.capacity() == 0)
    result = -EINVAL;
  else if (impl.file_) {
    impl.file_->catch_up(lane_kind::in);
    result = receive.take(*impl.file_);
    if (result == 0)
      result =
          wait_and_call(impl, POLLIN, [&] { return receive.receive(descriptor_of(impl), MSG_WAITFORONE); });
  }
  const auto [error, count] = receive.arguments(result);
  ec = error;
  return count;
}

template <typename Socket, typename Batch>
std::size_t send_many_now(Socket& socket, Batch& batch, error_code& ec) noexcept
{
  auto& impl = impl_of(socket).get_implementation();
  send_many_op<Batch> send(batch, descriptor_of(impl), 0);
  int result = -EBADF;
  if (impl.file_) {
    impl.file_->catch_up(lane_kind::out);
    result = wait_and_call(impl, POLLOUT, [&] { return send.perform(descriptor_of(impl)); });
  }
  const auto [error, count] = send.arguments(result);
  ec = error;
  return count;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_MANY_DATAGRAMS_HPP
