// test/properties/datagrams.hpp: pairs of UNIX datagram sockets: each datagram arrives once, whole, in order.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_DATAGRAMS_HPP
#define ASIO_URING_TEST_PROPERTIES_DATAGRAMS_HPP

#include "world.hpp"
#include <poll.h>

class datagrams final : public actor
{
public:
  explicit datagrams(world& w) : actor(w) { add_pair(); }

  void act() override
  {
    side* s = any_side();
    if (!s) {
      if (pairs_.size() < 6) add_pair();
      return;
    }
    const std::size_t choice = world_.below(100);
    if (choice < 45)
      send(*s);
    else if (choice < 80)
      receive(*s);
    else if (choice < 88)
      send_now(*s);
    else if (choice < 96)
      cancel(*s);
    else
      close(*s);
  }

  void completed(operation& base, error_code ec, std::size_t n) override
  {
    auto& o = static_cast<datagram_operation&>(base);
    side& s = *o.where;
    s.ops.erase(&o);
    world_.check_order(o, s.ops, [&](kind k) { return (k == kind::send) == (o.what == kind::send); });
    const bool usual =
        !ec || ec == asio::error::no_memory || ec == asio::error::no_buffer_space ||
        ec == asio::error::operation_aborted || ec == asio::error::connection_reset ||
        (o.what == kind::send && (ec == asio::error::connection_refused || ec == asio::error::not_connected ||
                                  ec == asio::error::broken_pipe));
    world_.claim_on(o, usual, "an error that no datagram has", ec);
    if (o.what == kind::send) {
      --s.sends;
      if (ec) return refused(s, ec.value());
      if (n != o.data.size()) world_.fail_on(o, "a part of a datagram was sent");
      sent(s, o.data);
    } else {
      --s.receives;
      if (ec) return;
      o.data.resize(n);
      o.what == kind::peek ? peeked(o, s) : received(s, o.data);
    }
  }
  void destroyed(operation& base) override
  {
    auto& o = static_cast<datagram_operation&>(base);
    (o.what == kind::send ? o.where->out : o.where->in)->unknown = true;
  }

  void others_go_on() override
  {
    if (world_.chance(500)) raw_goes_on(pairs_[world_.below(pairs_.size())]->sides[1], false);
  }
  bool others_wake() override
  {
    bool happened = false;
    for (const auto& p : pairs_)
      happened |= raw_goes_on(p->sides[1], true);
    return happened;
  }

  void check_sleep() override
  {
    for (const auto& p : pairs_)
      for (side& s : p->sides)
        if (s.open()) {
          if (s.receives > 0 && ready(s, POLLIN)) world_.fail("a receive sleeps though there is a datagram");
          if (s.sends > 0 && ready(s, POLLOUT)) world_.fail("a send sleeps though there is room");
        }
  }

  // Receives end because there are datagrams, or are cancelled. Sends wait for receives.
  void drain() override
  {
    for (const auto& p : pairs_)
      for (side& s : p->sides)
        if (s.open()) cancel(s);
  }
  void check_drained() override
  {
    for (const auto& p : pairs_)
      for (side& s : p->sides) {
        std::vector<unsigned char> data(most);
        for (ssize_t n; (n = receive_now(s, data)) >= 0; data.resize(most)) {
          data.resize(static_cast<std::size_t>(n));
          received(s, data);
        }
        if (!s.in->unknown && !s.in->sent.empty()) world_.fail("a datagram is lost");
        if (!s.in->unknown && !s.in->received.empty()) world_.fail("a datagram came that nobody sent");
      }
  }
  void tear_down() override
  {
    for (const auto& p : pairs_)
      for (side& s : p->sides) {
        ask(s.ops);
        s.socket.reset();
        if (s.raw >= 0) ::close(std::exchange(s.raw, -1));
      }
  }

private:
  using datagram_socket = asio_uring::local::datagram_protocol::socket;
  static constexpr std::size_t most = 400;

  /// Datagrams that one side has sent and the other has not received yet; or the reverse, since a handler may
  /// run late.
  struct direction
  {
    std::deque<std::vector<unsigned char>> sent, received;
    bool unknown = false;
  };
  struct side
  {
    std::shared_ptr<datagram_socket> socket;
    int number = -1; // while open; asking the socket for it would make it non-blocking
    int raw = -1;
    bool slow = false; // the other process reads only when nothing else goes on
    direction* in = nullptr;
    direction* out = nullptr;
    operations ops;
    unsigned sends = 0, receives = 0;
    bool open() const { return socket && socket->is_open(); }
  };
  struct pair
  {
    direction directions[2];
    side sides[2];
  };
  struct datagram_operation : operation
  {
    using operation::operation;
    side* where = nullptr;
  };

