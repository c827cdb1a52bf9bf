// An HTTP keep-alive server after Boost.Beast's asynchronous example, with one fixed answer.
#include "server.hpp"
#include <boost/asio/dispatch.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

template <class Stream>
class session : public std::enable_shared_from_this<session<Stream>>
{
public:
  template <class Socket>
  explicit session(Socket socket) : stream_(std::move(socket))
  {}

  void run()
  {
    asio::dispatch(stream_.get_executor(),
                   beast::bind_front_handler(&session::read, this->shared_from_this()));
  }

private:
  void read()
  {
    request_ = {};
    stream_.expires_after(std::chrono::seconds(30));
    http::async_read(stream_, buffer_, request_,
                     beast::bind_front_handler(&session::on_read, this->shared_from_this()));
  }

  void on_read(error_code failed, std::size_t)
  {
    if (failed) return close();
    response_ = {http::status::ok, request_.version()};
    response_.set(http::field::server, "asio_uring bench");
    response_.set(http::field::content_type, "text/plain");
    response_.keep_alive(request_.keep_alive());
    response_.body() = "Hello, world!";
    response_.prepare_payload();
    http::async_write(stream_, response_,
                      beast::bind_front_handler(&session::on_write, this->shared_from_this()));
  }

  void on_write(error_code failed, std::size_t)
  {
    if (failed || response_.need_eof()) return close();
    read();
  }

  void close()
  {
    error_code ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  }

  Stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

template <class Acceptor>
void accept(Acceptor& acceptor)
{
  using protocol = typename Acceptor::protocol_type;
  acceptor.async_accept(
      asio::make_strand(acceptor.get_executor()), [&acceptor](error_code failed, auto socket) {
        if (!failed) {
          bench::set_no_delay(socket);
          std::make_shared<session<beast::basic_stream<protocol>>>(std::move(socket))->run();
        }
        accept(acceptor);
      });
}

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, "http_server --tcp PORT | --unix PATH");
  bench::run_server(given, [](auto& acceptor) { accept(acceptor); });
}
