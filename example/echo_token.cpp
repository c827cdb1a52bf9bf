// TCP echo server with stock sockets whose operations are put on io_uring one by one: for programs in which
// another library determines the type of the socket.
//
// Usage: echo_token [address] port [threads]

#include "command_line.hpp"

#include <asio_uring/options.hpp>
#include <asio_uring/use_uring.hpp>
#include <asio_uring/via.hpp>

#include <boost/asio.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp; // a stock socket
using asio_uring::use_uring;
using boost::system::error_code;

namespace {

constexpr auto nothrow_awaitable = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> echo(tcp::socket socket)
{
  // Composed operations take a view of the socket ...
  asio_uring::view stream(socket);
  std::array<char, 8192> data;
  for (;;) {
    // ... and single ones a token.
    const auto [read_error, length] =
        co_await socket.async_read_some(asio::buffer(data), use_uring(nothrow_awaitable));
    if (read_error) co_return;
    const auto [write_error, written] =
        co_await asio::async_write(stream, asio::buffer(data, length), nothrow_awaitable);
    if (write_error) co_return;
  }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor)
{
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(use_uring(nothrow_awaitable));
    if (error) {
      // Out of descriptors or memory: trying again at once would spin.
      std::cerr << "echo_token: accept: " << error.message() << '\n';
      asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

} // namespace

int main(int argc, char** argv)
{
  return run_example("echo_token", "[address] port [threads]", [&] {
    const server_arguments options(argc, argv);
    asio::io_context context(options.threads);
    asio_uring::use_io_uring(context); // before the first object, so that the ring replaces the reactor

    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });

    tcp::acceptor acceptor(context, {asio::ip::make_address(options.address), options.port});
    std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
    asio::co_spawn(context, serve(acceptor), asio::detached);

    std::vector<std::jthread> others;
    for (int i = 1; i < options.threads; ++i)
      others.emplace_back([&] { context.run(); });
    context.run();
  });
}
