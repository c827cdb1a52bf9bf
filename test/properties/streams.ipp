// test/properties/streams.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_STREAMS_IPP
#define ASIO_URING_TEST_PROPERTIES_STREAMS_IPP

inline void streams::add_connection()
{
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) world_.fail("socketpair");
  auto& c = *connections_.emplace_back(std::make_unique<connection>());
  const int small = 4096;
  for (const int fd : fds)
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  for (int i = 0; i < 2; ++i) {
    stream_end& e = c.ends[i];
    e.in = &c.streams[i];
    e.out = &c.streams[1 - i];
    e.peer = &c.ends[1 - i];
    e.number = fds[i];
    e.on_strand = world_.chance(200);
    if (i == 1 && world_.chance(500)) {
      e.raw = fds[i];
      e.slow = world_.chance(200);
      continue;
    }
    e.socket = std::make_shared<socket_type>(world_.context(), protocol(), fds[i]);
    if (world_.chance(200)) e.socket->native_non_blocking(true);
  }
}

// --- what the program does

inline void streams::read(stream_end& e)
{
  if (e.reads >= 4) return;
  auto& o = make(world_.chance(80) ? kind::peek : kind::read, e);
  ++e.reads;
  const std::size_t size = world_.chance(20) ? 0 : 1 + world_.below(world_.chance(800) ? 300 : 6000);
  o.data.assign(size, 0);
  const auto flags = o.what == kind::peek ? asio::socket_base::message_peek : 0;
  if (world_.wants_deadline())
    return start_within(
        o, [&](auto&& token) { e.socket->async_receive(asio::buffer(o.data), flags, std::move(token)); });
  start(o, [&](auto&& h) {
    if (world_.chance(500))
      e.socket->async_receive(asio::buffer(o.data), flags, std::move(h));
    else
      e.socket->async_receive(world_.split<asio::mutable_buffer>(o.data), flags, std::move(h));
  });
}

/// Starts a read from a receive_stream.
inline void streams::next(stream_end& e)
{
  if (e.reads >= 4) return;
  if (!e.ahead) {
    const auto& ring = held_.any_ring();
    const auto high = static_cast<unsigned>(1 + world_.below(6));
    e.ahead.emplace(*e.socket, ring,
                    asio_uring::receive_stream_options{high, static_cast<unsigned>(world_.below(high))});
    e.buffers.insert(ring.group());
  }
  auto& o = make(kind::next, e);
  ++e.reads;
  if (world_.wants_deadline())
    return start_within(o, [&](auto&& token) { e.ahead->async_next(std::move(token)); });
  start(o, [&](auto&& h) { e.ahead->async_next(std::move(h)); });
}

inline void streams::end_ahead(stream_end& e)
{
  if (!e.ahead) return;
  for (operation* o : e.ops)
    if (o->what == kind::next) o->asked = o->asked_alone = true;
  e.ahead.reset();
}

inline void streams::write(stream_end& e)
{
  if (e.writes >= 4) return;
  auto& o = make(kind::write, e);
  ++e.writes;
  world_.fill(o.data, world_.chance(20) ? 0 : 1 + world_.below(world_.chance(800) ? 300 : 9000));
  if (world_.wants_deadline())
    return start_within(
        o, [&](auto&& token) { e.socket->async_write_some(asio::buffer(o.data), std::move(token)); });
  start(o, [&](auto&& h) {
    if (world_.chance(500))
      e.socket->async_write_some(asio::buffer(o.data), std::move(h));
    else
      e.socket->async_write_some(world_.split<asio::const_buffer>(o.data), std::move(h));
  });
}

inline void streams::wait(stream_end& e)
{
  auto& o = make(kind::wait, e);
  static constexpr asio::socket_base::wait_type types[] = {
      asio::socket_base::wait_read, asio::socket_base::wait_write, asio::socket_base::wait_error};
  o.wait = types[world_.below(3)];
  o.alone = e.reads == 0 && e.writes == 0;
  o.moved = e.out->sent.size() + e.in->received.size();
  start(o, [&](auto&& h) { e.socket->async_wait(o.wait, std::move(h)); });
}

inline void streams::close(stream_end& e)
{
  if (world_.chance(300)) end_ahead(e);
  ask(e.ops);
  error_code ec;
  switch (world_.below(3)) {
  case 0:
    e.socket->close(ec);
    if (ec) world_.fail("close reports an error");
    break;
  case 1: // closes the one assigned to
    *e.socket = socket_type(world_.context());
    break;
  default:
    if (e.socket.use_count() > 1)
      e.socket->close(ec);
    else {
      end_ahead(e);
      e.socket.reset();
    }
  }
  // The next one reuses its number.
  if (world_.chance(500) && (connections_.size() < 12 || retire())) add_connection();
}

inline void streams::move(stream_end& e)
{
  socket_type other(std::move(*e.socket));
  if (e.socket->is_open()) world_.fail("a socket that was moved from is open");
  if (world_.chance(300))
    if (stream_end* another = any_end(); another && another != &e)
      world_.chance(500) ? read(*another) : write(*another);
  *e.socket = std::move(other);
}

