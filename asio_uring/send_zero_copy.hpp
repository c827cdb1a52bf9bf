// asio_uring/send_zero_copy.hpp: sends without copying the data into the kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SEND_ZERO_COPY_HPP
#define ASIO_URING_SEND_ZERO_COPY_HPP

#include <asio_uring/detail/asio/doors.hpp>
#include <asio_uring/detail/object/io_object.hpp>
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(basic_datagram_socket.hpp)
#include ASIO_URING_ASIO(basic_stream_socket.hpp)
#include ASIO_URING_ASIO(buffer.hpp)
#include ASIO_URING_ASIO(write.hpp)
#include <cstddef>
#include <type_traits>
#include <utility>

namespace asio_uring {
namespace detail {

template <typename Protocol, typename Executor>
std::true_type is_zero_copy_socket(asio::basic_stream_socket<Protocol, Executor>*);
template <typename Protocol, typename Executor>
std::true_type is_zero_copy_socket(asio::basic_datagram_socket<Protocol, Executor>*);

/// A stream or datagram socket on io_uring.
template <typename Socket>
concept zero_copy_socket = enable_io_uring<typename Socket::executor_type> && requires(Socket* s)
{
  is_zero_copy_socket(s);
};
template <typename Socket>
concept zero_copy_stream = zero_copy_socket<Socket> && requires(Socket& s)
{
  s.async_write_some(asio::const_buffer(), [](error_code, std::size_t) {});
};

template <amount Amount, typename Socket>
class initiate_send_zero_copy
{
public:
  using executor_type = typename Socket::executor_type;

  explicit initiate_send_zero_copy(Socket& socket) : socket_(&socket) {}
  executor_type get_executor() const noexcept { return socket_->get_executor(); }

  template <typename Handler, typename Buffers>
  void operator()(Handler&& handler, const Buffers& buffers, asio::socket_base::message_flags flags) const
  {
    non_const_lvalue<Handler> kept(handler);
    auto& impl = impl_of(*socket_);
    if (impl.get_service().template async_send_zero_copy<Amount>(impl.get_implementation(), buffers, flags,
                                                                 kept.value, impl.get_executor()))
      return;
    if constexpr (Amount == amount::all)
      asio::async_write(*socket_, buffers, std::move(kept.value));
    else
      socket_->async_send(buffers, flags, std::move(kept.value));
  }

  Socket* socket_;
};

} // namespace detail

/// Sends at least a byte, as much as there is room for, or a datagram, without copying it.
/**
 * As `socket.async_send(buffers, flags, token)`, and in order with the socket's other sends, but it completes
 * only when the kernel no longer needs the memory: a stream needs it until the peer has acknowledged the
 * data. The next send does not wait for that. Until the handler is called, or destroyed with the context, the
 * memory must neither be freed nor changed.
 *
 * @param socket A stream socket or a connected datagram socket, on io_uring.
 * @param buffers A buffer sequence, of which the first 64 are sent.
 * @param token Completion signature `void(error_code, std::size_t)`: the number of bytes sent.
 *
 * It is an ordinary send, which copies: for fewer bytes than options.zero_copy_threshold; on sockets without
 * zero-copy sends, such as UNIX ones; with path::readiness, on older kernels and with the fallback; if the
 * kernel may lock no more memory (RLIMIT_MEMLOCK); and for a while after the kernel has reported that it
 * copied all the same, as it does towards a socket on the same machine: for 16 sends at first, for up to 4096
 * if that repeats. `statistics` counts zero-copy sends, and those that the kernel copied.
 *
 * Cancellation: terminal, partial and total end a send that has sent nothing. One that has sent completes
 * successfully when its memory is free. Even close() does not change that, and a peer that receives nothing
 * can delay it as long as the kernel keeps the closed connection, which may be minutes; linger(true, 0), set
 * before, avoids that. The destruction of the context waits for the memory; after a second it aborts the
 * connections of sockets that are still open. After a fork of which the context is notified, the parent waits
 * for the memory; in the child, whose memory is its own, the operation is complete. Errors: those of
 * async_send. Thread safety: as the socket's functions. Since Linux 5.11, without a copy since 6.6.
 */
template <detail::zero_copy_socket Socket, typename Buffers,
          asio::completion_token_for<void(error_code, std::size_t)> Token =
              asio::default_completion_token_t<typename Socket::executor_type>>
requires asio::is_const_buffer_sequence<Buffers>::value auto
async_send_zero_copy(Socket& socket, const Buffers& buffers, Token&& token = {})
{
  return asio::async_initiate<Token, void(error_code, std::size_t)>(
      detail::initiate_send_zero_copy<detail::amount::some, Socket>(socket), token, buffers,
      asio::socket_base::message_flags(0));
}

/// The same with flags: socket_base::message_do_not_route and others.
template <detail::zero_copy_socket Socket, typename Buffers,
          asio::completion_token_for<void(error_code, std::size_t)> Token =
              asio::default_completion_token_t<typename Socket::executor_type>>
requires asio::is_const_buffer_sequence<Buffers>::value auto
async_send_zero_copy(Socket& socket, const Buffers& buffers, asio::socket_base::message_flags flags,
                     Token&& token = {})
{
  return asio::async_initiate<Token, void(error_code, std::size_t)>(
      detail::initiate_send_zero_copy<detail::amount::some, Socket>(socket), token, buffers, flags);
}

/// Writes all of the buffers to a stream, without copying them.
/**
 * As `asio::async_write(socket, buffers, token)`: it sends in parts, as there is room, and the program starts
 * no other send before it has completed. It completes when the kernel no longer needs any of the memory; a
 * part does not wait for the memory of the parts before it.
 *
 * @param socket A stream socket on io_uring.
 * @param buffers A buffer sequence of any length.
 * @param token Completion signature `void(error_code, std::size_t)`: the number of bytes sent, all of them
 * unless there is an error.
 *
 * It is asio::async_write where async_send_zero_copy is an ordinary send. Cancellation: terminal and partial
 * end it between two parts; the bytes that were sent are reported. All else is as for async_send_zero_copy.
 */
template <detail::zero_copy_stream Socket, typename Buffers,
          asio::completion_token_for<void(error_code, std::size_t)> Token =
              asio::default_completion_token_t<typename Socket::executor_type>>
requires asio::is_const_buffer_sequence<Buffers>::value auto
async_write_zero_copy(Socket& socket, const Buffers& buffers, Token&& token = {})
{
  return asio::async_initiate<Token, void(error_code, std::size_t)>(
      detail::initiate_send_zero_copy<detail::amount::all, Socket>(socket), token, buffers,
      asio::socket_base::message_flags(0));
}

} // namespace asio_uring

#endif // ASIO_URING_SEND_ZERO_COPY_HPP
