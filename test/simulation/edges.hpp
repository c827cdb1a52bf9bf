// test/simulation/edges.hpp: the edges that multishot polls report.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATION_EDGES_HPP
#define ASIO_URING_TEST_SIMULATION_EDGES_HPP

#include "request.hpp"
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>

/// An epoll set of the requests, which is asked once each time that something may have happened.
class polled_edges
{
public:
  polled_edges() = default;
  polled_edges(const polled_edges&) = delete;
  ~polled_edges()
  {
    if (set_ >= 0) ::close(set_);
  }

  void add(request& r)
  {
    if (set_ < 0) set_ = own_number(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{r.entry.poll32_events | EPOLLRDHUP | EPOLLET, {}};
    event.data.ptr = &r;
    r.edge = ::epoll_ctl(set_, EPOLL_CTL_ADD, r.file, &event) < 0; // not pollable: always ready
  }
  void remove(const request& r) { ::epoll_ctl(set_, EPOLL_CTL_DEL, r.file, nullptr); }

  /// Notes that something may have happened.
  void outdate() noexcept { collected_ = false; }
  /// Marks the requests that have an edge.
  void collect()
  {
    if (std::exchange(collected_, true)) return;
    epoll_event events[32];
    for (int count = 32; count == 32;) {
      count = ::epoll_wait(set_, events, 32, 0);
      for (int i = 0; i < count; ++i)
        static_cast<request*>(events[i].data.ptr)->edge = true;
    }
  }

private:
  bool collected_ = false;
  int set_ = -1;
};

#endif // ASIO_URING_TEST_SIMULATION_EDGES_HPP
