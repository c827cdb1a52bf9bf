// test/own_fixture.hpp: connected pairs of the library's own types.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_OWN_FIXTURE_HPP
#define ASIO_URING_TEST_OWN_FIXTURE_HPP

#include <array>
#include <asio_uring/asio_uring.hpp>
#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>

namespace test {

namespace asio = boost::asio;
using asio_uring::path;
using asio_uring::pump_kind;
using boost::system::error_code;
using tcp = asio_uring::ip::tcp;

/// A connected pair of one executor type.
template <typename Acceptor, typename Socket>
void connect(Acceptor& acceptor, Socket& client, Socket& server)
{
  client.connect(acceptor.local_endpoint());
  acceptor.accept(server);
}

/// Echoes `rounds` messages over a TCP pair, by coroutines; returns the rounds that came back right.
inline int echoed(asio::io_context& context, int rounds)
{
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context), server(context);
  connect(acceptor, client, server);
  int right = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        std::array<char, 64> data;
        for (int i = 0; i != rounds; ++i) {
          const std::size_t n = co_await server.async_read_some(asio::buffer(data), asio::use_awaitable);
          co_await asio::async_write(server, asio::buffer(data, n), asio::use_awaitable);
        }
      },
      asio::detached);
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        std::array<char, 5> there{"ping"}, back;
        for (int i = 0; i != rounds; ++i) {
          there[0] = static_cast<char>(i);
          co_await asio::async_write(client, asio::buffer(there), asio::use_awaitable);
          co_await asio::async_read(client, asio::buffer(back), asio::use_awaitable);
          right += there == back;
        }
      },
      asio::detached);
  context.run();
  return right;
}

} // namespace test

#endif // ASIO_URING_TEST_OWN_FIXTURE_HPP
