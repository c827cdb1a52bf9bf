// asio_uring/detail/op/send_file.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_SEND_FILE_IPP
#define ASIO_URING_DETAIL_OP_SEND_FILE_IPP

#include <asio_uring/detail/op/send_file.hpp>
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

ASIO_URING_DECL int send_file(const io_uring_sqe& arguments) noexcept
{
  // There is no MSG_NOSIGNAL. Usually a thread that blocks all signals is here; where none could be had, or
  // before a fork, one of the program's.
  sigset_t pipe, before, pending;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  ::sigpending(&pending);
  ssize_t result;
  do {
    off_t offset = static_cast<off_t>(arguments.splice_off_in);
    result = ::sendfile(arguments.fd, arguments.splice_fd_in, &offset, arguments.len);
    if (result < 0) result = -errno;
  } while (result == -EINTR);
  if (result == -EPIPE && !::sigismember(&pending, SIGPIPE)) {
    constexpr timespec at_once{};
    ::sigtimedwait(&pipe, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return static_cast<int>(result);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_SEND_FILE_IPP
