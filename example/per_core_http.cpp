// HTTP server with one thread per core. They share nothing: each has an io_context, and so a ring, and an
// acceptor of its own. The acceptors share a port (SO_REUSEPORT), and the kernel distributes the connections.
//
// Nothing needs a strand, and no core waits for another. A connection stays on the core that accepted it,
// even if that core is busy and others are idle.
//
// Usage: per_core_http PORT [CORES]

#include "command_line.hpp"

#include <asio_uring/accept_stream.hpp>
#include <asio_uring/ip/tcp.hpp>
#include <asio_uring/within.hpp>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <csignal>
#include <deque>
#include <exception>
#include <iostream>
#include <sched.h>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio_uring::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto nothrow_awaitable = asio::as_tuple(asio::use_awaitable);
constexpr auto idle_timeout = std::chrono::seconds(30);
constexpr auto write_timeout = std::chrono::seconds(30);

/// A socket option, in the form of Asio's.
struct reuse_port
{
  int value = 1;

  template <typename Protocol>
  int level(const Protocol&) const
  {
    return SOL_SOCKET;
  }
  template <typename Protocol>
  int name(const Protocol&) const
  {
    return SO_REUSEPORT;
  }
  template <typename Protocol>
  const int* data(const Protocol&) const
  {
    return &value;
  }
  template <typename Protocol>
  std::size_t size(const Protocol&) const
  {
    return sizeof(value);
  }
};

http::response<http::string_body> answer(const http::request<http::string_body>& asked, int core)
{
  http::response<http::string_body> result(http::status::ok, asked.version());
  result.keep_alive(asked.keep_alive());
  result.set(http::field::content_type, "text/plain");
  result.body() = "Hello from core " + std::to_string(core) + "\n";
  if (asked.method() != http::verb::get && asked.method() != http::verb::head) {
    result.result(http::status::method_not_allowed);
    result.set(http::field::allow, "GET, HEAD");
    result.body() = "only GET, HEAD\n";
  }
  result.content_length(result.body().size());
  if (asked.method() == http::verb::head) result.body().clear();
  return result;
}

asio::awaitable<void> serve_connection(tcp::socket socket, int core)
{
  beast::flat_buffer buffer;
  for (bool more = true; more;) {
    http::request<http::string_body> asked;
    auto [ec, received] =
        co_await http::async_read(socket, buffer, asked, asio_uring::within(idle_timeout, nothrow_awaitable));
    http::response<http::string_body> response;
    if (!ec)
      response = answer(asked, core);
    else if (ec != http::error::end_of_stream && ec != http::error::partial_message &&
             ec.category() == error_code(http::error::end_of_stream).category()) {
      response.result(http::status::bad_request);
      response.keep_alive(false);
      response.prepare_payload();
    } else
      break; // the connection has ended, broken, or nothing came
    more = response.keep_alive();
    std::tie(ec, std::ignore) =
        co_await http::async_write(socket, response, asio_uring::within(write_timeout, nothrow_awaitable));
    if (ec) co_return;
  }
  error_code ignored;
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

class server
{
public:
  server(int core, const tcp::endpoint& endpoint) : core_(core), acceptor_(context_)
  {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.set_option(reuse_port());
    acceptor_.bind(endpoint);
    acceptor_.listen();
    asio::co_spawn(context_, serve(), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
  }

  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }
  asio::io_context& context() { return context_; }

  /// Runs the context in a thread that stays on this core.
  void run()
  {
    stay_on_core();
    context_.run();
  }

private:
  asio::awaitable<void> serve()
  {
    asio_uring::accept_stream connections(acceptor_);
    for (;;) {
      tcp::socket socket = co_await connections.async_next(asio::use_awaitable);
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      asio::co_spawn(context_, serve_connection(std::move(socket), core_), asio::detached);
    }
  }

  /// Binds the thread to one of the cores that the process may use. If that is refused, the scheduler's
  /// choice is good enough.
  void stay_on_core() const
  {
    cpu_set_t allowed, mine;
    if (::sched_getaffinity(0, sizeof(allowed), &allowed) < 0) return;
    int skip = core_ % CPU_COUNT(&allowed), cpu = 0;
    while (!CPU_ISSET(cpu, &allowed) || skip-- > 0)
      ++cpu;
    CPU_ZERO(&mine);
    CPU_SET(cpu, &mine);
    ::sched_setaffinity(0, sizeof(mine), &mine);
  }

  const int core_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
};

} // namespace

int main(int argc, char** argv)
{
  return run_example("per_core_http", "PORT [CORES]", [&] {
    if (argc < 2 || argc > 3) throw std::invalid_argument("wrong number of arguments");
    tcp::endpoint here(asio::ip::address_v4::loopback(), port_number(argv[1]));
    const int cores = argc == 3 ? number("number of cores", argv[2], 1, 1024)
                                : static_cast<int>(std::thread::hardware_concurrency());

    std::deque<server> servers;
    for (int core = 0; core != std::max(cores, 1); ++core)
      here = servers.emplace_back(core, here).endpoint();
    std::cout << "listening on " << here << std::endl;

    asio::signal_set signals(servers.front().context(), SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) {
      for (server& each : servers)
        each.context().stop();
    });

    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < servers.size(); ++i)
      others.emplace_back([&each = servers[i]] { each.run(); });
    servers.front().run();
  });
}