  void add_pair()
  {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0) world_.fail("socketpair");
    const int small = 2048; // has room for a few datagrams
    const bool roomy = world_.chance(400);
    for (const int fd : fds)
      if (!roomy) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    pair& p = *pairs_.emplace_back(std::make_unique<pair>());
    for (int i = 0; i < 2; ++i) {
      side& s = p.sides[i];
      s.in = &p.directions[i];
      s.out = &p.directions[1 - i];
      s.number = fds[i];
      if (i == 1 && world_.chance(500)) {
        s.raw = fds[i];
        s.slow = world_.chance(400);
      } else
        s.socket = std::make_shared<datagram_socket>(world_.context(), asio_uring::local::datagram_protocol(),
                                                     fds[i]);
    }
  }
  side* any_side()
  {
    side& s = pairs_[world_.below(pairs_.size())]->sides[world_.below(2)];
    return s.open() ? &s : nullptr;
  }
  datagram_operation& make(kind k, side& s)
  {
    auto& o = world_.make<datagram_operation>(*this, k);
    o.where = &s;
    s.ops.insert(&o);
    return o;
  }

  void send(side& s)
  {
    if (s.sends >= 4) return;
    auto& o = make(kind::send, s);
    ++s.sends;
    world_.fill(o.data, 1 + world_.below(most));
    world_.start_simply(o, s.socket, [&](auto&& h) {
      if (world_.chance(500))
        s.socket->async_send(asio::buffer(o.data), std::move(h));
      else
        s.socket->async_send(world_.split<asio::const_buffer>(o.data), std::move(h));
    });
  }
  void receive(side& s)
  {
    if (s.receives >= 4) return;
    auto& o = make(world_.chance(80) ? kind::peek : kind::receive, s);
    ++s.receives;
    o.data.assign(most, 0);
    const auto flags = o.what == kind::peek ? asio::socket_base::message_peek : 0;
    world_.start_simply(o, s.socket, [&](auto&& h) {
      if (world_.chance(500))
        s.socket->async_receive(asio::buffer(o.data), flags, std::move(h));
      else
        s.socket->async_receive(world_.split<asio::mutable_buffer>(o.data), flags, std::move(h));
    });
  }
  void send_now(side& s)
  {
    if (s.sends > 0 || ready(s, POLLOUT) != POLLOUT) return;
    std::vector<unsigned char> data;
    world_.fill(data, 1 + world_.below(most));
    error_code ec;
    if (world_.chance(100)) s.socket->non_blocking(true);
    const std::size_t n = s.socket->send(asio::buffer(data), 0, ec);
    n == data.size() ? sent(s, data) : refused(s, ec.value());
  }
  void cancel(side& s)
  {
    ask(s.ops);
    s.socket->cancel();
  }
  void close(side& s)
  {
    ask(s.ops);
    s.in->unknown = true; // datagrams that waited are lost
    s.socket->close();
    if (pairs_.size() < 6) add_pair();
  }

  /// A socket that finds its peer gone discards what it has received.
  static void refused(side& s, int error)
  {
    if (error == ECONNREFUSED) s.in->unknown = true;
  }
  void sent(side& s, const std::vector<unsigned char>& data)
  {
    s.out->sent.push_back(data);
    compare(*s.out);
  }
  void received(side& s, const std::vector<unsigned char>& data)
  {
    s.in->received.push_back(data);
    compare(*s.in);
  }
  void compare(direction& d)
  {
    for (; !d.sent.empty() && !d.received.empty(); d.sent.pop_front(), d.received.pop_front())
      world_.claim(d.unknown || d.sent.front() == d.received.front(),
                   "a datagram is lost, doubled, changed or out of order");
  }
  void peeked(const datagram_operation& o, side& s)
  {
    if (!s.in->sent.empty() && !s.in->unknown)
      world_.claim_on(o, o.data == s.in->sent.front(), "it saw another datagram than comes next");
  }

  static int ready(const side& s, short events)
  {
    pollfd p{s.number, events, 0};
    return ::poll(&p, 1, 0) == 1 ? p.revents : 0;
  }

  /// Receives a datagram; negative if there is none.
  static ssize_t receive_now(side& s, std::vector<unsigned char>& data)
  {
    if (!s.open()) return s.raw < 0 ? -1 : ::recv(s.raw, data.data(), data.size(), MSG_DONTWAIT);
    error_code ec;
    s.socket->non_blocking(true, ec);
    const std::size_t n = s.socket->receive(asio::buffer(data), 0, ec);
    return ec ? -1 : static_cast<ssize_t>(n);
  }

  bool raw_goes_on(side& s, bool awake)
  {
    if (s.raw < 0) return false;
    bool happened = false;
    std::vector<unsigned char> data(most);
    if (awake || (!s.slow && world_.chance(300))) {
      const ssize_t n = ::recv(s.raw, data.data(), data.size(), MSG_DONTWAIT);
      if (n >= 0) {
        data.resize(static_cast<std::size_t>(n));
        received(s, data);
        happened = true;
      }
    }
    if (!world_.ending() && world_.chance(500)) {
      world_.fill(data, 1 + world_.below(most));
      if (::send(s.raw, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        sent(s, data);
        happened = true;
      } else
        refused(s, errno);
    }
    return happened;
  }

  std::vector<std::unique_ptr<pair>> pairs_;
};

#endif // ASIO_URING_TEST_PROPERTIES_DATAGRAMS_HPP
