// Measures threads that post functions to a context; every sixteenth function lets two sockets of the context
// exchange a byte. The result is one line of name=value pairs: posts per second, and processor time of the
// process per post.
#include "measure.hpp"
#include "options.hpp"
#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <semaphore>
#include <thread>
#include <utility>

namespace asio = boost::asio;
using boost::system::error_code;
using stream_protocol = asio::local::stream_protocol;

namespace {

// A thread posts that many functions, then waits until they have run.
constexpr unsigned batch = 64;

struct poster
{
  unsigned left = 0; // of its batch; used by the context's thread
  std::counting_semaphore<> all_run{0};
  std::jthread thread{};
};

// Two sockets: what one sends comes back.
class exchange
{
public:
  explicit exchange(asio::io_context& context) : near_(context), far_(context)
  {
    asio::local::connect_pair(near_, far_);
  }

  // Does nothing if the last exchange is still in progress.
  void begin()
  {
    if (std::exchange(busy_, true)) return;
    asio::async_write(near_, asio::buffer(byte_), [](error_code, std::size_t) {});
    far_.async_read_some(asio::buffer(there_), [this](error_code failed, std::size_t) {
      if (!failed) asio::async_write(far_, asio::buffer(there_), [](error_code, std::size_t) {});
    });
    near_.async_read_some(asio::buffer(back_), [this](error_code, std::size_t) {
      busy_ = false;
      ++done;
    });
  }

  std::uint64_t done = 0;

private:
  stream_protocol::socket near_, far_;
  std::array<char, 1> byte_{}, there_{}, back_{};
  bool busy_ = false;
};

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, "post [--threads N] [--warm-up SECONDS] [--seconds S]");
  using clock = std::chrono::steady_clock;
  asio::io_context context;
  exchange sockets(context);
  std::uint64_t run = 0;
  std::atomic<bool> stopped = false;
  std::deque<poster> posters(static_cast<std::size_t>(given.number("threads", 1)));
  for (auto& each : posters)
    each.thread = std::jthread([&] {
      while (!stopped) {
        each.left = batch;
        for (unsigned i = 0; i < batch; ++i)
          asio::post(context, [&] {
            if (++run % 16 == 0) sockets.begin();
            if (--each.left == 0) each.all_run.release();
          });
        each.all_run.acquire();
      }
    });

  asio::steady_timer timer(context);
  auto const until = [&](char const* name, double seconds) {
    timer.expires_after(std::chrono::duration_cast<clock::duration>(
        std::chrono::duration<double>(given.number(name, seconds))));
    timer.async_wait([&](error_code) { context.stop(); });
    context.restart();
    context.run();
  };
  until("warm-up", 0.2);
  auto const posts = run, exchanges = sockets.done;
  auto const processor = bench::nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  auto const begin = clock::now();
  until("seconds", 1);
  std::chrono::duration<double> const took = clock::now() - begin;
  auto const requests = static_cast<double>(run - posts);
  if (requests == 0) given.fail("no post was run");
  std::printf("requests=%.0f seconds=%.6f cpu_ns_per_request=%.1f exchanges=%llu\n", requests, took.count(),
              static_cast<double>(bench::nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - processor) / requests,
              static_cast<unsigned long long>(sockets.done - exchanges));
  stopped = true;
  for (auto& each : posters)
    each.all_run.release();
}
