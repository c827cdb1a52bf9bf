// Opens many connections at once, each of which talks as soon as it can, and measures when each is answered
// for the first time. The result is one line of name=value pairs; times are since the first connection was
// opened.
#include "measure.hpp"
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <sys/epoll.h>
#include <vector>

namespace {

constexpr std::string_view usage =
    "storm --tcp PORT | --unix PATH [--connections N] [--seconds S] [--server-pid PID]";

struct connection
{
  int fd = -1;
  double answered = 0; // seconds
};

double seconds()
{
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, usage);
  bench::endpoint const where(given);
  std::vector<connection> all(static_cast<std::size_t>(given.number("connections", 1000)));
  double const limit = given.number("seconds", 2);
  std::array<char, 64> message{};

  int const epoll = bench::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  close(bench::connect_to(where)); // this waits until the server listens
  auto const measured = std::make_unique<bench::interval>(given);
  measured->begin(0);
  double const begin = seconds();
  for (std::size_t i = 0; i < all.size(); ++i) {
    int const fd = bench::check(
        socket(where.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
    if (connect(fd, where.data(), where.size) < 0 && errno != EINPROGRESS) bench::check(-1, "connect");
    if (where.is_tcp()) bench::set_no_delay(fd);
    all[i].fd = fd;
    epoll_event event{EPOLLOUT | EPOLLIN | EPOLLET, {.u64 = i}};
    bench::check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    if (where.is_tcp()) continue;
    bench::check(static_cast<int>(send(fd, message.data(), message.size(), MSG_NOSIGNAL)), "send");
  }
  std::vector<bool> asked(all.size(), !where.is_tcp());
  std::size_t exchanges = 0;
  for (double now = seconds(); now - begin < limit; now = seconds()) {
    std::array<epoll_event, 64> events;
    int const count = epoll_wait(epoll, events.data(), events.size(), 100);
    for (int e = 0; e < count; ++e) {
      auto const i = events[static_cast<std::size_t>(e)].data.u64;
      connection& c = all[i];
      bool answered = false;
      while (recv(c.fd, message.data(), message.size(), 0) > 0)
        answered = true;
      if (answered) {
        if (c.answered == 0) {
          c.answered = seconds() - begin;
          measured->latencies.add(static_cast<std::uint64_t>(c.answered * 1e9));
        }
        ++exchanges;
      }
      if (!answered && asked[i]) continue;
      asked[i] = true;
      [[maybe_unused]] auto const sent = send(c.fd, message.data(), message.size(), MSG_NOSIGNAL);
    }
  }

  measured->end(exchanges);

  std::vector<double> times;
  for (auto const& c : all)
    if (c.answered > 0) times.push_back(c.answered);
  std::sort(times.begin(), times.end());
  auto const after = [&](double t) {
    return all.size() -
           static_cast<std::size_t>(std::upper_bound(times.begin(), times.end(), t) - times.begin());
  };
  measured->print(" ");
  std::printf("connections=%zu last_ms=%.0f unanswered_after_500_ms=%zu unanswered_after_1_s=%zu "
              "unanswered_at_end=%zu\n",
              all.size(), times.empty() ? 0 : times.back() * 1e3, after(0.5), after(1), after(limit));
}
