// TCP echo server with callbacks: each connection is a session that reads and writes in turn.
//
// Usage: echo_callbacks [address] port [threads]

#include <boost/asio.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
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

struct arguments
{
  asio::ip::address address = asio::ip::address_v4::loopback();
  asio::ip::port_type port = 0;
  int threads = 1;

  arguments(int argc, char** argv)
  {
    int next = 1;
    error_code no_address;
    if (const auto given = asio::ip::make_address(argc > 1 ? argv[1] : "", no_address); !no_address) {
      address = given;
      ++next;
    }
    if (argc < next + 1 || argc > next + 2) throw std::invalid_argument("wrong number of arguments");
    port = static_cast<asio::ip::port_type>(number("port", argv[next], 0, 65535));
    if (argc > next + 1) threads = number("number of threads", argv[next + 1], 1, 256);
  }

  static int number(const char* what, std::string_view text, int least, int most)
  {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
      throw std::invalid_argument("'" + std::string(text) + "' is not a " + what + " (" +
                                  std::to_string(least) + " to " + std::to_string(most) + ")");
    return value;
  }
};

} // namespace

int main(int argc, char** argv)
{
  try {
    const arguments options(argc, argv);
    asio::io_context context(options.threads);

    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });

    server echo(context, {options.address, options.port});
    std::cout << "listening on " << echo.endpoint() << std::endl;

    std::vector<std::jthread> others;
    for (int i = 1; i < options.threads; ++i)
      others.emplace_back([&] { context.run(); });
    context.run();
    return 0;
  } catch (const std::invalid_argument& error) {
    std::cerr << "echo_callbacks: " << error.what() << "\nusage: echo_callbacks [address] port [threads]\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "echo_callbacks: " << error.what() << '\n';
    return 1;
  }
}
