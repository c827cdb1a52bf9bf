// HTTPS server on Boost.Beast: answers every request with a greeting. Usage: https PORT CERTIFICATE KEY

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

using tcp_stream = beast::tcp_stream;
using tls_stream = asio::ssl::stream<tcp_stream>;

asio::awaitable<void> answer(tcp::socket socket, asio::ssl::context& tls)
{
  tls_stream stream(std::move(socket), tls);
  beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(10));
  co_await stream.async_handshake(tls_stream::server, asio::use_awaitable);

  beast::flat_buffer buffer;
  for (bool more = true; more;) {
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(10));
    http::request<http::string_body> request;
    co_await http::async_read(stream, buffer, request, asio::use_awaitable);
    http::response<http::string_body> response(http::status::ok, request.version(), "Hello, world!\n");
    response.keep_alive(more = request.keep_alive());
    response.prepare_payload();
    co_await http::async_write(stream, response, asio::use_awaitable);
  }
  co_await stream.async_shutdown(asio::use_awaitable);
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, asio::ssl::context& tls)
{
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), answer(std::move(socket), tls), asio::detached);
  }
}

int main(int argc, char** argv)
{
  if (argc != 4) return std::cerr << "usage: https PORT CERTIFICATE KEY\n", 2;
  asio::ssl::context tls(asio::ssl::context::tls_server);
  tls.use_certificate_chain_file(argv[2]);
  tls.use_private_key_file(argv[3], asio::ssl::context::pem);

  asio::io_context context(1);
  const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) { context.stop(); });
  std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
  asio::co_spawn(context, serve(acceptor, tls), asio::detached);
  context.run();
}