// Shuts down sending, when all that was started has been sent.
inline void streams::shut(stream_end& e)
{
  if (e.writes > 0) return;
  error_code ec;
  e.socket->shutdown(asio::socket_base::shutdown_send, ec);
  e.shut = true;
}

/// Reads synchronously, if there is something.
inline void streams::read_now(stream_end& e)
{
  if (e.on_strand || !e.reads_are_over()) return;
  error_code ec;
  const std::size_t size = e.socket->available(ec);
  if (!ec && e.peer->writes == 0 && !e.in->unknown)
    world_.claim(size == e.in->sent.size() - e.in->received.size(), "available() is not what is there");
  if (ec || size == 0 || world_.broken()) return;
  std::vector<unsigned char> data(1 + world_.below(size));
  const std::size_t n = e.socket->read_some(asio::buffer(data), ec);
  if (ec || n == 0) world_.fail("what is available cannot be read");
  received(e, data.data(), n);
}

inline void streams::write_now(stream_end& e)
{
  if (e.writes > 0 || e.shut || e.on_strand || ready(e, POLLOUT) != POLLOUT) return;
  std::vector<unsigned char> data;
  world_.fill(data, 1 + world_.below(64));
  error_code ec;
  const std::size_t n = e.socket->write_some(asio::buffer(data), ec);
  sent(e, data.data(), n);
}

// --- what comes back

inline void streams::completed(operation& base, error_code ec, std::size_t n)
{
  auto& o = static_cast<stream_operation&>(base);
  stream_end& e = *o.where;
  e.ops.erase(&o);
  const bool memory = ec == asio::error::no_memory || ec == asio::error::no_buffer_space;
  const bool usual = !ec || memory || ec == asio::error::operation_aborted;
  switch (o.what) {
  case kind::next:
    if (ec == asio::error::already_started) {
      --e.reads;
      world_.claim_on(o, e.buffers.size() > 1, "refused, though its stream has had no other buffers");
      break;
    }
    [[fallthrough]];
  case kind::read:
  case kind::peek:
    --e.reads;
    if (!o.data.empty() || o.what == kind::next)
      world_.check_order(o, e.ops, is_read); // an empty transfer of a stream completes at once
    world_.claim_on(o, usual || ec == asio::error::eof || ec == asio::error::connection_reset,
                    "an error that no read has", ec);
    if (!ec && n == 0 && (!o.data.empty() || o.what == kind::next)) world_.fail_on(o, "nothing read");
    if (ec == asio::error::eof || ec == asio::error::connection_reset) e.in->ended = true;
    if (o.what != kind::peek)
      received(e, o.data.data(), n);
    else {
      const std::size_t from = e.in->received.size();
      for (std::size_t i = 0; i < n && from + i < e.in->sent.size(); ++i)
        world_.claim_on(o, o.data[i] == e.in->sent[from + i], "it saw other bytes than come next");
    }
    if (n > 0 && o.what == kind::next) held_.hold(std::exchange(o.bytes, {}));
    break;
  case kind::write:
    --e.writes;
    if (!o.data.empty()) world_.check_order(o, e.ops, [](kind k) { return k == kind::write; });
    world_.claim_on(o, usual || ec == asio::error::broken_pipe || ec == asio::error::connection_reset,
                    "an error that no write has", ec);
    if (!ec && n == 0 && !o.data.empty()) world_.fail_on(o, "nothing written");
    sent(e, o.data.data(), n);
    break;
  default:
    world_.claim_on(o, usual, "an error that no wait has", ec);
    if (!ec) check_wait(o);
  }
  after_drained_operation(e);
}

/// Checks that a wait ended for the event it waited for.
inline void streams::check_wait(const stream_operation& o)
{
  const stream_end& e = *o.where;
  const bool unchanged = o.alone && e.open() && e.reads == 0 && e.writes == 0 &&
                         o.moved == e.out->sent.size() + e.in->received.size();
  if (!unchanged || world_.program_habits().kernel.spurious > 0) return;
  const bool kept = o.wait == asio::socket_base::wait_read && e.socket->available() > 0;
  world_.claim_on(o, kept || ready(e, static_cast<unsigned>(events_of(o.wait))),
                  "it ended without its event");
}

// --- others

inline void streams::others_go_on()
{
  for (std::size_t n = world_.below(3); n > 0; --n)
    if (!connections_.empty())
      if (stream_end& e = connections_[world_.below(connections_.size())]->ends[1]; e.raw >= 0)
        raw_goes_on(e, false);
}

inline bool streams::others_wake()
{
  bool happened = false;
  for (const auto& c : connections_)
    if (c->ends[1].raw >= 0) happened |= raw_goes_on(c->ends[1], true);
  return happened;
}

