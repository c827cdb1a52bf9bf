// asio_uring/send_file.hpp: a part of a file, sent to a socket.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SEND_FILE_HPP
#define ASIO_URING_SEND_FILE_HPP

#include <asio_uring/detail/object/send_file_steps.hpp>
#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/enable_io_uring.hpp>
#include <cstdint>
#include <optional>
#include ASIO_URING_ASIO(basic_stream_socket.hpp)
#include ASIO_URING_ASIO(compose.hpp)

namespace asio_uring {

/// Sends a part of a file to a connected stream socket, TCP or UNIX: what asio::async_write is for buffers.
/**
 * @param socket On io_uring (enable_io_uring). Must live until the handler is called; the program starts no
 * other write on it until then, nor makes it blocking.
 * @param file What has an executor and a native_handle() that is a regular file: random_access_file,
 * stream_file. Must live and stay open as long. Its position, if it has one, is neither used nor moved.
 * @param offset In bytes, at most 2^63 - 1; it may be beyond the end.
 * @param length In bytes; none: to the end of the file, wherever that is then.
 * @param token Completion signature `void(error_code, std::uint64_t)`: the bytes that the socket has taken,
 * all of them the file's from `offset` on, also where there is an error.
 *
 * More than 128 KiB are sent within the kernel, as by sendfile(2), up to 1 MiB at a time, by a thread that
 * may wait for the disk, never for the peer. Less is read into a buffer and written. Where the kernel has TLS
 * for the socket (SSL_set_fd and SSL_OP_ENABLE_KTLS of OpenSSL 3; not Asio's ssl::stream, whose OpenSSL does
 * not know the socket), what it is given goes out encrypted. Both see what the file is when they come to it:
 * one that grows or shrinks meanwhile is sent as far as it reaches then.
 *
 * Cancellation: terminal, partial, as of async_write; the socket's cancel() and close(), too. What has been
 * sent is counted: to go on is to begin at offset + count. Errors: eof where the file ends before `length`;
 * bad_descriptor where the socket or the file is not open; invalid_argument for an offset that is too large
 * and what is no regular file; the socket's (broken_pipe, connection_reset; SIGPIPE is not raised) and the
 * disk's. Thread safety: as async_write: an operation at a time, on the socket's strand where several threads
 * run the context. Forks: as async_write: both processes would go on with it, so one of them closes the
 * socket. Since Linux 5.11, and with the fallback.
 */
template <typename Protocol, typename Executor, detail::has_native_handle File,
          asio::completion_token_for<void(error_code, std::uint64_t)> Token =
              asio::default_completion_token_t<Executor>>
requires enable_io_uring<Executor>
auto async_send_file(asio::basic_stream_socket<Protocol, Executor>& socket, File& file, std::uint64_t offset,
                     std::optional<std::uint64_t> length, Token&& token = {})
{
  using steps = detail::send_file_steps<asio::basic_stream_socket<Protocol, Executor>, File>;
  return asio::async_compose<Token, void(error_code, std::uint64_t)>(steps(socket, file, offset, length),
                                                                     token, socket);
}

} // namespace asio_uring

#endif // ASIO_URING_SEND_FILE_HPP
