// test/locks.cpp: the lock that guards a few instructions, when its holder gets no processor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio_uring/detail/engine/lock.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <ctime>
#include <sched.h>
#include <thread>

namespace {

using namespace std::chrono_literals;

/// The processor time that the thread has used.
std::chrono::nanoseconds used()
{
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

void stay_on_this_processor()
{
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(::sched_getcpu(), &one);
  ::sched_setaffinity(0, sizeof(one), &one);
}

} // namespace

BOOST_AUTO_TEST_SUITE(locks)

BOOST_AUTO_TEST_CASE(a_real_time_thread_that_waits_leaves_the_processor_to_the_ordinary_holder)
{
  asio_uring::detail::lock lock(true);
  std::atomic<bool> ready = false, held = false;
  bool real_time = false;
  std::chrono::nanoseconds waited{};
  std::thread both([&] { // the threads that it starts inherit its processor
    stay_on_this_processor();
    std::thread holder([&] {
      while (!ready)
        std::this_thread::sleep_for(100us);
      lock.acquire();
      held = true;
      for (const auto from = used(); used() - from < 5ms;) {
      }
      lock.release();
    });
    std::thread waiter([&] {
      const sched_param priority{10};
      real_time = ::sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
      ready = true;
      while (!held)
        std::this_thread::sleep_for(100us);
      const auto from = used();
      lock.acquire();
      waited = used() - from;
      lock.release();
    });
    holder.join();
    waiter.join();
  });
  both.join();
  if (!real_time) BOOST_TEST_MESSAGE("no permission for real-time threads");
  // A real-time thread that spins runs until the kernel throttles it, after 950 ms by default.
  BOOST_CHECK_LT(waited / 1ms, 500);
}

BOOST_AUTO_TEST_SUITE_END()
