// accept_count PORT COUNT: accepts COUNT connections, up to three at a time, and greets each.
//
// The program handles no queues: an accept is started like any other operation, and the loop submits it,
// waits, and calls the handler when it has completed.

#include <asio_uring/ip/tcp.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;
using asio_uring::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int accepts_in_flight = 3;

class greeter
{
public:
  greeter(asio::io_context& context, asio::ip::port_type port, int count)
      : acceptor_(context, {asio::ip::address_v4::loopback(), port}), wanted_(count)
  {
    std::cout << "listening on " << acceptor_.local_endpoint() << std::endl;
    for (int i = 0; i != accepts_in_flight; ++i)
      accept();
  }

private:
  void accept()
  {
    if (started_ == wanted_) return; // without work the loop ends
    ++started_;
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) throw boost::system::system_error(error, "accept");
      greet(std::move(socket), "you are number " + std::to_string(++accepted_) + '\n');
      accept();
    });
  }

  static void greet(tcp::socket accepted, std::string greeting)
  {
    const auto socket = std::make_shared<tcp::socket>(std::move(accepted));
    const auto text = std::make_shared<std::string>(std::move(greeting));
    asio::async_write(*socket, asio::buffer(*text), [socket, text](error_code, std::size_t) {});
  }

  tcp::acceptor acceptor_;
  int wanted_, started_ = 0, accepted_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
  try {
    if (argc != 3) return std::cerr << "usage: accept_count PORT COUNT\n", 2;
    asio::io_context context(1);
    greeter all(context, static_cast<asio::ip::port_type>(std::stoi(argv[1])), std::stoi(argv[2]));
    context.run();
  } catch (const std::exception& e) {
    std::cerr << "accept_count: " << e.what() << '\n';
    return 1;
  }
}
