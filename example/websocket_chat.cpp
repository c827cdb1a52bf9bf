// Chat over WebSocket on Boost.Beast: each message, text or binary, goes to all clients, its sender included.
// A browser that opens http://ADDRESS:PORT/ gets a page to take part.
//
// All clients share the room, so all code runs on one strand. What a client costs is bounded: a message has
// at most 1 MiB, and a client that does not read is disconnected when 8 MiB wait for it. One from which
// nothing comes is sent a ping after 5 seconds, and disconnected after 10.
//
// Usage: websocket_chat [address] port [threads]

#include "command_line.hpp"
#include "serving.hpp"

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <chrono>
#include <csignal>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto handshake_timeout = std::chrono::seconds(5);
constexpr auto idle_timeout = std::chrono::seconds(10); // Beast sends a ping after half of it
constexpr std::size_t longest_message = 1024 * 1024;
constexpr std::size_t outbox_limit = 8 * longest_message;

constexpr char page[] = R"(<!DOCTYPE html>
<meta charset="utf-8">
<title>websocket_chat</title>
<form><input size="60" autofocus placeholder="say something"></form>
<pre></pre>
<script>
const input = document.querySelector("input")
const show = text => document.querySelector("pre").append(text + "\n")
const socket = new WebSocket(location.href.replace("http", "ws"))
socket.onopen = () => show("* welcome")
socket.onmessage = event => show(typeof event.data == "string" ? event.data : `* ${event.data.size} bytes`)
socket.onclose = event => show(`* the connection has ended (${event.code})`)
document.querySelector("form").onsubmit = event => {
  event.preventDefault()
  socket.send(input.value)
  input.value = ""
}
</script>
)";

http::response<http::string_body> answer(const http::request<http::string_body>& asked)
{
  http::response<http::string_body> result(http::status::ok, asked.version());
  result.keep_alive(false);
  result.set(http::field::content_type, "text/plain");
  if (asked.method() != http::verb::get) {
    result.result(http::status::method_not_allowed);
    result.set(http::field::allow, "GET");
    result.body() = "only GET\n";
  } else if (asked.target() != "/") {
    result.result(http::status::not_found);
    result.body() = "only / is here\n";
  } else {
    result.set(http::field::content_type, "text/html; charset=utf-8");
    result.body() = page;
  }
  result.prepare_payload();
  return result;
}

struct message
{
  bool is_text;
  std::string data;
};

class client;

class room
{
public:
  void enter(std::shared_ptr<client> who) { all_.insert(std::move(who)); }
  void leave(const std::shared_ptr<client>& who) { all_.erase(who); }
  void tell_all(const std::shared_ptr<const message>& what);
  void close();

private:
  std::set<std::shared_ptr<client>> all_;
};

class client : public std::enable_shared_from_this<client>
{
public:
  client(tcp::socket socket, room& room) : stream_(std::move(socket)), room_(room) {}

  asio::awaitable<void> run()
  {
    room_.enter(shared_from_this());
    takes_part_ =
        co_await upgraded(); // not within the condition: g++ 12 would make a frame that it cannot use
    if (takes_part_) co_await read_all();
    takes_part_ = false;
    room_.leave(shared_from_this());
  }

  /// Sends the message after those that wait, from memory that all clients share.
  void send(const std::shared_ptr<const message>& what)
  {
    if (!takes_part_) return;
    waiting_ += what->data.size();
    if (waiting_ > outbox_limit) return tcp_stream().close();
    outbox_.push_back(what);
    if (outbox_.size() == 1)
      asio::co_spawn(stream_.get_executor(), write_all(shared_from_this()), asio::detached);
  }

  /// Says good-bye. The reads end when the client has answered, or after the time-out for handshakes.
  void dismiss()
  {
    if (!stream_.is_open()) return tcp_stream().close();
    stream_.async_close(websocket::close_code::going_away, [self = shared_from_this()](error_code) {});
  }

private:
  beast::tcp_stream& tcp_stream() { return stream_.next_layer(); }

  /// Reads the request; returns whether it was for WebSocket, and granted. The others are answered.
  asio::awaitable<bool> upgraded()
  {
    beast::flat_buffer buffer;
    http::request<http::string_body> asked;
    tcp_stream().expires_after(handshake_timeout);
    const auto [error, received] = co_await http::async_read(tcp_stream(), buffer, asked, nothrow_awaitable);
    if (error) co_return false;
    if (!websocket::is_upgrade(asked)) {
      const auto response = answer(asked);
      co_await http::async_write(tcp_stream(), response, nothrow_awaitable);
      co_return false;
    }
    tcp_stream().expires_never(); // the time-outs of WebSocket follow
    stream_.set_option(websocket::stream_base::timeout{handshake_timeout, idle_timeout, true});
    stream_.read_message_max(longest_message);
    const auto [refused] = co_await stream_.async_accept(asked, nothrow_awaitable);
    co_return !refused;
  }

  /// Answers pings and the end of the connection, too: Beast does that while it reads.
  asio::awaitable<void> read_all()
  {
    for (;;) {
      message next{};
      auto buffer = asio::dynamic_buffer(next.data);
      const auto [error, size] = co_await stream_.async_read(buffer, nothrow_awaitable);
      if (error) co_return;
      next.is_text = stream_.got_text();
      room_.tell_all(std::make_shared<const message>(std::move(next)));
    }
  }

  asio::awaitable<void> write_all(std::shared_ptr<client> /* keeps this alive */)
  {
    while (!outbox_.empty()) {
      stream_.text(outbox_.front()->is_text);
      const auto [error, size] =
          co_await stream_.async_write(asio::buffer(outbox_.front()->data), nothrow_awaitable);
      if (error) co_return; // so does the read
      waiting_ -= outbox_.front()->data.size();
      outbox_.pop_front();
    }
  }

  websocket::stream<beast::tcp_stream> stream_;
  room& room_;
  bool takes_part_ = false;
  std::deque<std::shared_ptr<const message>> outbox_; // the first is being written
  std::size_t waiting_ = 0;                           // bytes in it
};

void room::tell_all(const std::shared_ptr<const message>& what)
{
  for (const auto& each : all_)
    each->send(what);
}

void room::close()
{
  for (const auto& each : all_)
    each->dismiss();
}

} // namespace

int main(int argc, char** argv)
{
  return run_example("websocket_chat", "[address] port [threads]", [&] {
    const server_arguments options(argc, argv);
    asio::io_context context(options.threads);
    const auto strand = asio::make_strand(context);

    room lobby;
    tcp::acceptor acceptor = listen_on(strand, options);
    const auto serve = [&](tcp::socket socket) {
      auto who = std::make_shared<client>(std::move(socket), lobby);
      asio::co_spawn(
          strand, [who] { return who->run(); }, asio::detached);
    };
    asio::co_spawn(strand, accept_all("websocket_chat", acceptor, serve), asio::detached);

    // No context.stop(): run() returns when the last client has been dismissed.
    asio::signal_set signals(strand, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) {
      error_code ignored;
      acceptor.close(ignored);
      lobby.close();
    });
    run_in_threads(context, options.threads);
  });
}
