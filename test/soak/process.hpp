// test/soak/process.hpp: descriptors and memory of the process, and a moment without free descriptors.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SOAK_PROCESS_HPP
#define ASIO_URING_TEST_SOAK_PROCESS_HPP

#include "books.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

namespace soak {

inline std::vector<int> open_descriptors()
{
  std::vector<int> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    all.push_back(std::stoi(entry.path().filename()));
  return all;
}

/// Uses up all descriptors for a moment.
inline void exhaust_descriptors()
{
  ++total.exhaustions;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const auto open = open_descriptors();
  const rlimit now{static_cast<rlim_t>(*std::max_element(open.begin(), open.end())) + 1, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &now);
  std::vector<int> taken;
  const auto until = clock_type::now() + 60ms;
  do {
    for (int fd; (fd = ::dup(0)) != -1;)
      taken.push_back(fd);
    std::this_thread::sleep_for(1ms);
  } while (clock_type::now() < until);
  ::setrlimit(RLIMIT_NOFILE, &before);
  for (int fd : taken)
    ::close(fd);
}

struct sample
{
  double seconds = 0, resident = 0, live = 0; // MiB
  double descriptors = 0;
};

inline sample measure(clock_type::time_point start)
{
  sample s;
  s.seconds = std::chrono::duration<double>(clock_type::now() - start).count();
  long pages = 0, resident = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &pages, &resident) != 2) std::abort();
    std::fclose(f);
  }
  s.resident = static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) / (1 << 20);
  const auto heap = ::mallinfo2();
  s.live = static_cast<double>(heap.uordblks + heap.hblkhd) / (1 << 20);
  s.descriptors = static_cast<double>(open_descriptors().size());
  return s;
}

struct quarters
{
  double second, last;
};

/// Medians of quarters of the samples, not of the time: on a busy machine there may be no samples for a
/// while.
inline quarters medians(const std::vector<sample>& samples, double sample::*member)
{
  const auto median = [&](std::size_t quarter) {
    const std::size_t first = samples.size() * quarter / 4, end = samples.size() * (quarter + 1) / 4;
    std::vector<double> values;
    for (std::size_t i = first; i < std::max(end, first + 1); ++i)
      values.push_back(samples.at(i).*member);
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  return {median(1), median(3)};
}

} // namespace soak

#endif // ASIO_URING_TEST_SOAK_PROCESS_HPP
