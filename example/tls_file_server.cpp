// HTTPS server of a directory's files: Asio's ssl::stream over a socket on io_uring, of which it knows
// nothing. GET and HEAD; keep-alive. A path cannot leave the root: the kernel prevents that (openat2, Linux
// 5.6).
//
// The bytes are encrypted here, between a read of the file and a write to the socket. Linux can encrypt
// itself (kernel TLS), and async_send_file could then send a file without the program seeing it. But OpenSSL
// passes its keys to the kernel (SSL_OP_ENABLE_KTLS; see BIO_get_ktls_send) only if it writes to the socket
// itself, after SSL_set_fd. ssl::stream has it write to memory instead, so that any stream can be below.
//
// Usage: tls_file_server ROOT PORT CERTIFICATE KEY

#include "command_line.hpp"
#include "files_below.hpp"

#include <asio_uring/accept_stream.hpp>
#include <asio_uring/async_submit.hpp>
#include <asio_uring/ip/tcp.hpp>
#include <asio_uring/random_access_file.hpp>
#include <asio_uring/within.hpp>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using asio_uring::random_access_file;
using asio_uring::unique_descriptor;
using asio_uring::within;
using asio_uring::ip::tcp;
using boost::system::error_code;

namespace {

using stream_type = ssl::stream<tcp::socket>;
using request = http::request<http::empty_body>;
using head = http::response<http::empty_body>;

constexpr auto nothrow_awaitable = asio::as_tuple(asio::use_awaitable);
constexpr auto handshake_timeout = std::chrono::seconds(10);
constexpr auto idle_timeout = std::chrono::seconds(10);
constexpr auto write_timeout = std::chrono::seconds(30);
constexpr std::size_t block_size = 128 * 1024;

/// Opens a regular file below the root, and returns its size.
asio::awaitable<std::pair<error_code, std::uint64_t>> open_below(random_access_file& file, int root,
                                                                 std::string path)
{
  struct names
  {
    std::string path;
    open_how how = how_to_open_below();
  };
  names payload{std::move(path)};
  auto [ec, opened, given] = co_await asio_uring::async_submit<unique_descriptor>(
      file, std::move(payload),
      [root](io_uring_sqe& sqe, names& n) { io_uring_prep_openat2(&sqe, root, n.path.c_str(), &n.how); },
      nothrow_awaitable);
  if (ec) co_return std::pair(ec, std::uint64_t());

  struct ::stat found
  {};
  if (::fstat(opened.get(), &found) < 0 || !S_ISREG(found.st_mode))
    co_return std::pair(error_code(ENOENT, boost::system::system_category()), std::uint64_t());
  if (!file.assign(opened.get(), ec)) opened.release();
  co_return std::pair(ec, static_cast<std::uint64_t>(found.st_size));
}

/// One connection, after the handshake.
class session
{
public:
  session(stream_type& stream, int root) : stream_(stream), root_(root) {}

  asio::awaitable<void> run()
  {
    for (bool more = true; more;) {
      http::request_parser<http::empty_body> parser;
      auto [ec, size] = co_await http::async_read_header(stream_, received_, parser,
                                                         within(idle_timeout, nothrow_awaitable));
      if (!ec) {
        if (!parser.is_done()) parser.get().keep_alive(false); // there is a body, which is not read
        more = co_await answer(parser.get());
      } else if (ec != http::error::end_of_stream && ec != http::error::partial_message &&
                 ec.category() == error_code(http::error::end_of_stream).category())
        more = co_await send(http::status::bad_request, request(), 0);
      else
        co_return; // the connection has ended, broken, or nothing came
    }
  }

private:
  // These functions return whether the connection can be used further.

  asio::awaitable<bool> answer(const request& asked)
  {
    if (asked.method() != http::verb::get && asked.method() != http::verb::head)
      co_return co_await send(http::status::method_not_allowed, asked, 0);
    random_access_file file(stream_.get_executor());
    const auto [ec, size] = co_await open_below(file, root_, "." + std::string(asked.target()));
    if (ec) co_return co_await send(status_for(ec), asked, 0);
    const bool more = co_await send(http::status::ok, asked, size);
    if (asked.method() == http::verb::head) co_return more;
    co_return co_await send(file, size) && more;
  }

  asio::awaitable<bool> send(http::status status, const request& asked, std::uint64_t size)
  {
    head answer(status, asked.version());
    answer.set(http::field::server, "tls_file_server");
    answer.keep_alive(asked.keep_alive() && status != http::status::bad_request);
    answer.content_length(size);
    const bool more = answer.keep_alive();
    http::response_serializer<http::empty_body> serializer(answer);
    const auto [ec, sent] =
        co_await http::async_write_header(stream_, serializer, within(write_timeout, nothrow_awaitable));
    co_return !ec && more;
  }

  /// Sends as much of the file as was announced. If it has shrunk, that ends the connection.
  asio::awaitable<bool> send(random_access_file& file, std::uint64_t size)
  {
    if (block_.empty()) block_.resize(block_size);
    for (std::uint64_t at = 0; at != size;) {
      const auto block =
          asio::buffer(block_, static_cast<std::size_t>(std::min(size - at, block_size + 0UL)));
      const auto [failed, read] = co_await asio::async_read_at(file, at, block, nothrow_awaitable);
      if (failed) co_return false;
      const auto [ec, sent] =
          co_await asio::async_write(stream_, block, within(write_timeout, nothrow_awaitable));
      if (ec) co_return false;
      at += read;
    }
    co_return true;
  }

  stream_type& stream_;
  beast::flat_buffer received_;
  std::vector<char> block_;
  int root_;
};

asio::awaitable<void> serve_connection(tcp::socket socket, ssl::context& tls, int root)
{
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  stream_type stream(std::move(socket), tls);
  const auto [ec] =
      co_await stream.async_handshake(stream_type::server, within(handshake_timeout, nothrow_awaitable));
  if (ec) co_return;
  co_await session(stream, root).run();
  // Tells the client that it has received everything.
  co_await stream.async_shutdown(within(handshake_timeout, nothrow_awaitable));
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, ssl::context& tls, int root)
{
  asio_uring::accept_stream connections(acceptor);
  for (;;) {
    tcp::socket socket = co_await connections.async_next(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve_connection(std::move(socket), tls, root), asio::detached);
  }
}

} // namespace

int main(int argc, char** argv)
{
  return run_example("tls_file_server", "ROOT PORT CERTIFICATE KEY", [&] {
    if (argc != 5) throw std::invalid_argument("wrong number of arguments");
    const tcp::endpoint here(asio::ip::address_v4::loopback(), port_number(argv[2]));
    const unique_descriptor root(::open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw boost::system::system_error(errno, boost::system::system_category(), argv[1]);

    ssl::context tls(ssl::context::tls_server);
    tls.set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
    tls.use_certificate_chain_file(argv[3]);
    tls.use_private_key_file(argv[4], ssl::context::pem);

    asio::io_context context(1);
    tcp::acceptor acceptor(context, here);
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });
    std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
    asio::co_spawn(context, serve(acceptor, tls, root.get()), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
    context.run();
  });
}
