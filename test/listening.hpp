// test/listening.hpp: an acceptor with clients.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_LISTENING_HPP
#define ASIO_URING_TEST_LISTENING_HPP

#include "fixture.hpp"
#include <optional>

namespace test {

/// An acceptor and clients that connect to it.
struct listening
{
  asio::io_context context;
  tcp::acceptor acceptor{context, loopback()};
  std::vector<tcp::socket> clients;

  /// Connects `count` clients; each sends its number.
  void come(std::size_t count)
  {
    for (std::size_t i = 0; i < count; ++i) {
      clients.emplace_back(context).connect(acceptor.local_endpoint());
      char number = static_cast<char>(i);
      clients.back().send(asio::buffer(&number, 1));
    }
  }
  /// Runs the loop until nothing more happens, though there may be no work.
  void turn()
  {
    const auto work = asio::make_work_guard(context);
    for (int turns = 0; turns < 10; ++turns)
      settle(context);
  }
};

/// The number of the client at the other end.
inline int number_of(tcp::socket& socket)
{
  char number = -1;
  socket.receive(asio::buffer(&number, 1));
  return number;
}

struct next_connection
{
  outcome ended;
  std::optional<tcp::socket> socket;
  auto record()
  {
    return [this](error_code ec, tcp::socket s) {
      ended.record()(ec);
      socket.emplace(std::move(s));
    };
  }
  int number() { return number_of(*socket); }
};

} // namespace test

#endif
