// asio_uring/wait_process.hpp: waits for the end of a child process.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_WAIT_PROCESS_HPP
#define ASIO_URING_WAIT_PROCESS_HPP

#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/detail/op/process.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <sys/types.h>
#include <sys/wait.h>

namespace asio_uring {

/// How a process has ended.
struct process_status
{
  /// Ways to end.
  enum how : unsigned char
  {
    unknown,  ///< unknown, because there was an error
    exited,   ///< by exit(3); `code` is the exit code, 0 to 255
    signalled ///< by the signal `code`
  };

  how ended = unknown; ///< in which way
  bool dumped = false; ///< left a core file
  int code = 0;        ///< the exit code, or the signal

  /// Whether it exited with 0.
  bool succeeded() const noexcept { return ended == exited && code == 0; }
  friend bool operator==(const process_status&, const process_status&) = default;
};

namespace detail {

/// void(error_code, process_status). Reaps the process when the handler is about to run, and not if it is
/// discarded.
struct finish_with_status
{
  static constexpr bool resubmits = true;

  struct payload
  {
    child_process child;
    int refused = 0;
  };

  static std::tuple<error_code, process_status> arguments(int result, payload& p)
  {
    siginfo_t found;
    if (result >= 0) result = p.refused ? p.refused : p.child.reap(found);
    if (result < 0) return {error_of(result), process_status()};
    const bool exited = found.si_code == CLD_EXITED;
    return {error_code(), process_status{exited ? process_status::exited : process_status::signalled,
                                         found.si_code == CLD_DUMPED, found.si_status}};
  }
  static void discard(int) noexcept {}
};

template <typename Object, typename Token>
auto wait_for(Object& object, child_process child, Token&& token)
{
  return submit<void(error_code, process_status)>(
      object, finish_with_status::payload{std::move(child)},
      [](io_uring_sqe& sqe, finish_with_status::payload& p) {
        p.refused = p.child.open();
        if (p.refused)
          io_uring_prep_nop(&sqe);
        else
          io_uring_prep_poll_add(&sqe, p.child.fd(), POLLIN);
      },
      finish_with_status(), "async_wait_process", std::forward<Token>(token));
}

} // namespace detail

/// Waits for a child process to end, and reaps it.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param pid A child of this process, from fork(2) or posix_spawn(3).
 * @param token Completion signature `void(error_code, process_status)`.
 *
 * The process is reaped when the handler is about to run; until then it stays alive or a zombie. So an
 * operation that is cancelled, or whose context is destroyed, takes nothing, and the next wait gets the
 * status. Of several waits for a process one gets the status, the others no_child_process. SIGCHLD is neither
 * used nor changed.
 *
 * Cancellation: terminal, partial, total. Errors: no_child_process (errc::no_child_process, ECHILD) if the
 * process is no child of this one, was reaped already, or the program ignores SIGCHLD, for then the kernel
 * reaps; invalid_argument for a pid that is not positive; operation_not_supported if there is no
 * pidfd_open(2); try_again if a debugger must get the status first: the process was not reaped; and the
 * errors for a lack of descriptors or memory. Thread safety: may be called by any thread. Since Linux 5.11,
 * and with the fallback.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code, process_status)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_wait_process(Object&& object, pid_t pid, Token&& token = {})
{
  return detail::wait_for(object, detail::child_process(detail::child_process::name::pid, pid),
                          std::forward<Token>(token));
}

/// The same with a pidfd, from pidfd_open(2) or clone(2), which must be open when the operation is initiated.
/**
 * Errors for a descriptor that is no pidfd: bad_descriptor or invalid_argument, as waitid(2) has it.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code, process_status)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_wait_process(Object&& object, const unique_descriptor& pidfd, Token&& token = {})
{
  return detail::wait_for(object, detail::child_process(detail::child_process::name::pidfd, pidfd.get()),
                          std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_WAIT_PROCESS_HPP
