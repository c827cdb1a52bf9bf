// asio_uring/detail/op/process.hpp: a child process to wait for, by a pidfd.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_PROCESS_HPP
#define ASIO_URING_DETAIL_OP_PROCESS_HPP

#include <asio_uring/config.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <csignal>

namespace asio_uring::detail {

/// The child process that is waited for. Polling a pidfd does not reap the process, so a wait can be
/// cancelled until its handler is about to run. IORING_OP_WAITID may reap a process whose wait is cancelled
/// too late, and needs Linux 6.7.
class child_process
{
public:
  enum class name : bool
  {
    pid,
    pidfd ///< the program's own
  };
  child_process(name by, int number) noexcept : number_(number), by_(by) {}

  /// Opens the descriptor to poll. Returns 0 or a negative errno; -ECHILD if the process is no child of ours.
  ASIO_URING_DECL int open() noexcept;
  int fd() const noexcept { return fd_.get(); }

  /// Takes the status of the process if it has ended. Returns 0 or a negative errno; -EAGAIN if it has not
  /// ended, or if a debugger must see the status first.
  ASIO_URING_DECL int reap(siginfo_t& status) noexcept;

private:
  int number_;
  name by_;
  unique_descriptor fd_; // a duplicate: the program may close the one that it passed
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/op/process.ipp>
#endif

#endif // ASIO_URING_DETAIL_OP_PROCESS_HPP
