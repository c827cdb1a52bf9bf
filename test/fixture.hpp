// test/fixture.hpp: connected sockets, recorded outcomes and other equipment of the tests.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_FIXTURE_HPP
#define ASIO_URING_TEST_FIXTURE_HPP

#ifndef ASIO_URING_TEST_STOCK
#include <asio_uring/as_default.hpp>
#include <asio_uring/statistics.hpp>
#endif

#include "environment.hpp"
#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

// This is plain Asio: the same sources test stock Asio and, with the library's forced include, io_uring.
namespace test {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;
using local = asio::local::stream_protocol;
using generic = asio::generic::stream_protocol;
using stream_protocols = std::tuple<tcp, local, generic>;

#ifdef ASIO_URING_TEST_STOCK
inline constexpr bool on_uring = false;
#else
inline constexpr bool on_uring = true;
#endif

/// Whether sockets should be on a ring of the kernel's.
inline bool with_kernel_ring() { return on_uring && !with_fallback(); }

/// Whether run() and run_one() count handlers exactly, as stock and the ring pump do. The guest pump counts
/// turns that find nothing as well.
inline bool counts_are_exact() { return !on_uring || !environment_says("ASIO_URING_PUMP", "guest"); }

inline void check_count(std::size_t counted, std::size_t expected)
{
  if (counts_are_exact())
    BOOST_CHECK_EQUAL(counted, expected);
  else
    BOOST_CHECK_GE(counted, expected);
}

/// Runs until no work is left; a context that is still busy after a long while fails the test instead of
/// hanging it.
inline std::size_t finish(asio::io_context& context)
{
  context.restart();
  std::size_t count = context.run_for(60s * slowness());
  BOOST_REQUIRE_MESSAGE(context.stopped(), "work was left");
  return count;
}

/// Runs until `done()` holds.
template <class Predicate>
void run_until(asio::io_context& context, Predicate done)
{
  auto limit = std::chrono::steady_clock::now() + 60s * slowness();
  context.restart();
  while (!done()) {
    BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, "nothing happened");
    context.run_one_for(100ms);
    if (context.stopped()) {
      BOOST_REQUIRE_MESSAGE(done(), "ran out of work");
      return;
    }
  }
}

/// Reads whatever arrives at a socket, whose peer waits for room, until `done()` holds.
template <class Socket, class Predicate>
void read_until(asio::io_context& context, Socket& socket, Predicate done)
{
  std::string space(1 << 16, '\0');
  socket.non_blocking(true);
  asio::steady_timer pause(context);
  run_until(context, [&] {
    boost::system::error_code ignored;
    while (socket.read_some(asio::buffer(space), ignored) > 0) {
    }
    if (pause.expiry() < std::chrono::steady_clock::now()) {
      pause.expires_after(1ms);
      pause.async_wait([](boost::system::error_code) {});
    }
    return done();
  });
}

inline std::chrono::microseconds processor_time()
{
  rusage u;
  ::getrusage(RUSAGE_SELF, &u);
  const auto of = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return of(u.ru_utime) + of(u.ru_stime);
}

#ifdef ASIO_URING_TEST_STOCK
inline std::uint64_t enters(asio::io_context&) { return 0; }
inline bool submits_reads(asio::io_context&) { return false; }
#else
/// How often a context's loop has entered the ring.
inline std::uint64_t enters(asio::io_context& context) { return asio_uring::statistics(context).enters; }
/// Whether reads are submitted at the moment, as asked for or because calls are dear.
inline bool submits_reads(asio::io_context& context)
{
  return asio_uring::statistics(context).path == asio_uring::path::completion;
}
#endif

/// Whether a loop with nothing to do sleeps. One that spins enters the ring all the time, or takes all the
/// processor time it can get. What a hypervisor took meanwhile counts as the process's time, so one of
/// several periods with little of it will do.
inline bool sleeps(asio::io_context& context)
{
  for (int period = 0; period < 5; ++period) {
    const auto time = processor_time();
    const auto count = enters(context);
    context.restart();
    context.run_for(300ms);
    if (enters(context) - count > 1000) return false; // the kernel tries an operation 128 times
    if (processor_time() - time < 20ms * slowness()) return true;
  }
  return false;
}

/// Submits what was initiated, and does not wait.
inline void settle(asio::io_context& context)
{
  context.restart();
  context.poll();
  context.restart();
  context.poll();
  context.restart();
}

/// What a handler was called with.
struct outcome
{
  error_code error = make_error_code(boost::system::errc::operation_in_progress);
  std::size_t bytes = 0;
  int calls = 0;

  auto record()
  {
    return [this](error_code e, std::size_t n = 0) {
      error = e;
      bytes = n;
      ++calls;
    };
  }
  bool done() const { return calls != 0; }
  bool succeeded() const { return calls == 1 && !error; }
};

inline std::ostream& operator<<(std::ostream& out, const outcome& o)
{
  return out << o.error.message() << ", " << o.bytes << " bytes, " << o.calls << " calls";
}

