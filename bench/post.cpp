// Threads that post functions to a context busy with I/O: two sockets that pass a byte to and fro. Posts per
// second and processor time of the whole process per post; one line of name=value pairs is its result.
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
#include <ctime>
#include <semaphore>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using boost::system::error_code;
using stream_protocol = asio::local::stream_protocol;

namespace {

constexpr std::ptrdiff_t outstanding = 64; // of each thread

class echo
{
public:
  explicit echo(asio::io_context& context) : socket(context) {}

  void read()
  {
    socket.async_read_some(asio::buffer(data_), [this](error_code failed, std::size_t size) {
      if (!failed) write(size);
    });
  }
  void write(std::size_t size)
  {
    asio::async_write(socket, asio::buffer(data_, size), [this](error_code failed, std::size_t) {
      ++written;
      if (!failed) read();
    });
  }

  stream_protocol::socket socket;
  std::uint64_t written = 0;

private:
  std::array<char, 64> data_{};
};

double processor_ns()
{
  timespec at{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) * 1e9 + static_cast<double>(at.tv_nsec);
}

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, "post [--threads N] [--warm-up SECONDS] [--seconds S]");
  using clock = std::chrono::steady_clock;
  asio::io_context context;
  echo near(context), far(context);
  asio::local::connect_pair(near.socket, far.socket);
  far.read();
  near.write(1);

  std::uint64_t run = 0;
  std::atomic<bool> stopped = false;
  std::counting_semaphore<> room(0);
  std::vector<std::jthread> threads(static_cast<std::size_t>(given.number("threads", 1)));
  auto const capacity = outstanding * static_cast<std::ptrdiff_t>(threads.size());
  room.release(capacity);
  for (auto& each : threads)
    each = std::jthread([&] {
      for (room.acquire(); !stopped; room.acquire())
        asio::post(context, [&] {
          ++run;
          room.release();
        });
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
  auto const posts = run, exchanges = near.written;
  auto const processor = processor_ns();
  auto const begin = clock::now();
  until("seconds", 1);
  std::chrono::duration<double> const took = clock::now() - begin;
  auto const requests = static_cast<double>(run - posts);
  std::printf("requests=%.0f seconds=%.6f cpu_ns_per_request=%.1f exchanges=%llu\n", requests, took.count(),
              (processor_ns() - processor) / requests,
              static_cast<unsigned long long>(near.written - exchanges));
  stopped = true;
  room.release(capacity);
  threads.clear();
}
