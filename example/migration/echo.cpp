// TCP echo server on Boost.Asio. Usage: echo PORT

#include <boost/asio.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>

namespace asio = boost::asio;
using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket)
{
  std::array<char, 8192> data;
  for (;;) {
    const std::size_t size = co_await socket.async_read_some(asio::buffer(data), asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(data, size), asio::use_awaitable);
  }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor)
{
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

int main(int argc, char** argv)
{
  if (argc != 2) return std::cerr << "usage: echo PORT\n", 2;
  asio::io_context context(1);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) { context.stop(); });

  const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
  std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
  asio::co_spawn(context, serve(acceptor), asio::detached);
  context.run();
}
