// TCP proxy with coroutines. Usage: proxy LISTEN-PORT HOST PORT

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;
using targets = asio::ip::tcp::resolver::results_type;

constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> pass(tcp::socket& from, tcp::socket& to)
{
  std::array<char, 16384> data;
  for (;;) {
    auto [ec, size] = co_await from.async_read_some(asio::buffer(data), nothrow);
    if (ec) break;
    std::tie(ec, std::ignore) = co_await asio::async_write(to, asio::buffer(data, size), nothrow);
    if (ec) break;
  }
  boost::system::error_code ignored;
  to.shutdown(tcp::socket::shutdown_send, ignored);
}

asio::awaitable<void> connection(tcp::socket client, const targets& where)
{
  tcp::socket server(client.get_executor());
  co_await asio::async_connect(server, where, asio::use_awaitable);
  co_await (pass(client, server) && pass(server, client));
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, const targets& where)
{
  for (;;) {
    tcp::socket client = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), connection(std::move(client), where), asio::detached);
  }
}

int main(int argc, char** argv)
{
  if (argc != 4) return std::cerr << "usage: proxy LISTEN-PORT HOST PORT\n", 2;
  asio::io_context context(1);
  const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
  asio::ip::tcp::resolver resolver(context);
  const targets where = resolver.resolve(argv[2], argv[3]);

  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) { context.stop(); });
  std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
  asio::co_spawn(context, serve(acceptor, where), asio::detached);
  context.run();
}
