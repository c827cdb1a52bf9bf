// HTTP/1.1 server of a directory's files on Boost.Beast that never blocks its loop: asynchronous operations
// open, inspect and read the files, and the next block is read while one is sent.
//
// It supports GET and HEAD, a directory's index.html, keep-alive, and 304 for unchanged files. A path cannot
// leave the root, by "..", by a symbolic link or otherwise: the kernel prevents that (openat2, Linux 5.6).
//
// Compiled with FILE_SERVER_BLOCKING, disk_file does the same with plain calls in the handlers, as servers on
// a reactor do.
//
// Usage: file_server root [address] port

#include "files_below.hpp"

#include <asio_uring/async_submit.hpp>
#include <asio_uring/ip/tcp.hpp>
#include <asio_uring/random_access_file.hpp>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <charconv>
#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio_uring::unique_descriptor;
using asio_uring::ip::tcp;
using boost::system::error_code;
using namespace asio::experimental::awaitable_operators;

namespace {

using stream_type = beast::basic_stream<asio::ip::tcp, asio_uring::any_io_executor>;

constexpr auto nothrow_awaitable = asio::as_tuple(asio::use_awaitable);
constexpr auto idle_timeout = std::chrono::seconds(5);
constexpr auto write_timeout = std::chrono::seconds(30);
constexpr std::size_t block_size = 128 * 1024;

error_code system_error(int number) { return {number, boost::system::system_category()}; }

/// A file below a directory. Only this class knows how it is accessed.
class disk_file
{
public:
  struct status
  {
    mode_t mode = 0;
    std::uint64_t size = 0;
    std::time_t modified = 0;
  };

  explicit disk_file(const asio_uring::any_io_executor& executor) : file_(executor) {}

#ifndef FILE_SERVER_BLOCKING

  asio::awaitable<error_code> open(int root, std::string path)
  {
    struct names
    {
      std::string path;
      open_how how = how_to_open_below();
    };
    names payload{std::move(path)};
    auto [ec, opened, given] = co_await asio_uring::async_submit<unique_descriptor>(
        file_, std::move(payload),
        [root](io_uring_sqe& sqe, names& n) { io_uring_prep_openat2(&sqe, root, n.path.c_str(), &n.how); },
        nothrow_awaitable);
    if (!ec) adopt(std::move(opened), ec);
    co_return ec;
  }

  asio::awaitable<error_code> stat(status& result)
  {
    // Returns what open has just learned, without asking a remote file system again, so a plain call does not
    // block. (The kernel always performs IORING_OP_STATX in a thread.)
    struct ::statx found;
    const int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    if (::statx(file_.native_handle(), "", flags, STATX_BASIC_STATS, &found) < 0)
      co_return system_error(errno);
    result = {found.stx_mode, found.stx_size, found.stx_mtime.tv_sec};
    co_return error_code();
  }

  asio::awaitable<error_code> read(std::uint64_t at, asio::mutable_buffer block)
  {
    auto [ec, size] = co_await asio::async_read_at(file_, at, block, nothrow_awaitable);
    co_return ec;
  }

#else

  asio::awaitable<error_code> open(int root, std::string path)
  {
    open_how how = how_to_open_below();
    unique_descriptor opened(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how))));
    if (!opened) co_return system_error(errno);
    error_code ec;
    adopt(std::move(opened), ec);
    co_return ec;
  }

  asio::awaitable<error_code> stat(status& result)
  {
    struct ::stat found;
    if (::fstat(file_.native_handle(), &found) < 0) co_return system_error(errno);
    result = {found.st_mode, static_cast<std::uint64_t>(found.st_size), found.st_mtime};
    co_return error_code();
  }

  asio::awaitable<error_code> read(std::uint64_t at, asio::mutable_buffer block)
  {
    error_code ec;
    asio::read_at(file_, at, block, ec);
    co_return ec;
  }

#endif

private:
  void adopt(unique_descriptor opened, error_code& ec)
  {
    if (!file_.assign(opened.get(), ec)) opened.release();
  }

  asio_uring::random_access_file file_;
};

