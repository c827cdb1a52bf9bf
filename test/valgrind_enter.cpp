// test/valgrind_enter.cpp: io_uring_enter for programs under valgrind.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <liburing.h>
#include <sys/syscall.h>

#include <cerrno>
#include <poll.h>
#include <unistd.h>

// Valgrind runs one thread at a time and does not know (as of 3.19) that io_uring_enter may sleep, so a
// thread that waits there stops all others (https://github.com/axboe/liburing/issues/657). Here it waits in
// ppoll.
extern "C" int io_uring_enter2(unsigned fd, unsigned submit, unsigned wait, unsigned flags,
                               sigset_t* argument, size_t)
{
  const auto enter = [=](unsigned count, unsigned with) {
    const long result = ::syscall(SYS_io_uring_enter, fd, count, 0u, with, nullptr, _NSIG / 8);
    return result < 0 ? -errno : static_cast<int>(result);
  };
  int submitted = 0;
  if (submit || !wait) {
    submitted = enter(submit, flags & ~IORING_ENTER_EXT_ARG);
    if (!wait || submitted != static_cast<int>(submit)) return submitted;
  }
  const timespec* limit = nullptr;
  if (flags & IORING_ENTER_EXT_ARG)
    limit = reinterpret_cast<const timespec*>(reinterpret_cast<const io_uring_getevents_arg*>(argument)->ts);
  pollfd ring{static_cast<int>(fd), POLLIN, 0};
  const int ready = ::ppoll(&ring, 1, limit, nullptr);
  const int error = ready == 0 ? ETIME : errno;
  if (ready > 0) {
    const int collected = enter(0, IORING_ENTER_GETEVENTS);
    return submitted ? submitted : collected;
  }
  return submitted ? submitted : -error;
}
