// Publish and subscribe: each line that a publisher sends goes to all subscribers, from one buffer that their
// sends share.
//
// Lines are sent one after the other, whole. A subscriber that does not accept a line within the time limit
// is removed, so one that does not read delays the others only once; meanwhile the publishers wait, too. A
// subscriber that shuts down its side, or disconnects, is removed. Works with nc: `nc 127.0.0.1 PORT`
// subscribes.
//
// Usage: publish PUBLISHERS-PORT SUBSCRIBERS-PORT [SECONDS]

#include "command_line.hpp"

#include <asio_uring/accept_stream.hpp>
#include <asio_uring/fan_out.hpp>
#include <asio_uring/ip/tcp.hpp>
#include <asio_uring/within.hpp>

#include <boost/asio.hpp>
#include <boost/asio/experimental/channel.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace asio = boost::asio;
using asio_uring::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto nothrow_awaitable = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t longest_line = 64 * 1024;
constexpr std::size_t most_waiting_lines = 64;

using line = std::shared_ptr<const std::string>;
using line_queue = asio::experimental::channel<void(error_code, line)>;

class subscribers
{
public:
  using subscriber = std::shared_ptr<tcp::socket>;

  void add(const subscriber& who)
  {
    all_.push_back(who);
    report();
  }
  /// Closes the socket as well, since sends may be in flight: they share its ownership.
  void remove(const subscriber& who)
  {
    error_code ignored;
    who->close(ignored);
    if (std::erase(all_, who)) report();
  }
  const std::vector<subscriber>& all() const noexcept { return all_; }

private:
  void report() const { std::cout << "subscribers: " << all_.size() << std::endl; }

  std::vector<subscriber> all_;
};

/// Sends each line to all subscribers, within the time limit.
asio::awaitable<void> distribute(line_queue& lines, subscribers& room, std::chrono::seconds limit)
{
  for (;;) {
    line next = co_await lines.async_receive(asio::use_awaitable);
    // A copy: a subscriber that arrives meanwhile gets the next line, and one that leaves keeps its socket
    // until this send ends.
    const auto all = room.all();
    const std::vector<error_code> errors = co_await asio_uring::async_fan_out(
        lines.get_executor(), std::move(next), all, asio_uring::within(limit, asio::use_awaitable));
    // If a send failed, a part of the line may have been sent, so nothing can follow.
    for (std::size_t i = 0; i != all.size(); ++i)
      if (errors[i]) room.remove(all[i]);
  }
}

asio::awaitable<void> publish(tcp::socket publisher, line_queue& lines)
{
  std::string input;
  for (;;) {
    const auto [error, length] = co_await asio::async_read_until(
        publisher, asio::dynamic_buffer(input, longest_line), '\n', nothrow_awaitable);
    if (error == asio::error::eof && !input.empty()) { // a last line without a line feed
      co_await lines.async_send(error_code(), std::make_shared<std::string>(input + '\n'), nothrow_awaitable);
    }
    if (error) co_return;
    co_await lines.async_send(error_code(), std::make_shared<std::string>(input, 0, length),
                              nothrow_awaitable);
    input.erase(0, length);
  }
}

/// Ignores what a subscriber sends, and removes it when it ends.
asio::awaitable<void> subscribe(tcp::socket socket, subscribers& room)
{
  const auto who = std::make_shared<tcp::socket>(std::move(socket));
  room.add(who);
  std::array<char, 1024> ignored;
  for (error_code failed; !failed;)
    std::tie(failed, std::ignore) = co_await who->async_read_some(asio::buffer(ignored), nothrow_awaitable);
  room.remove(who);
}

template <typename Session>
asio::awaitable<void> serve(tcp::acceptor& acceptor, Session session)
{
  asio_uring::accept_stream connections(acceptor);
  for (;;) {
    tcp::socket socket = co_await connections.async_next(asio::use_awaitable);
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    asio::co_spawn(acceptor.get_executor(), session(std::move(socket)), asio::detached);
  }
}

void rethrow(std::exception_ptr failed)
{
  if (failed) std::rethrow_exception(failed);
}

} // namespace

int main(int argc, char** argv)
{
  return run_example("publish", "PUBLISHERS-PORT SUBSCRIBERS-PORT [SECONDS]", [&] {
    if (argc < 3 || argc > 4) throw std::invalid_argument("wrong number of arguments");
    const auto loopback = asio::ip::address_v4::loopback();
    const tcp::endpoint for_publishers(loopback, port_number(argv[1]));
    const tcp::endpoint for_subscribers(loopback, port_number(argv[2]));
    const std::chrono::seconds limit(argc == 4 ? number("number of seconds", argv[3], 1, 3600) : 1);

    asio::io_context context(1);
    line_queue lines(context, most_waiting_lines);
    subscribers room;
    tcp::acceptor publishers(context, for_publishers), others(context, for_subscribers);
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });
    std::cout << "publishers on " << publishers.local_endpoint() << '\n'
              << "listening on " << others.local_endpoint() << std::endl;

    asio::co_spawn(context, distribute(lines, room, limit), rethrow);
    asio::co_spawn(context, serve(publishers, [&](tcp::socket s) { return publish(std::move(s), lines); }),
                   rethrow);
    asio::co_spawn(context, serve(others, [&](tcp::socket s) { return subscribe(std::move(s), room); }),
                   rethrow);
    context.run();
  });
}