std::string_view type_of(std::string_view path)
{
  constexpr std::pair<std::string_view, std::string_view> types[] = {
      {".css", "text/css"},
      {".gif", "image/gif"},
      {".htm", "text/html; charset=utf-8"},
      {".html", "text/html; charset=utf-8"},
      {".jpeg", "image/jpeg"},
      {".jpg", "image/jpeg"},
      {".js", "text/javascript"},
      {".json", "application/json"},
      {".pdf", "application/pdf"},
      {".png", "image/png"},
      {".svg", "image/svg+xml"},
      {".txt", "text/plain; charset=utf-8"},
      {".wasm", "application/wasm"},
      {".webp", "image/webp"},
      {".xml", "text/xml"},
  };
  for (const auto& [extension, type] : types)
    if (path.ends_with(extension)) return type;
  return "application/octet-stream";
}

std::string date(std::time_t time)
{
  std::tm parts;
  ::gmtime_r(&time, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

/// Returns the path that a request names, relative to the root, or nothing if it is invalid.
std::optional<std::string> path_of(std::string_view target)
{
  target = target.substr(0, target.find('?'));
  if (!target.starts_with('/')) return std::nullopt;
  std::string path = ".";
  for (std::size_t i = 0; i != target.size(); ++i) {
    if (target[i] != '%') {
      path += target[i];
      continue;
    }
    unsigned char byte = 0;
    const std::string_view digits = target.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.end() || byte == 0) return std::nullopt;
    path += static_cast<char>(byte);
    i += 2;
  }
  return path;
}

/// One connection.
class session
{
public:
  session(stream_type& stream, int root) : stream_(stream), root_(root) {}

  asio::awaitable<void> run()
  {
    for (bool more = true; more;) {
      http::request_parser<http::empty_body> parser;
      stream_.expires_after(idle_timeout);
      auto [ec, size] = co_await http::async_read_header(stream_, received_, parser, nothrow_awaitable);
      if (ec == http::error::end_of_stream || ec == http::error::partial_message) co_return;
      if (!ec) {
        if (!parser.is_done()) parser.get().keep_alive(false); // there is a body, which is not read
        more = co_await answer(parser.get());
      } else if (ec.category() == error_code(http::error::end_of_stream).category())
        more = co_await refuse(request(), http::status::bad_request);
      else
        co_return; // the connection broke or timed out: there is no peer to answer
    }
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

private:
  using request = http::request<http::empty_body>;
  using head = http::response<http::buffer_body>;

  // These functions return whether the connection can be used further.

  asio::awaitable<bool> answer(const request& asked)
  {
    if (asked.method() != http::verb::get && asked.method() != http::verb::head)
      co_return co_await refuse(asked, http::status::method_not_allowed);
    auto path = path_of({asked.target().data(), asked.target().size()});
    if (!path || (asked.version() >= 11 && asked.count(http::field::host) != 1))
      co_return co_await refuse(asked, http::status::bad_request);

    if (path->ends_with('/')) *path += "index.html";
    disk_file file(stream_.get_executor());
    disk_file::status found;
    error_code ec = co_await file.open(root_, *path);
    if (!ec) ec = co_await file.stat(found);
    if (ec) co_return co_await refuse(asked, status_for(ec));
    if (S_ISDIR(found.mode)) co_return co_await redirect(asked);
    if (!S_ISREG(found.mode)) co_return co_await refuse(asked, http::status::not_found);

    head answer = start(asked, http::status::ok);
    const std::string modified = date(found.modified);
    answer.set(http::field::last_modified, modified);
    if (asked[http::field::if_modified_since] == modified) {
      answer.result(http::status::not_modified);
      co_return co_await send(answer, {});
    }
    answer.set(http::field::content_type, type_of(*path));
    answer.content_length(found.size);
    if (asked.method() == http::verb::head) co_return co_await send(answer, {});
    co_return co_await send(answer, file, found.size);
  }

  /// Sends a file: the next block is read while one is sent.
  asio::awaitable<bool> send(head& answer, disk_file& file, std::uint64_t size)
  {
    const auto block_at = [&](std::uint64_t at, std::vector<char>& block) {
      if (block.empty()) block.resize(block_size);
      return asio::buffer(block, static_cast<std::size_t>(std::min<std::uint64_t>(size - at, block_size)));
    };
    asio::mutable_buffer block = block_at(0, blocks_[0]);
    // An error here can still be reported to the client; later ones can only end the connection.
    if (size != 0 && co_await file.read(0, block))
      co_return co_await refuse(request(), http::status::internal_server_error);

    http::response_serializer<http::buffer_body> serializer(answer);
    for (std::uint64_t at = 0;;) {
      at += block.size();
      answer.body() = {block.data(), block.size(), at != size};
      stream_.expires_after(write_timeout);
      if (at == size) {
        auto [ec, sent] = co_await http::async_write(stream_, serializer, nothrow_awaitable);
        co_return !ec && answer.keep_alive();
      }
      std::swap(blocks_[0], blocks_[1]);
      const asio::mutable_buffer next = block_at(at, blocks_[0]);
      auto [ec, sent, unread] =
          co_await (http::async_write(stream_, serializer, nothrow_awaitable) && file.read(at, next));
      if (unread || ec != http::error::need_buffer) co_return false;
      block = next;
    }
  }

  /// Sends a short text, or none.
  asio::awaitable<bool> send(head& answer, std::string_view text)
  {
    answer.body() = {const_cast<char*>(text.data()), text.size(), false};
    http::response_serializer<http::buffer_body> serializer(answer);
    stream_.expires_after(write_timeout);
    if (text.empty()) {
      auto [ec, sent] = co_await http::async_write_header(stream_, serializer, nothrow_awaitable);
      co_return !ec && answer.keep_alive();
    }
    auto [ec, sent] = co_await http::async_write(stream_, serializer, nothrow_awaitable);
    co_return !ec && answer.keep_alive();
  }

  asio::awaitable<bool> refuse(const request& asked, http::status why)
  {
    head answer = start(asked, why);
    const std::string text = std::string(http::obsolete_reason(why)) + "\n";
    answer.set(http::field::content_type, "text/plain");
    answer.content_length(text.size());
    if (why == http::status::method_not_allowed) {
      answer.set(http::field::allow, "GET, HEAD");
      answer.keep_alive(false); // a body may follow
    }
    if (why == http::status::bad_request) answer.keep_alive(false);
    std::string_view body = text;
    if (asked.method() == http::verb::head) body = {};
    co_return co_await send(answer, body);
  }

  /// Redirects from `directory` to `directory/`, because links in its index are relative to the directory.
  asio::awaitable<bool> redirect(const request& asked)
  {
    head answer = start(asked, http::status::moved_permanently);
    const std::string_view target(asked.target().data(), asked.target().size());
    answer.set(http::field::location, std::string(target.substr(0, target.find('?'))) + "/");
    answer.content_length(0);
    co_return co_await send(answer, {});
  }

  static head start(const request& asked, http::status status)
  {
    head answer(status, asked.version());
    answer.set(http::field::server, "file_server");
    answer.keep_alive(asked.keep_alive());
    return answer;
  }

  stream_type& stream_;
  beast::flat_buffer received_;
  std::vector<char> blocks_[2]; // the second one is for large files only
  int root_;
};

asio::awaitable<void> serve_connection(tcp::socket socket, int root)
{
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  stream_type stream(std::move(socket));
  co_await session(stream, root).run();
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, int root)
{
  for (;;) {
    auto [ec, socket] = co_await acceptor.async_accept(nothrow_awaitable);
    if (!ec) {
      asio::co_spawn(acceptor.get_executor(), serve_connection(std::move(socket), root), asio::detached);
      continue;
    }
    // Out of descriptors or memory: trying again at once would spin.
    std::cerr << "file_server: accept: " << ec.message() << '\n';
    asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
    co_await pause.async_wait(asio::use_awaitable);
  }
}

} // namespace

int main(int argc, char** argv)
{
  if (argc < 3 || argc > 4) return std::cerr << "usage: file_server root [address] port\n", 2;
  try {
    const unique_descriptor root(::open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw boost::system::system_error(system_error(errno), argv[1]);
    const auto address = asio::ip::make_address(argc == 4 ? argv[2] : "127.0.0.1");

    asio::io_context context(1);
    asio::signal_set signals(context, SIGINT, SIGTERM);
    tcp::acceptor acceptor(context, {address, static_cast<asio::ip::port_type>(std::stoi(argv[argc - 1]))});
    signals.async_wait([&](error_code, int) { context.stop(); });
    std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
    asio::co_spawn(context, serve(acceptor, root.get()), asio::detached);
    context.run();
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "file_server: " << e.what() << '\n';
    return 1;
  }
}
