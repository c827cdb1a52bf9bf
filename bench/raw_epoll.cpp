// The echo server that a careful C programmer writes on epoll: edge-triggered, one recv and one send per
// message.
#include "socket.hpp"
#include <array>
#include <sys/epoll.h>

namespace {

void watch(int epoll, int fd, unsigned events)
{
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  bench::check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

// A read that does not fill the buffer has emptied the socket: later data raises a new edge, unless the end
// of the stream was already part of this one.
void echo(int fd, bool ends)
{
  static std::array<char, 8192> data;
  for (;;) {
    auto const size = recv(fd, data.data(), data.size(), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0 || !bench::send_all(fd, data.data(), static_cast<std::size_t>(size))) {
      close(fd);
      return;
    }
    if (static_cast<std::size_t>(size) < data.size() && !ends) return;
  }
}

} // namespace

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, "raw_epoll --tcp PORT | --unix PATH");
  bench::listener const listener{bench::endpoint(given)};
  bench::stop_on_signal();
  int const epoll = bench::check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  watch(epoll, listener.fd(), EPOLLIN);
  while (!bench::stopped) {
    std::array<epoll_event, 128> events;
    int const count = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      auto const& event = events[static_cast<unsigned>(i)];
      int const fd = event.data.fd;
      if (fd != listener.fd()) {
        echo(fd, event.events & EPOLLRDHUP);
      } else if (int const accepted = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                 accepted >= 0) {
        listener.tune(accepted);
        watch(epoll, accepted, EPOLLIN | EPOLLRDHUP | EPOLLET);
      }
    }
  }
}
