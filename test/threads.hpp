// test/threads.hpp: threads that run a context, and checks of when it runs out of work.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_THREADS_HPP
#define ASIO_URING_TEST_THREADS_HPP

#include "fixture.hpp"

#include <atomic>
#include <future>
#include <thread>

namespace test {

/// Threads that run a context. Always joins them; stops the context if they take too long.
struct runners
{
  asio::io_context& context;
  std::vector<std::thread> threads;
  std::atomic<std::size_t> count = 0;
  std::atomic<int> running = 0;

  runners(asio::io_context& c, int n) : context(c)
  {
    running = n;
    for (int i = 0; i != n; ++i)
      threads.emplace_back([this] {
        count += context.run();
        --running;
      });
  }
  bool join()
  {
    auto limit = std::chrono::steady_clock::now() + 60s * slowness();
    while (running && std::chrono::steady_clock::now() < limit)
      std::this_thread::sleep_for(1ms);
    bool ended = running == 0;
    context.stop();
    for (auto& thread : threads)
      thread.join();
    threads.clear();
    return ended;
  }
  ~runners() { join(); }
};

/// Checks operations that a foreign thread starts while another runs the context: run() must not return
/// before its own operations have ended. `start` and `start_elsewhere` start an operation that ends at once,
/// with the given handler.
template <class Start, class StartElsewhere>
void check_that_operations_are_work_from_their_start(asio::io_context& context, Start start,
                                                     StartElsewhere start_elsewhere)
{
  std::atomic<bool> enough = false, ended = false;
  std::atomic<int> pending = 0;
  std::thread foreign([&] {
    while (!enough) {
      ++pending;
      start_elsewhere([&](error_code) { --pending; });
      for (int spins = 0; pending && !enough; ++spins)
        if (spins > 1000) std::this_thread::yield(); // both may share a processor
    }
    ended = true;
  });
  int unfinished = 0;
  for (int i = 0, end = rounds(20000); i != end; ++i) {
    bool done = false;
    context.restart();
    start([&](error_code) { done = true; });
    context.run();
    unfinished += !done;
    while (!done) {
      context.restart();
      context.run();
    }
  }
  enough = true;
  while (!ended || pending) {
    context.restart();
    context.run_for(1ms);
  }
  foreign.join();
  BOOST_CHECK_EQUAL(unfinished, 0);
}

/// Checks that a handler which runs in one thread counts as work, though the last operation ends in another
/// thread: what the handler then starts is waited for. `start` starts an operation that ends at once,
/// `start_waiting` one that waits for `release`.
template <class Start, class StartWaiting, class Release>
void check_that_a_running_handler_is_work(asio::io_context& context, Start start, StartWaiting start_waiting,
                                          Release release)
{
  std::promise<void> released;
  std::atomic<bool> stopped = false, delivered = false;
  start_waiting([&](error_code) { released.set_value(); });
  start([&](error_code) {
    release();
    released.get_future().wait_for(30s);
    std::this_thread::sleep_for(20ms); // the other handler has returned, and nothing is in flight
    stopped = context.stopped();
    start([&](error_code) { delivered = true; });
  });
  runners r(context, 2);
  BOOST_REQUIRE(r.join());
  BOOST_CHECK(!stopped);
  BOOST_CHECK(delivered);
}

} // namespace test

#endif // ASIO_URING_TEST_THREADS_HPP
