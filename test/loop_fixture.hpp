// test/loop_fixture.hpp: work for a loop: reads of a byte, and an echo.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_LOOP_FIXTURE_HPP
#define ASIO_URING_TEST_LOOP_FIXTURE_HPP

#include "fixture.hpp"

#include <atomic>

namespace test {

/// Pairs of sockets whose servers each wait for a byte.
struct readers
{
  asio::io_context& context;
  std::vector<std::unique_ptr<pair<>>> pairs;
  int calls = 0;

  readers(asio::io_context& c, std::size_t count) : context(c)
  {
    for (std::size_t i = 0; i != count; ++i) {
      pairs.push_back(std::make_unique<pair<>>(context));
      start(i);
    }
  }
  void start(std::size_t i)
  {
    auto byte = std::make_unique<char>(); // some tests leave reads behind
    auto buffer = asio::buffer(byte.get(), 1);
    pairs[i]->server.async_read_some(buffer,
                                     [this, byte = std::move(byte)](error_code, std::size_t) { ++calls; });
  }
  void feed(std::size_t i) { write_text(pairs[i]->client, "x"); }
  void feed()
  {
    for (std::size_t i = 0; i != pairs.size(); ++i)
      feed(i);
  }
};

/// Bounces a message of `size` bytes `rounds` times; counts the handlers that ran.
struct echo
{
  std::string there, back; // outlive the sockets: some tests leave operations behind
  pair<> sockets;
  int rounds;
  std::atomic<int>& handlers;
  bool intact = true;

  echo(asio::io_context& context, std::size_t size, int count, std::atomic<int>& h)
      : there(size, 'x'), back(size, '\0'), sockets(context), rounds(count), handlers(h)
  {}

  void serve()
  {
    asio::async_read(sockets.server, asio::buffer(back), [this](error_code e, std::size_t) {
      ++handlers;
      if (!e)
        asio::async_write(sockets.server, asio::buffer(back), [this](error_code e, std::size_t) {
          ++handlers;
          if (!e) serve();
        });
    });
  }
  void ask()
  {
    if (rounds-- == 0) {
      sockets.client.shutdown(tcp::socket::shutdown_send);
      return;
    }
    there.front() = static_cast<char>(rounds);
    asio::async_write(sockets.client, asio::buffer(there), [this](error_code, std::size_t) {
      ++handlers;
      asio::async_read(sockets.client, asio::buffer(there), [this](error_code e, std::size_t n) {
        ++handlers;
        intact = intact && !e && n == there.size() && there.front() == static_cast<char>(rounds);
        ask();
      });
    });
  }
  static constexpr int handlers_for(int rounds) { return 4 * rounds + 1; }
};

} // namespace test

#endif // ASIO_URING_TEST_LOOP_FIXTURE_HPP
