// asio_uring/send_zero_copy.hpp: sends whose data the kernel takes from where they are.
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

/// Sends what there is room for, at least a byte, or a datagram, from the memory where it is.
/**
 * As `socket.async_send(buffers, flags, token)`, and one of the socket's sends: in order with all others.
 * What differs is when it completes: when the kernel is done with the memory, which a stream needs until its
 * peer has acknowledged the data. The next send does not wait for that. Until the handler is called, or
 * destroyed with the context, the memory must neither be freed nor changed.
 *
 * @param socket A stream socket, or a datagram socket that is connected, on io_uring.
 * @param buffers A buffer or several, the first 64 at most.
 * @param token Completion signature `void(error_code, std::size_t)`: how many bytes were sent.
 *
 * An ordinary send, which copies, takes its place: for fewer bytes than options.zero_copy_threshold; on
 * sockets that have no other, as UNIX ones; with path::readiness, on older kernels and with the fallback;
 * where the kernel may lock no more memory (RLIMIT_MEMLOCK); and for a while after the kernel has told that
 * it had to copy all the same, as on the way to a socket of the same machine: 16 sends, and up to 4096 if
 * that does not change. `statistics` counts how often either has happened.
 *
 * Cancellation: terminal, partial and total end what has not been sent. What has been sent completes as such,
 * when its memory is free; close() does not change that, and a peer that takes nothing can delay it as long
 * as the kernel keeps up the closed connection, minutes. Where it must not, set linger(true, 0) before. The
 * end of the context waits for the memory, a second at most where the socket is open: then it aborts the
 * connection.
 * After a fork that the context is told of, the parent waits for the memory; in the child, whose memory is
 * its own, the operation is complete. Errors: those of async_send. Thread safety: as the socket's functions.
 * Without a copy since Linux 6.6.
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

/// The same with flags of the call: socket_base::message_do_not_route and the like.
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

/// Writes the whole of the buffers to a stream, from the memory where it is.
/**
 * As `asio::async_write(socket, buffers, token)`: in parts, as there is room, and no other send may be
 * started before it has completed. It does so when the kernel is done with all of the memory; the parts do
 * not wait for each other's.
 *
 * @param socket A stream socket on io_uring.
 * @param buffers A buffer or any number of them.
 * @param token Completion signature `void(error_code, std::size_t)`: all bytes, or an error with those that
 * were sent before it.
 *
 * Where async_send_zero_copy sends as usual, this is asio::async_write. Cancellation: terminal and partial
 * end it between two parts; the bytes that have been sent are counted. Everything else is as with
 * async_send_zero_copy.
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
