// asio_uring/detail/op/process.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_PROCESS_IPP
#define ASIO_URING_DETAIL_OP_PROCESS_IPP

#include <asio_uring/detail/op/process.hpp>
#include <cerrno>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asio_uring::detail {

/// Calls waitid(2) without blocking.
ASIO_URING_DECL int look_at_child(int pidfd, siginfo_t& status, int options) noexcept
{
  constexpr auto by_pidfd = static_cast<idtype_t>(3); // P_PIDFD, which C libraries before 2.36 lack
  status = {};
  if (::waitid(by_pidfd, static_cast<id_t>(pidfd), &status, WEXITED | WNOHANG | options) < 0) return -errno;
  return 0;
}

ASIO_URING_DECL int child_process::open() noexcept
{
  constexpr long pidfd_open = 434; // SYS_pidfd_open on all architectures
  if (by_ == name::pidfd)
    fd_.reset(::fcntl(number_, F_DUPFD_CLOEXEC, 0));
  else
    fd_.reset(static_cast<int>(::syscall(pidfd_open, number_, 0)));
  if (!fd_) {
    // A process that does not exist is no child of ours.
    if (errno == ESRCH) return -ECHILD;
    return errno == ENOSYS ? -EOPNOTSUPP : -errno;
  }
  siginfo_t status;
  return look_at_child(fd(), status, WNOWAIT);
}

ASIO_URING_DECL int child_process::reap(siginfo_t& status) noexcept
{
  const int result = look_at_child(fd(), status, 0);
  return result == 0 && status.si_pid == 0 ? -EAGAIN : result;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_PROCESS_IPP
