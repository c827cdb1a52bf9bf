// asio_uring/send_file.hpp: sends a part of a file to a socket.
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

/// Sends a part of a file to a connected stream socket, TCP or UNIX, as asio::async_write sends buffers.
/**
 * @param socket On io_uring (enable_io_uring). Must live until the handler is called. Until then the program
 * neither starts another write on it nor makes it blocking.
 * @param file An object with an executor and a native_handle() that is a regular file: random_access_file,
 * stream_file. Must live and stay open as long. Its position, if it has one, is neither used nor changed.
 * @param offset In bytes, at most 2^63 - 1; it may be beyond the end.
 * @param length In bytes; without one, to the end of the file, as it is when the operation gets there.
 * @param token Completion signature `void(error_code, std::uint64_t)`: the number of bytes that were sent,
 * from `offset` on, also with an error.
 *
 * More than 128 KiB are sent within the kernel, as by sendfile(2), up to 1 MiB at a time, by a thread that
 * may wait for the disk, never for the peer. Less is read into a buffer and written. If the kernel does the
 * socket's TLS, it encrypts the data (SSL_set_fd and SSL_OP_ENABLE_KTLS of OpenSSL 3; not Asio's ssl::stream,
 * whose OpenSSL does not know the socket). A file that changes meanwhile is sent as it is when each part is
 * read, up to its end at that time.
 *
 * Cancellation: terminal and partial, as of async_write; also the socket's cancel() and close(). To resume,
 * begin at offset + the number of bytes that were sent. Errors: eof if the file ends before `length`;
 * bad_descriptor if the socket or the file is not open; invalid_argument for an offset that is too large, and
 * for a file that is not a regular one; the socket's (broken_pipe, connection_reset; SIGPIPE is not raised)
 * and the disk's. Thread safety: as async_write: one operation at a time, on the socket's strand if several
 * threads run the context. Forks: as async_write: both processes go on with the operation unless one of them
 * closes the socket. Since Linux 5.11, and with the fallback.
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
