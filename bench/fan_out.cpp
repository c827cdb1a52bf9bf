// Sends one message to many subscribers over TCP, and the next when all have been sent: by a write for each,
// or (--fan-out) by async_fan_out. A child process reads what they receive. The result is one line of
// name=value pairs: processor time of the sender per send.
#include "measure.hpp"
#include "options.hpp"
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>
#ifdef ASIO_URING_AS_DEFAULT
#include <asio_uring/fan_out.hpp>
#endif

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

using message = std::shared_ptr<const std::string>;

// Reads from all sockets until they are closed.
void subscribe(unsigned short port, std::size_t count)
{
  asio::io_context context;
  std::vector<pollfd> sockets;
  for (std::size_t i = 0; i < count; ++i) {
    tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), port});
    sockets.push_back({socket.release(), POLLIN, 0});
  }
  static char place[65536];
  while (!sockets.empty() && ::poll(sockets.data(), sockets.size(), -1) > 0)
    std::erase_if(sockets, [](const pollfd& each) {
      return each.revents && ::recv(each.fd, place, sizeof place, MSG_DONTWAIT) == 0;
    });
  std::_Exit(0);
}

class publisher
{
public:
  publisher(asio::io_context& context, std::size_t size, std::size_t subscribers, bool fan_out)
      : context_(context), text_(std::make_shared<std::string>(size, 'x')), fan_out_(fan_out)
  {
    sockets_.reserve(subscribers);
  }

  void accept(tcp::acceptor& acceptor)
  {
    sockets_.push_back(acceptor.accept());
    sockets_.back().set_option(tcp::no_delay(true));
  }
  void publish()
  {
    if (fan_out_) return by_fan_out();
    left_ = sockets_.size();
    for (tcp::socket& each : sockets_)
      asio::async_write(each, asio::buffer(*text_), [this, kept = text_](error_code failed, std::size_t) {
        if (!failed) ++sent;
        if (--left_ == 0) publish();
      });
  }

  std::uint64_t sent = 0;

private:
  void by_fan_out()
  {
#ifdef ASIO_URING_AS_DEFAULT
    asio_uring::async_fan_out(context_, text_, sockets_, [this](const std::vector<error_code>& errors) {
      for (const error_code& failed : errors)
        if (!failed) ++sent;
      publish();
    });
#endif
  }

  asio::io_context& context_;
  message text_;
  std::vector<tcp::socket> sockets_;
  std::size_t left_ = 0;
  bool fan_out_;
};

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(
      argc, argv, "fan_out [--subscribers N] [--size BYTES] [--fan-out] [--warm-up SECONDS] [--seconds S]");
  auto const subscribers = static_cast<std::size_t>(given.number("subscribers", 500));
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  auto const port = acceptor.local_endpoint().port();
  context.notify_fork(asio::execution_context::fork_prepare);
  pid_t const child = ::fork();
  if (child == 0) subscribe(port, subscribers);
  context.notify_fork(asio::execution_context::fork_parent);

  publisher all(context, static_cast<std::size_t>(given.number("size", 64)), subscribers,
                given.has("fan-out"));
  for (std::size_t i = 0; i < subscribers; ++i)
    all.accept(acceptor);
  all.publish();
  using clock = std::chrono::steady_clock;
  auto const run = [&](char const* name, double seconds) {
    context.run_for(std::chrono::duration_cast<clock::duration>(
        std::chrono::duration<double>(given.number(name, seconds))));
  };
  run("warm-up", 0.2);
  auto const before = all.sent;
  auto const processor = bench::nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  auto const begin = clock::now();
  run("seconds", 1);
  std::chrono::duration<double> const took = clock::now() - begin;
  auto const requests = static_cast<double>(all.sent - before);
  if (requests == 0) given.fail("nothing was sent");
  std::printf("requests=%.0f seconds=%.6f cpu_ns_per_request=%.1f\n", requests, took.count(),
              static_cast<double>(bench::nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - processor) / requests);
  std::fflush(stdout);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  std::_Exit(0); // sends are in flight
}
