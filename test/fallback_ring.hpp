// test/fallback_ring.hpp: a ring on the fallback kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_FALLBACK_RING_HPP
#define ASIO_URING_TEST_FALLBACK_RING_HPP

#include "child.hpp"
#include "environment.hpp"
#include <asio_uring/ring/fallback_kernel.hpp>
#include <asio_uring/ring/ring.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace test {

/// Waits until the predicate holds. False if it does not within a long while.
template <typename Predicate>
bool soon(Predicate&& holds)
{
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60) * slowness();
  while (!holds() && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return holds();
}

/// A ring on the fallback, and its results by user_data.
struct emulated
{
  asio_uring::ring ring{std::make_unique<asio_uring::fallback_kernel>(8, 16)};
  std::map<std::uint64_t, std::vector<int>> results;

  template <typename Prepare>
  void push(std::uint64_t user_data, Prepare&& prepare, unsigned flags = 0)
  {
    io_uring_sqe* sqe = ring.next_entry();
    BOOST_REQUIRE(sqe);
    *sqe = {};
    prepare(sqe);
    sqe->user_data = user_data;
    sqe->flags = static_cast<std::uint8_t>(flags);
    ring.publish();
  }
  void turn(std::chrono::nanoseconds timeout = std::chrono::seconds(5))
  {
    ring.submit_and_wait(timeout);
    collect();
  }
  void collect()
  {
    ring.consume_completions([&](const io_uring_cqe& c) { results[c.user_data].push_back(c.res); });
  }
  /// Waits for the only result of an entry.
  int result_of(std::uint64_t user_data)
  {
    while (results[user_data].empty())
      turn();
    return results[user_data].at(0);
  }
};

/// A file that blocks all who open it in open(2) while this lives.
class leased_file
{
public:
  explicit leased_file(const std::string& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600))
  {
    ::signal(SIGIO, SIG_IGN); // the signal that somebody waits
    BOOST_REQUIRE_EQUAL(::fcntl(fd_, F_SETLEASE, F_WRLCK), 0);
  }
  leased_file(const leased_file&) = delete;
  ~leased_file() { ::close(fd_); }

private:
  const int fd_;
};

} // namespace test

#endif // ASIO_URING_TEST_FALLBACK_RING_HPP
