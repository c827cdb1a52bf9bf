// asio_uring/detail/op/process.hpp: a child process, told by a descriptor of its own.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_PROCESS_HPP
#define ASIO_URING_DETAIL_OP_PROCESS_HPP

#include <asio_uring/config.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <csignal>

namespace asio_uring::detail {

/// Who is waited for. The poll of a pidfd ends with the process and leaves it as it is, so a wait can be
/// cancelled until its handler is about to run; IORING_OP_WAITID would have taken the status from a process
/// whose wait is cancelled too late, and needs Linux 6.7.
class child_process
{
public:
  enum class name : bool
  {
    pid,
    pidfd ///< the program's own
  };
  child_process(name by, int number) noexcept : number_(number), by_(by) {}

  /// 0: its descriptor can be polled. A negative errno; -ECHILD where it is no child of ours.
  ASIO_URING_DECL int open() noexcept;
  int fd() const noexcept { return fd_.get(); }

  /// Takes its status if it has ended. 0 or a negative errno; -EAGAIN where it has not, or a debugger is to
  /// have it first.
  ASIO_URING_DECL int reap(siginfo_t& status) noexcept;

private:
  int number_;
  name by_;
  unique_descriptor fd_; // our own: the program may close what it has given
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/op/process.ipp>
#endif

#endif // ASIO_URING_DETAIL_OP_PROCESS_HPP
