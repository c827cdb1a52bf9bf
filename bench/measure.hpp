// The common part of the load generators: clocks, latencies, the server's processor time and memory, the line
// of results.
#ifndef ASIO_URING_BENCH_MEASURE_HPP
#define ASIO_URING_BENCH_MEASURE_HPP

#include "socket.hpp"
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace bench {

[[noreturn]] inline void die(char const* why)
{
  std::fprintf(stderr, "load: %s\n", why);
  std::exit(1);
}

inline std::uint64_t nanoseconds(clockid_t clock)
{
  timespec at{};
  check(clock_gettime(clock, &at), "clock_gettime");
  return static_cast<std::uint64_t>(at.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(at.tv_nsec);
}

inline std::uint64_t now() { return nanoseconds(CLOCK_MONOTONIC); }

inline constexpr auto never = std::numeric_limits<std::uint64_t>::max();

// An endless stream that repeats itself; any `most_at_once` bytes of it are contiguous.
class stream
{
public:
  static constexpr std::size_t most_at_once = 1 << 16;

  explicit stream(std::string_view repeated) : period_(repeated.size())
  {
    while (bytes_.size() < period_ + most_at_once)
      bytes_ += repeated;
  }
  char const* at(std::uint64_t offset) const { return bytes_.data() + offset % period_; }

private:
  std::string bytes_;
  std::size_t period_;
};

// The period is prime: a message never equals its predecessor, so stale and misplaced bytes show.
inline std::string echo_bytes()
{
  std::string bytes;
  for (std::uint32_t x = 1; bytes.size() < 4093; bytes += static_cast<char>(x >> 24))
    x = x * 1664525 + 1013904223;
  return bytes;
}

// A histogram with logarithmic buckets, 64 to each power of two.
class histogram
{
public:
  void add(std::uint64_t ns)
  {
    ++buckets_[bucket(std::max<std::uint64_t>(ns, 64))];
    ++total_;
  }
  double quantile_us(double q) const
  {
    auto left = static_cast<std::uint64_t>(q * static_cast<double>(total_));
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (left < buckets_[i])
        return (64.5 + static_cast<double>(i % 64)) * static_cast<double>(1ull << i / 64) / 1e3;
      left -= buckets_[i];
    }
    return 0;
  }

private:
  static std::size_t bucket(std::uint64_t ns)
  {
    auto const shift = static_cast<std::size_t>(std::bit_width(ns)) - 7;
    return std::min<std::size_t>(shift * 64 + (ns >> shift) - 64, 64 * 40 - 1);
  }

  std::array<std::uint64_t, 64 * 40> buckets_{};
  std::uint64_t total_ = 0;
};

inline int connect_to(endpoint const& where)
{
  // A server that has just been started may not listen yet.
  for (auto const deadline = now() + 10'000'000'000;;) {
    int const fd = check(socket(where.address.ss_family, where.type | SOCK_CLOEXEC, 0), "socket");
    if (connect(fd, where.data(), where.size) == 0) {
      if (where.is_tcp()) set_no_delay(fd);
      return fd;
    }
    if ((errno != ECONNREFUSED && errno != ENOENT && errno != EAGAIN) || now() > deadline)
      check(-1, "connect");
    close(fd);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// Returns the resident memory of the process that is neither a file's nor shared.
inline std::uint64_t resident_bytes(pid_t process)
{
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::uint64_t size = 0, resident = 0;
  if (!(file >> size >> resident)) die("no such server");
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// The part of a run that is measured.
class interval
{
public:
  // The program's usage must mention --server-pid.
  explicit interval(options const& given)
  {
    if (!given.has("server-pid")) return;
    server_.emplace();
    if (clock_getcpuclockid(static_cast<pid_t>(given.number("server-pid", 0)), &*server_))
      die("no such server");
  }

  void begin(std::uint64_t completed)
  {
    requests_ = completed;
    cpu_ = server_ ? nanoseconds(*server_) : 0;
    begun_ = now();
  }

  void end(std::uint64_t completed)
  {
    seconds_ = static_cast<double>(now() - begun_) / 1e9;
    cpu_ = server_ ? nanoseconds(*server_) - cpu_ : 0;
    requests_ = completed - requests_;
    if (!requests_) die("no request was answered");
  }

  // `end` replaces the end of the line, so that more can follow.
  void print(char const* end = "\n") const
  {
    std::printf("requests=%llu seconds=%.6f p50_us=%.2f p99_us=%.2f",
                static_cast<unsigned long long>(requests_), seconds_, latencies.quantile_us(0.5),
                latencies.quantile_us(0.99));
    if (server_)
      std::printf(" cpu_ns_per_request=%.1f", static_cast<double>(cpu_) / static_cast<double>(requests_));
    std::printf("%s", end);
  }

  histogram latencies;

private:
  std::optional<clockid_t> server_;
  std::uint64_t requests_ = 0, cpu_ = 0, begun_ = 0;
  double seconds_ = 0;
};

} // namespace bench

#endif
