// HTTP/1.1 server on Boost.Beast, with keep-alive, HEAD, answers to errors, and timeouts on every operation.
//
//   /          what there is
//   /hello     a greeting
//   /bytes/N   N bytes, at most 16 MiB
//   /echo      POST: the request's body
//
// Usage: http_server [address] port [threads]

#include "command_line.hpp"

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <charconv>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

constexpr auto idle_timeout = std::chrono::seconds(5);
constexpr auto write_timeout = std::chrono::seconds(30);
constexpr std::size_t largest_request_body = 1024 * 1024;
constexpr std::size_t largest_response_body = 16 * 1024 * 1024;

response text(http::status status, std::string body)
{
  response result(status, 11, std::move(body));
  result.set(http::field::content_type, "text/plain; charset=utf-8");
  return result;
}

response only(std::string_view methods)
{
  response result = text(http::status::method_not_allowed, "only " + std::string(methods) + "\n");
  result.set(http::field::allow, methods);
  return result;
}

response bytes(std::string_view count)
{
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), size);
  if (error != std::errc() || end != count.data() + count.size() || size > largest_response_body)
    return text(http::status::bad_request, "a number up to " + std::to_string(largest_response_body) + "\n");
  response result(http::status::ok, 11, std::string(size, 'x'));
  result.set(http::field::content_type, "application/octet-stream");
  return result;
}

response route(request& asked)
{
  if (asked.version() >= 11 && asked.count(http::field::host) != 1)
    return text(http::status::bad_request, "one Host field, please\n");

  std::string_view path(asked.target().data(), asked.target().size());
  path = path.substr(0, path.find('?'));

  if (path == "/echo") {
    if (asked.method() != http::verb::post) return only("POST");
    response result = text(http::status::ok, std::move(asked.body()));
    if (const auto type = asked.find(http::field::content_type); type != asked.end())
      result.set(http::field::content_type, type->value());
    return result;
  }

  const bool is_bytes = path.starts_with("/bytes/");
  if (path != "/" && path != "/hello" && !is_bytes) return text(http::status::not_found, "no such page\n");
  if (asked.method() != http::verb::get && asked.method() != http::verb::head) return only("GET, HEAD");
  if (is_bytes) return bytes(path.substr(std::string_view("/bytes/").size()));
  if (path == "/hello") return text(http::status::ok, "Hello, world!\n");
  return text(http::status::ok, "GET /hello\nGET /bytes/N\nPOST /echo\n");
}

class session : public std::enable_shared_from_this<session>
{
public:
  explicit session(tcp::socket socket) : stream_(std::move(socket)) {}

  // Switches to the stream's strand: the caller is on the acceptor's.
  void start()
  {
    asio::dispatch(stream_.get_executor(), beast::bind_front_handler(&session::read, shared_from_this()));
  }

private:
  void read()
  {
    parser_.emplace();
    parser_->body_limit(largest_request_body);
    stream_.expires_after(idle_timeout);
    http::async_read(stream_, buffer_, *parser_,
                     beast::bind_front_handler(&session::answer, shared_from_this()));
  }

  void answer(error_code error, std::size_t)
  {
    if (!error) {
      request asked = parser_->release();
      response_ = route(asked);
      response_.keep_alive(asked.keep_alive());
      response_.version(asked.version());
      return write(asked.method() == http::verb::head);
    }
    if (error == http::error::end_of_stream) return close();
    if (error == http::error::partial_message ||
        error.category() != error_code(http::error::end_of_stream).category())
      return; // the connection broke or timed out: there is no peer to answer

    response_ = text(error == http::error::body_limit     ? http::status::payload_too_large
                     : error == http::error::header_limit ? http::status::request_header_fields_too_large
                                                          : http::status::bad_request,
                     error.message() + "\n");
    response_.keep_alive(false);
    write(false);
  }

  void write(bool head_only)
  {
    response_.set(http::field::server, "http_server");
    response_.content_length(response_.body().size());
    if (head_only) response_.body().clear();
    stream_.expires_after(write_timeout);
    http::async_write(stream_, response_, beast::bind_front_handler(&session::written, shared_from_this()));
  }

  void written(error_code error, std::size_t)
  {
    if (error) return;
    if (response_.keep_alive())
      read();
    else
      close();
  }

  void close()
  {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  response response_;
};

class server
{
public:
  server(asio::io_context& context, const tcp::endpoint& endpoint)
      : context_(context), acceptor_(asio::make_strand(context), endpoint), pause_(acceptor_.get_executor())
  {
    accept();
  }

  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

private:
  // Each connection gets a strand of its own, because its timeouts and its operations may otherwise run on
  // two threads at a time.
  void accept()
  {
    acceptor_.async_accept(asio::make_strand(context_), [this](error_code error, tcp::socket socket) {
      if (error) return accept_later(error);
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<session>(std::move(socket))->start();
      accept();
    });
  }

  // Out of descriptors or memory: trying again at once would spin.
  void accept_later(error_code error)
  {
    std::cerr << "http_server: accept: " << error.message() << '\n';
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](error_code cancelled) {
      if (!cancelled) accept();
    });
  }

  asio::io_context& context_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
};

} // namespace

int main(int argc, char** argv)
{
  return run_example("http_server", "[address] port [threads]", [&] {
    const server_arguments options(argc, argv);
    asio::io_context context(options.threads);

    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });

    server http(context, {asio::ip::make_address(options.address), options.port});
    std::cout << "listening on " << http.endpoint() << std::endl;

    std::vector<std::jthread> others;
    for (int i = 1; i < options.threads; ++i)
      others.emplace_back([&] { context.run(); });
    context.run();
  });
}
