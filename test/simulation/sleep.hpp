// test/simulation/sleep.hpp: sleeping advances virtual time, and the steady clock is virtual. To be included
// by one translation unit of a program.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATION_SLEEP_HPP
#define ASIO_URING_TEST_SIMULATION_SLEEP_HPP

#include "environment.hpp"
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// These replace the C library's functions, which std::this_thread and std::chrono call.

extern "C" int nanosleep(const timespec* t, timespec* left)
{
  if (!virtual_sleep::in_use) return static_cast<int>(::syscall(SYS_nanosleep, t, left));
  simulated_clock::time += std::chrono::seconds(t->tv_sec) + std::chrono::nanoseconds(t->tv_nsec);
  return 0;
}

extern "C" int sched_yield() noexcept
{
  return virtual_sleep::in_use ? 0 : static_cast<int>(::syscall(SYS_sched_yield));
}

extern "C" int clock_gettime(clockid_t clock, timespec* t) noexcept
{
  if (!virtual_sleep::in_use || clock != CLOCK_MONOTONIC)
    return static_cast<int>(::syscall(SYS_clock_gettime, clock, t));
  const auto now = simulated_clock::now().time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  *t = {seconds.count(), (now - seconds).count()};
  return 0;
}

#endif // ASIO_URING_TEST_SIMULATION_SLEEP_HPP
