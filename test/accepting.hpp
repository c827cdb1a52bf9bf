// test/accepting.hpp: a server that accepts and counts connections.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_ACCEPTING_HPP
#define ASIO_URING_TEST_ACCEPTING_HPP

#include "fixture.hpp"

namespace test {

/// A server that accepts and counts, and a timer that ticks beside it, to show that the loop goes on.
struct accepting
{
  asio::io_context& context;
  listener acceptor{context};
  asio::steady_timer timer{context};
  int accepted = 0, ticks = 0;

  explicit accepting(asio::io_context& c) : context(c)
  {
    accept();
    tick();
  }
  void accept()
  {
    acceptor.async_accept([this](error_code e, tcp::socket) {
      if (e) return;
      ++accepted;
      accept();
    });
  }
  void tick()
  {
    timer.expires_after(5ms);
    timer.async_wait([this](error_code e) {
      if (e) return;
      ++ticks;
      tick();
    });
  }
  /// Connects `count` clients. False if not all are accepted, or if the timer stands still.
  bool serves(int count)
  {
    const auto where = acceptor.local_endpoint();
    for (int i = 0; i < count; ++i) {
      const int client = ::socket(AF_INET, SOCK_STREAM, 0);
      ::connect(client, where.data(), static_cast<socklen_t>(where.size()));
      ::close(client);
      const int accepted_before = accepted, ticks_before = ticks;
      const auto limit = std::chrono::steady_clock::now() + 20s * slowness();
      context.restart();
      while (accepted == accepted_before || ticks < ticks_before + 2) {
        context.run_one_for(100ms);
        if (std::chrono::steady_clock::now() > limit) return false;
      }
    }
    return true;
  }
};

inline const std::array<asio::const_buffer, 2> two_buffers{asio::buffer("of two ", 7),
                                                           asio::buffer("buffers", 7)};

} // namespace test

#endif // ASIO_URING_TEST_ACCEPTING_HPP
