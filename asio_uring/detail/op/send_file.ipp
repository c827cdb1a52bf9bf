// asio_uring/detail/op/send_file.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_SEND_FILE_IPP
#define ASIO_URING_DETAIL_OP_SEND_FILE_IPP

#include <asio_uring/detail/op/send_file.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

namespace asio_uring::detail {

ASIO_URING_DECL std::int64_t end_of_file(int fd) noexcept
{
  struct statx found;
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE, &found) < 0) return -errno;
  return S_ISREG(found.stx_mode) ? static_cast<std::int64_t>(found.stx_size) : -EINVAL;
}

/// Sends like sendfile(2), which moves the data through a pipe of 64 KiB, but through a pipe that has room
/// for all of it. What the socket does not take is lost with the pipe, but still in the file. Returns the
/// bytes sent, or -1 with errno set.
ASIO_URING_DECL ssize_t send_through_pipe(const io_uring_sqe& arguments, off_t offset) noexcept
{
  int ends[2];
  const bool has_pipe = ::pipe2(ends, O_CLOEXEC) == 0;
  const unique_descriptor from(has_pipe ? ends[0] : -1), into(has_pipe ? ends[1] : -1);
  // Unprivileged users may have little memory for pipes.
  if (!has_pipe || ::fcntl(into.get(), F_SETPIPE_SZ, static_cast<int>(arguments.len)) < 0)
    return ::sendfile(arguments.fd, arguments.splice_fd_in, &offset, arguments.len);
  const ssize_t size = ::splice(arguments.splice_fd_in, &offset, into.get(), nullptr, arguments.len, 0);
  if (size <= 0) return size;
  return ::splice(from.get(), nullptr, arguments.fd, nullptr, static_cast<std::size_t>(size),
                  SPLICE_F_NONBLOCK);
}

ASIO_URING_DECL int send_file(const io_uring_sqe& arguments) noexcept
{
  // There is no MSG_NOSIGNAL for this. The caller is usually a worker thread that blocks all signals. If none
  // could be started, or before a fork, it is a thread of the program.
  sigset_t pipe, before, pending;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  ::sigpending(&pending);
  int result;
  do {
    const ssize_t sent = send_through_pipe(arguments, static_cast<off_t>(arguments.splice_off_in));
    result = sent < 0 ? -errno : static_cast<int>(sent);
  } while (result == -EINTR);
  if (result == -EPIPE && !::sigismember(&pending, SIGPIPE)) {
    constexpr timespec at_once{};
    ::sigtimedwait(&pipe, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_SEND_FILE_IPP
