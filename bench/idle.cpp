// Measures what idle sockets cost a busy one.
//
// Prints the CPU time of an exchange over a UNIX socket, one per millisecond, alone and beside a crowd: 50
// peers that have half-closed and do not read what they are sent; N connections that have had one message and
// no more, then after they are closed; N open sockets that have had none. Runs alone and beside the crowd
// alternate; the results are medians.
#include "options.hpp"
#include "socket.hpp"

#include <boost/asio.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;
using socket_type = stream_protocol::socket;

namespace {

double cpu_us()
{
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/// Both ends of a connection in one loop: sends a message and gets it back, once per millisecond.
struct exchange
{
  explicit exchange(asio::io_context& c) : context(c) { asio::local::connect_pair(near, far); }

  /// Returns the CPU time of an exchange.
  double measure(int count)
  {
    left = count;
    next();
    const double before = cpu_us();
    context.restart();
    context.run();
    return (cpu_us() - before) / count;
  }

private:
  void next()
  {
    pause.expires_after(std::chrono::milliseconds(1));
    pause.async_wait([this](error_code) {
      far.async_read_some(asio::buffer(there), [this](error_code, std::size_t n) {
        asio::async_write(far, asio::buffer(there, n), [](error_code, std::size_t) {});
      });
      near.async_read_some(asio::buffer(back),
                           [this](error_code, std::size_t) { --left > 0 ? next() : context.stop(); });
      asio::async_write(near, asio::buffer(there), [](error_code, std::size_t) {});
    });
  }

  asio::io_context& context;
  socket_type near{context}, far{context};
  asio::steady_timer pause{context};
  char there[64] = {}, back[64];
  int left = 0;
};

struct crowd
{
  std::vector<std::unique_ptr<socket_type>> ends;
  asio::io_context& context;
  explicit crowd(asio::io_context& c) : context(c) {}
  socket_type& add() { return *ends.emplace_back(std::make_unique<socket_type>(context)); }
  std::pair<socket_type&, socket_type&> connect()
  {
    socket_type &a = add(), &b = add();
    asio::local::connect_pair(a, b);
    return {a, b};
  }
};

const std::string much(1 << 20, '.');
char nothing[64];

void add_slow_readers(crowd& c)
{
  for (int i = 0; i < 50; ++i) {
    auto [peer, ours] = c.connect();
    peer.shutdown(socket_type::shutdown_send);
    asio::async_write(ours, asio::buffer(much), [](error_code, std::size_t) {});
  }
}

void add_silent_connections(crowd& c, std::size_t count)
{
  for (std::size_t i = 0; i < count; ++i) {
    auto [peer, ours] = c.connect();
    asio::write(peer, asio::buffer("x", 1));
    ours.async_read_some(asio::buffer(nothing), [&s = ours](error_code ec, std::size_t) {
      if (!ec) s.async_read_some(asio::buffer(nothing), [](error_code, std::size_t) {});
    });
  }
}

/// Adds descriptors; all are duplicates of one socket, which costs the kernel less.
void add_descriptors(crowd& c, std::size_t count)
{
  socket_type& first = c.connect().first;
  for (std::size_t i = 0; i < count; ++i)
    c.add().assign(stream_protocol(), ::dup(first.native_handle()));
}

void compare(const char* beside, const std::function<void(crowd&)>& fill, bool gone = false)
{
  constexpr int rounds = 5, exchanges = 500;
  std::vector<double> alone, with;
  for (int round = 0; round < rounds; ++round) {
    asio::io_context context(1);
    exchange e(context);
    crowd c(context);
    e.measure(100);
    alone.push_back(e.measure(exchanges));
    fill(c);
    e.measure(100); // until the crowd is silent
    if (gone) {
      c.ends.clear();
      e.measure(100); // until the work that the closes have caused is done
    }
    with.push_back(e.measure(exchanges));
  }
  const auto median = [](std::vector<double>& v) { return std::sort(v.begin(), v.end()), v[v.size() / 2]; };
  const double a = median(alone), w = median(with);
  std::printf("%-40s %7.2f us alone, %7.2f us beside: %.3f\n", beside, a, w, w / a);
  std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv)
{
  const bench::options given(argc, argv, "idle [--connections N] [--descriptors N]");
  auto const most_files = bench::allow_many_files();
  const double most = static_cast<double>(most_files) - 200;
  const auto connections = static_cast<std::size_t>(given.number("connections", std::min(20'000., most / 2)));
  const auto descriptors = static_cast<std::size_t>(given.number("descriptors", std::min(1'000'000., most)));
  const auto silent = [&](crowd& c) { add_silent_connections(c, connections); };
  compare("50 half-closed slow readers", add_slow_readers);
  compare((std::to_string(connections) + " idle connections").c_str(), silent);
  compare((std::to_string(connections) + " connections that are closed").c_str(), silent, true);
  compare((std::to_string(descriptors) + " descriptors").c_str(),
          [&](crowd& c) { add_descriptors(c, descriptors); });
}