inline bool streams::raw_goes_on(stream_end& e, bool awake)
{
  bool happened = false;
  unsigned char data[2048];
  if (e.slow ? awake : world_.chance(700) || world_.ending()) {
    const ssize_t n = ::recv(e.raw, data, 1 + world_.below(sizeof(data)), MSG_DONTWAIT);
    if (n > 0) received(e, data, static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EAGAIN)) e.in->ended = true;
    happened |= n > 0;
  }
  if (world_.ending()) {
    if (!std::exchange(e.raw_shut, true)) happened |= ::shutdown(e.raw, SHUT_WR) == 0;
  } else if (!e.raw_shut && world_.chance(600)) {
    std::vector<unsigned char> some;
    world_.fill(some, 1 + world_.below(world_.chance(800) ? 200 : 6000));
    const ssize_t n = ::send(e.raw, some.data(), some.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent(e, some.data(), static_cast<std::size_t>(n));
    happened |= n > 0;
  } else if (world_.chance(e.slow ? 100 : 10)) {
    if (e.slow && !e.raw_shut) { // it sends no more, but goes on receiving
      e.raw_shut = true;
      ::shutdown(e.raw, SHUT_WR);
    } else
      ::close(std::exchange(e.raw, -1));
    happened = true;
  }
  return happened;
}

inline void streams::check_sleep()
{
  for (const auto& c : connections_)
    for (stream_end& e : c->ends) {
      if (!e.open()) continue;
      if (e.reads > 0 && ready(e, POLLIN) && !starves(e))
        for (const operation* o : e.ops)
          if (is_read(o->what)) world_.fail_on(*o, "it sleeps though there is data");
      if (e.writes > 0 && ready(e, POLLOUT)) world_.fail("a write sleeps though there is room");
      for (const operation* o : e.ops)
        if (o->what == kind::wait &&
            ready(e, static_cast<unsigned>(events_of(static_cast<const stream_operation*>(o)->wait))))
          world_.fail_on(*o, "it sleeps though there is its event");
    }
}

// --- end

/// Drops a connection that is over.
inline bool streams::retire()
{
  for (auto c = connections_.begin(); c != connections_.end(); ++c)
    if (!(*c)->ends[0].open() && !(*c)->ends[1].open() && (*c)->ends[0].ops.empty() &&
        (*c)->ends[1].ops.empty()) {
      check_end(**c);
      if ((*c)->ends[1].raw >= 0) ::close((*c)->ends[1].raw);
      connections_.erase(c);
      return true;
    }
  return false;
}

inline void streams::check_end(connection& c)
{
  for (stream& s : c.streams) {
    world_.claim(s.consistent(), lost);
    if (s.unknown) continue;
    world_.claim(s.received.size() <= s.sent.size(), "a stream has more bytes than were sent");
    world_.claim(!s.ended || s.received.size() >= s.sent.size(), "a stream's last bytes are lost");
  }
}

inline void streams::drain()
{
  held_.give_all_back();
  for (const auto& c : connections_)
    for (stream_end& e : c->ends)
      if (e.open()) {
        if (world_.chance(300)) cancel(e);
        for (operation* o : e.ops)
          if (o->what == kind::wait || world_.broken()) {
            cancel(e);
            break;
          }
        if (e.writes == 0 && !e.shut) shut(e);
        if (e.reads == 0 && !e.in->ended) read_on(e);
      }
}

inline void streams::read_on(stream_end& e)
{
  if (world_.broken()) return;
  if (world_.chance(300)) return next(e);
  auto& o = make(kind::read, e);
  ++e.reads;
  o.data.assign(1 + world_.below(5000), 0);
  start(o, [&](auto&& h) { e.socket->async_receive(asio::buffer(o.data), std::move(h)); });
}

inline void streams::after_drained_operation(stream_end& e)
{
  if (!world_.draining() || !e.open()) return;
  if (e.writes == 0 && !e.shut) shut(e);
  if (e.reads == 0 && !e.in->ended) read_on(e);
}

inline void streams::check_drained()
{
  for (const auto& c : connections_)
    for (stream_end& e : c->ends)
      if (e.open() && !e.in->ended) world_.fail("a stream does not come to its end");
}

// Sockets that are kept alive by their handlers end with the context.
inline void streams::tear_down()
{
  for (const auto& c : connections_)
    for (stream_end& e : c->ends) {
      ask(e.ops);
      e.ahead.reset();
      e.socket.reset();
      if (e.raw >= 0) ::close(std::exchange(e.raw, -1));
    }
}

inline void streams::describe() const
{
  for (const auto& c : connections_)
    for (const stream_end& e : c->ends)
      std::fprintf(stderr, "end: %s, %u reads, %u writes, %zu operations, sent %zu, received %zu%s%s%s\n",
                   e.open()     ? "open"
                   : e.raw >= 0 ? "another process's"
                                : "closed",
                   e.reads, e.writes, e.ops.size(), e.out->sent.size(), e.in->received.size(),
                   e.shut || e.raw_shut ? ", shut" : "", e.slow ? ", slow" : "",
                   e.in->ended ? ", at the end" : "");
  held_.describe();
}

#endif // ASIO_URING_TEST_PROPERTIES_STREAMS_IPP
