// test/child.hpp: child processes of a test, and system calls that they are forbidden.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_CHILD_HPP
#define ASIO_URING_TEST_CHILD_HPP

#include "environment.hpp"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

/// Waits for a child. Returns its exit code, or -1 if a signal ended it.
inline int exit_code_of(pid_t child)
{
  int status = -1;
  if (::waitpid(child, &status, 0) != child) return -1;
  if (WIFSIGNALED(status)) std::fprintf(stderr, "child: ended by signal %d\n", WTERMSIG(status));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Ends this child process with what f returns.
template <typename F>
[[noreturn]] void exit_with(F&& f)
{
  ::alarm(30 * slowness());
  int result = 99;
  try {
    result = f();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "child: %s\n", e.what());
  } catch (...) { // a failed requirement, which has been reported
  }
  ::_exit(result);
}

/// Runs f in a child process. Returns the exit code, which is what f returns.
template <typename F>
int in_child(F&& f)
{
  const pid_t child = ::fork();
  if (child == 0) exit_with(f);
  return exit_code_of(child);
}

/// Has a system call fail with this error from now on, in this thread and the threads and children that it
/// starts, or in all threads.
inline void forbid(long system_call, int error, bool all_threads = false)
{
  sock_filter instructions[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(system_call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(instructions), instructions};
  const bool forbidden =
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
      (all_threads ? ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)
                   : ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) == 0;
  if (!forbidden) std::abort();
}

} // namespace test

#endif // ASIO_URING_TEST_CHILD_HPP
