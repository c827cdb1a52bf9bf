// TCP echo server with callbacks: each connection is a session that reads and writes in turn.
//
// Usage: echo_callbacks [address] port [threads]

#include "command_line.hpp"

#include <boost/asio.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

class session : public std::enable_shared_from_this<session>
{
public:
  explicit session(tcp::socket socket) : socket_(std::move(socket)) {}

  void read()
  {
    socket_.async_read_some(asio::buffer(data_),
                            [self = shared_from_this()](error_code error, std::size_t length) {
                              if (!error) self->write(length);
                            });
  }

private:
  void write(std::size_t length)
  {
    asio::async_write(socket_, asio::buffer(data_, length),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  tcp::socket socket_;
  std::array<char, 8192> data_;
};

class server
{
public:
  server(asio::io_context& context, const tcp::endpoint& endpoint)
      : acceptor_(context, endpoint), pause_(context)
  {
    accept();
  }

  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

private:
  void accept()
  {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return accept_later(error);
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<session>(std::move(socket))->read();
      accept();
    });
  }

  // Out of descriptors or memory: trying again at once would spin.
  void accept_later(error_code error)
  {
    std::cerr << "echo_callbacks: accept: " << error.message() << '\n';
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](error_code cancelled) {
      if (!cancelled) accept();
    });
  }

  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
};

} // namespace

int main(int argc, char** argv)
{
  return run_example("echo_callbacks", "[address] port [threads]", [&] {
    const server_arguments options(argc, argv);
    asio::io_context context(options.threads);

    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });

    server echo(context, {asio::ip::make_address(options.address), options.port});
    std::cout << "listening on " << echo.endpoint() << std::endl;

    std::vector<std::jthread> others;
    for (int i = 1; i < options.threads; ++i)
      others.emplace_back([&] { context.run(); });
    context.run();
  });
}
