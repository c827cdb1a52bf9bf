// TCP echo server with C++20 coroutines: each connection is one loop.
//
// Usage: echo_coroutines [address] port [threads]

#include "command_line.hpp"
#include "serving.hpp"

#include <boost/asio.hpp>

#include <array>
#include <csignal>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

asio::awaitable<void> echo(tcp::socket socket)
{
  std::array<char, 8192> data;
  for (;;) {
    const auto [read_error, length] = co_await socket.async_read_some(asio::buffer(data), nothrow_awaitable);
    if (read_error) co_return;
    const auto [write_error, written] =
        co_await asio::async_write(socket, asio::buffer(data, length), nothrow_awaitable);
    if (write_error) co_return;
  }
}

} // namespace

int main(int argc, char** argv)
{
  return run_example("echo_coroutines", "[address] port [threads]", [&] {
    const server_arguments options(argc, argv);
    asio::io_context context(options.threads);

    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });

    tcp::acceptor acceptor = listen_on(context.get_executor(), options);
    const auto serve = [&](tcp::socket socket) {
      asio::co_spawn(context, echo(std::move(socket)), asio::detached);
    };
    asio::co_spawn(context, accept_all("echo_coroutines", acceptor, serve), asio::detached);
    run_in_threads(context, options.threads);
  });
}
