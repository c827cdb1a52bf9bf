// test/valgrind_enter.cpp: io_uring_enter for programs under valgrind.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <liburing.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <poll.h>
#include <unistd.h>

// Valgrind runs one thread at a time and (as of 3.19) does not know that io_uring_enter may sleep, so a
// thread that waits there stops all others (https://github.com/axboe/liburing/issues/657). Here it waits in
// ppoll instead, a millisecond at a time, because a ring with IORING_SETUP_DEFER_TASKRUN is not readable when
// it has work that needs an enter.
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
  using clock = std::chrono::steady_clock;
  auto deadline = clock::time_point::max();
  if (flags & IORING_ENTER_EXT_ARG)
    if (const auto* limit =
            reinterpret_cast<const timespec*>(reinterpret_cast<const io_uring_getevents_arg*>(argument)->ts))
      deadline = clock::now() + std::chrono::seconds(std::min<time_t>(limit->tv_sec, 1'000'000)) +
                 std::chrono::nanoseconds(limit->tv_nsec);
  for (;;) {
    const int collected = enter(0, IORING_ENTER_GETEVENTS);
    if (collected < 0) return submitted ? submitted : collected;
    pollfd ring{static_cast<int>(fd), POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - clock::now()).count();
    const timespec slice{0, std::clamp<long>(left, 0, 1'000'000)};
    const int ready = ::ppoll(&ring, 1, &slice, nullptr);
    if (ready > 0) return submitted ? submitted : enter(0, IORING_ENTER_GETEVENTS);
    if (ready < 0) return submitted ? submitted : -errno;
    if (left <= 0) return submitted ? submitted : -ETIME;
  }
}
