// echo_standalone PORT: an echo server on Asio without Boost, with sockets on io_uring.
//
//   g++ -std=c++20 -DASIO_URING_STANDALONE echo_standalone.cpp -luring

#include <asio_uring/backend.hpp>
#include <asio_uring/ip/tcp.hpp>

#include <asio.hpp>

#include <array>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>

using asio_uring::ip::tcp;

namespace {

asio::awaitable<void> echo(tcp::socket socket)
{
  std::array<char, 8192> data;
  try {
    for (;;) {
      const std::size_t length = co_await socket.async_read_some(asio::buffer(data), asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer(data, length), asio::use_awaitable);
    }
  } catch (const std::system_error&) { // the peer has closed the connection
  }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor)
{
  for (;;)
    asio::co_spawn(acceptor.get_executor(), echo(co_await acceptor.async_accept(asio::use_awaitable)),
                   asio::detached);
}

} // namespace

int main(int argc, char** argv)
{
  try {
    if (argc != 2) return std::cerr << "usage: echo_standalone PORT\n", 2;
    asio::io_context context(1);
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](std::error_code, int) { context.stop(); });

    const auto port = static_cast<asio::ip::port_type>(std::stoi(argv[1]));
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
    std::cout << asio_uring::backend(context) << "\nlistening on " << acceptor.local_endpoint() << std::endl;
    asio::co_spawn(context, serve(acceptor), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
    context.run();
  } catch (const std::exception& e) {
    std::cerr << "echo_standalone: " << e.what() << '\n';
    return 1;
  }
}