#define CHECK_SUCCEEDED(outcome) BOOST_CHECK_MESSAGE((outcome).succeeded(), #outcome ": " << (outcome))
#define CHECK_FAILED(outcome, code)                                                                          \
  BOOST_CHECK_MESSAGE((outcome).calls == 1 && (outcome).error == (code), #outcome ": " << (outcome))

inline tcp::endpoint loopback(unsigned short port = 0) { return {asio::ip::address_v4::loopback(), port}; }

/// An acceptor on a free port.
struct listener : tcp::acceptor
{
  explicit listener(asio::io_context& context) : tcp::acceptor(context, loopback()) {}
  tcp::endpoint endpoint() const { return local_endpoint(); }
};

/// A port on which nobody listens, and on which no other program can listen while this lives.
struct refusing_port : tcp::socket
{
  explicit refusing_port(asio::io_context& context) : tcp::socket(context, loopback()) {}
  tcp::endpoint endpoint() const { return local_endpoint(); }
};

template <class Socket>
void connect(Socket& client, Socket& server)
{
  using protocol = typename Socket::protocol_type;
  if constexpr (std::is_same_v<protocol, local>) {
    asio::local::connect_pair(client, server);
  } else {
    auto& context = static_cast<asio::io_context&>(client.get_executor().context());
    listener acceptor(context);
    tcp::socket c(context), s(context);
    c.connect(acceptor.endpoint());
    acceptor.accept(s);
    c.set_option(tcp::no_delay(true));
    s.set_option(tcp::no_delay(true));
    client = std::move(c);
    server = std::move(s);
  }
}

/// Two connected sockets of one context.
template <class Protocol = tcp>
struct pair
{
  typename Protocol::socket client, server;
  explicit pair(asio::io_context& context) : client(context), server(context) { connect(client, server); }
};

/// A context with two connected sockets.
template <class Protocol = tcp>
struct connection
{
  asio::io_context context;
  typename Protocol::socket client{context}, server{context};
  connection() { connect(client, server); }
};

/// Waits, without Asio, until the kernel has something to read on the socket.
template <class Socket>
bool readable(Socket& socket, std::chrono::milliseconds limit = 20s)
{
  pollfd p{socket.native_handle(), POLLIN, 0};
  return ::poll(&p, 1, static_cast<int>(limit.count())) == 1;
}

template <class Stream>
void write_text(Stream& stream, std::string_view text)
{
  asio::write(stream, asio::buffer(text));
}

template <class Stream>
std::string read_text(Stream& stream, std::size_t size)
{
  std::string text(size, '\0');
  asio::read(stream, asio::buffer(text));
  return text;
}

template <class Stream>
std::string read_to_end(Stream& stream)
{
  std::string text;
  error_code error;
  asio::read(stream, asio::dynamic_buffer(text), error);
  return text;
}

/// An endless stream of bytes in which each byte's place can be checked.
class pattern
{
  static constexpr std::size_t period = 1'000'003;
  std::string block_;

public:
  explicit pattern(unsigned seed = 1) : block_(period, '\0')
  {
    std::mt19937 random(seed);
    for (char& c : block_)
      c = static_cast<char>(random());
  }

  /// At most `size` bytes that follow `offset`.
  asio::const_buffer at(std::size_t offset, std::size_t size) const
  {
    offset %= period;
    return asio::buffer(block_.data() + offset, std::min(size, period - offset));
  }

  bool matches(std::size_t offset, const char* data, std::size_t size) const
  {
    while (size) {
      auto expected = at(offset, size);
      if (std::memcmp(expected.data(), data, expected.size()) != 0) return false;
      offset += expected.size();
      data += expected.size();
      size -= expected.size();
    }
    return true;
  }
};

/// `whole` cut at random places into `count` buffers, some of them empty.
template <class Buffer, class Random>
std::vector<Buffer> scattered(Buffer whole, std::size_t count, Random& random)
{
  std::vector<std::size_t> cuts(count - 1);
  for (auto& cut : cuts)
    cut = random() % (whole.size() + 1);
  std::sort(cuts.begin(), cuts.end());
  cuts.push_back(whole.size());
  std::vector<Buffer> pieces;
  std::size_t from = 0;
  for (auto cut : cuts) {
    pieces.push_back(asio::buffer(whole + from, cut - from));
    from = cut;
  }
  return pieces;
}

inline std::size_t open_descriptors()
{
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {}));
}

/// Lowers the limit of open descriptors to those open now.
struct no_more_descriptors
{
  rlimit before;
  no_more_descriptors()
  {
    ::getrlimit(RLIMIT_NOFILE, &before);
    int lowest_free = ::dup(0);
    ::close(lowest_free);
    rlimit tight{static_cast<rlim_t>(lowest_free), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
  }
  ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
};

/// A path for a UNIX socket, which the destructor removes.
struct socket_path
{
  std::string name;
  socket_path()
  {
    static int count = 0;
    name = (std::filesystem::temp_directory_path() /
            ("asio_uring_test." + std::to_string(::getpid()) + "." + std::to_string(++count)))
               .string();
  }
  ~socket_path() { ::unlink(name.c_str()); }
  socket_path(const socket_path&) = delete;
};

} // namespace test

#endif
