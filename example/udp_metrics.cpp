// Counters by UDP, like those of statsd: each line of a datagram is NAME:VALUE|c, and adds to the counter of
// that name. The totals are printed when the program is told to end. With --echo it sends each datagram back.
//
// One system call receives all datagrams that are there, and one sends them back.
//
// Usage: udp_metrics PORT [--echo]

#include "command_line.hpp"

#include <asio_uring/datagram_batches.hpp>
#include <asio_uring/ip/udp.hpp>

#include <boost/asio.hpp>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

namespace asio = boost::asio;
using asio_uring::ip::udp;
using boost::system::error_code;

namespace {

constexpr auto nothrow_awaitable = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t batch_size = 64;
constexpr std::size_t longest_datagram = 2048;

class totals
{
public:
  void add_datagram(std::string_view text, bool truncated)
  {
    // The kernel has truncated the datagram somewhere in its last line.
    if (truncated) {
      ++malformed_;
      text = text.substr(0, text.rfind('\n') + 1);
    }
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (!add_line(text.substr(0, end))) ++malformed_;
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  void print(std::ostream& out) const
  {
    for (const auto& [name, value] : counters_)
      out << name << ' ' << value << '\n';
    out << "malformed lines: " << malformed_ << std::endl;
  }

private:
  bool add_line(std::string_view text)
  {
    const std::size_t colon = text.rfind(':');
    if (colon == text.npos || colon == 0) return false;
    const std::string_view rest = text.substr(colon + 1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest.begin(), rest.end(), value);
    if (error != std::errc() || std::string_view(end, rest.end()) != "|c") return false;

    std::int64_t& counter = counters_[std::string(text.substr(0, colon))];
    std::int64_t sum = 0;
    if (__builtin_add_overflow(counter, value, &sum)) return false;
    counter = sum;
    return true;
  }

  std::map<std::string, std::int64_t> counters_;
  std::uint64_t malformed_ = 0;
};

class sink
{
public:
  sink(udp::socket& socket, bool echo) : socket_(socket), echo_(echo) {}

  asio::awaitable<void> run()
  {
    while (!ending_) {
      const auto [ec, count] = co_await asio_uring::async_receive_many(socket_, received_, nothrow_awaitable);
      if (ec == asio::error::operation_aborted) continue;
      if (ec) throw boost::system::system_error(ec, "receive");
      add();
      if (echo_) co_await echo();
    }
    // What has arrived before the end counts.
    socket_.non_blocking(true);
    for (error_code ec; asio_uring::receive_many(socket_, received_, ec) != 0;)
      add();
    totals_.print(std::cout);
  }

  void end()
  {
    ending_ = true;
    socket_.cancel();
  }

private:
  void add()
  {
    for (const auto& datagram : received_)
      totals_.add_datagram({static_cast<const char*>(datagram.data().data()), datagram.size()},
                           datagram.truncated());
  }

  /// Sends all back, except those that cannot be sent.
  asio::awaitable<void> echo()
  {
    replies_.clear();
    for (const auto& datagram : received_)
      replies_.push_back(datagram.data(), datagram.sender());
    while (!replies_.empty()) {
      const auto [ec, sent] = co_await asio_uring::async_send_many(socket_, replies_, nothrow_awaitable);
      if (ec == asio::error::operation_aborted) co_return;
      replies_.consume(sent + (ec ? 1 : 0));
    }
  }

  udp::socket& socket_;
  const bool echo_;
  bool ending_ = false;
  totals totals_;
  asio_uring::receive_batch<udp> received_{batch_size, longest_datagram};
  asio_uring::send_batch<udp> replies_{batch_size};
};

} // namespace

int main(int argc, char** argv)
{
  return run_example("udp_metrics", "PORT [--echo]", [&] {
    const bool echo = argc == 3 && std::string_view(argv[2]) == "--echo";
    if (argc < 2 || argc > 3 || (argc == 3 && !echo)) throw std::invalid_argument("wrong arguments");
    const udp::endpoint here(asio::ip::address_v4::loopback(), port_number(argv[1]));

    asio::io_context context(1);
    udp::socket socket(context, here);
    asio::signal_set signals(context, SIGINT, SIGTERM);
    error_code ignored; // the buffer may be smaller than requested
    socket.set_option(asio::socket_base::receive_buffer_size(4 * 1024 * 1024), ignored);
    std::cout << "listening on " << socket.local_endpoint() << std::endl;

    sink all(socket, echo);
    asio::co_spawn(context, all.run(), [&](std::exception_ptr failed) {
      signals.cancel();
      if (failed) std::rethrow_exception(failed);
    });
    signals.async_wait([&](error_code ec, int) {
      if (!ec) all.end();
    });
    context.run();
  });
}
