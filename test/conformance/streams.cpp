// test/conformance/streams.cpp: stream sockets of all protocols, in any state, to the end of the stream.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "basic_socket.hpp"

template <typename Socket>
static void synchronous_transfer(Socket& s)
{
  char data[16] = {};
  auto in = net::buffer(data);
  auto out = net::buffer("0123456789", 10);
  SHOW(s.send(out));
  BOTH(s, send, out, 0);
  BOTH(s, write_some, out);
  SHOW(s.receive(in));
  BOTH(s, receive, in, 0);
  BOTH(s, read_some, in);
  SHOW(s.receive(net::null_buffers()));
  SHOW(s.send(net::null_buffers()));
}

template <typename Socket>
static void asynchronous(net::io_context& context, Socket& s, const typename Socket::endpoint_type& peer)
{
  static char data[16];
  auto in = net::buffer(data);
  auto out = net::buffer("0123456789", 10);
  auto none = net::buffer(data, 0);
  s.async_send(out, handler("send"));
  run(context);
  s.async_send(out, 0, handler("send flags"));
  run(context);
  s.async_write_some(out, handler("write_some"));
  run(context);
  s.async_write_some(none, handler("write_some nothing"));
  run(context);
  s.async_receive(in, handler("receive"));
  run(context);
  s.async_receive(in, 0, handler("receive flags"));
  run(context);
  s.async_read_some(in, handler("read_some"));
  run(context);
  s.async_read_some(none, handler("read_some nothing"));
  run(context);
  s.async_receive(in, net::socket_base::message_out_of_band, handler("receive urgent"));
  run(context);
  s.async_receive(net::null_buffers(), handler("receive null_buffers"));
  run(context);
  s.async_send(net::null_buffers(), handler("send null_buffers"));
  run(context);
  for (auto w : {net::socket_base::wait_read, net::socket_base::wait_write, net::socket_base::wait_error}) {
    s.async_wait(w, handler("wait " + std::to_string(w)));
    run(context);
  }
  s.async_connect(peer, handler("connect"));
  run(context);
  values("open", s.is_open());
}

SCENARIO_TEMPLATE(closed_socket, T, STREAMS)
{
  net::io_context context;
  typename T::socket s(context);
  typename T::socket::endpoint_type endpoint;
  state(s);
  options(s);
  BOTH(s, bind, endpoint);
  BOTH(s, shutdown, net::socket_base::shutdown_both);
  BOTH(s, cancel);
  BOTH(s, wait, net::socket_base::wait_read);
  synchronous_transfer(s);
  asynchronous(context, s, typename T::socket::endpoint_type());
  values("opened by async_connect", s.is_open());
}

SCENARIO_TEMPLATE(open_and_close, T, STREAMS)
{
  net::io_context context;
  typename T::socket s(context);
  open_and_close(s, T::protocol());
  BOTH(s, open, T::protocol());
  options(s);
  state(s);
}

SCENARIO_TEMPLATE(unconnected_socket, T, STREAMS)
{
  net::io_context context;
  typename T::socket s(context, T::protocol());
  synchronous_transfer(s);
  BOTH(s, shutdown, net::socket_base::shutdown_send);
  char data[4];
  s.async_receive(net::buffer(data), handler("receive"));
  run(context);
  s.async_send(net::buffer(data), handler("send"));
  run(context);
  for (auto w : {net::socket_base::wait_read, net::socket_base::wait_write, net::socket_base::wait_error}) {
    s.async_wait(w, handler("wait " + std::to_string(w)));
    run(context);
  }
}

SCENARIO_TEMPLATE(wait_type_out_of_range, T, STREAMS)
{
  T p;
  const auto nonsense = static_cast<net::socket_base::wait_type>(3);
  BOTH(p.a, wait, nonsense);
  p.a.async_wait(nonsense, handler("wait"));
  run(p.context);
}

SCENARIO_TEMPLATE(connected_socket, T, STREAMS)
{
  T p;
  auto& s = p.a;
  state(s);
  options(s);
  SHOW(s.open(T::protocol()));
  BOTH(s, connect, p.b.local_endpoint());
  BOTH(s, wait, net::socket_base::wait_write);
  p.b.send(net::buffer("abc", 3));
  await_data(s);
  BOTH(s, wait, net::socket_base::wait_read);
  BOTH(s, available);
  s.async_connect(p.b.local_endpoint(), handler("connect"));
  run(p.context);
  BOTH(s, available);
}

SCENARIO_TEMPLATE(synchronous_transfer, T, STREAMS)
{
  T p;
  auto &a = p.a, &b = p.b;
  char data[16] = {};
  auto in = net::buffer(data), part = net::buffer(data, 3), none = net::buffer(data, 0);
  auto out = net::buffer("0123456789", 10);
  SHOW(a.send(out));
  BOTH(a, send, out, 0);
  BOTH(a, write_some, out);
  BOTH(a, write_some, none);
  SHOW(b.receive(part));
  BOTH(b, receive, in, net::socket_base::message_peek);
  SHOW(b.receive(none));
  BOTH(b, receive, none, net::socket_base::message_peek);
  BOTH(b, receive, part, 0);
  BOTH(b, read_some, part);
  BOTH(b, read_some, none);
  SHOW(b.receive(net::null_buffers()));
  BOTH(b, available);
  values("data", std::string_view(data, 3));
  b.non_blocking(true);
  while (b.available())
    b.read_some(in);
  SHOW(b.receive(in));
  BOTH(b, read_some, in);
  BOTH(b, receive, in, net::socket_base::message_peek);
  SHOW_EC(b, receive, in, net::socket_base::message_out_of_band);
  BOTH(b, wait, net::socket_base::wait_read);
  std::string large = letters(1 << 20);
  a.non_blocking(true);
  error_code ec;
  while (!ec)
    a.send(net::buffer(large), 0, ec);
  values("full", ec);
  BOTH(a, wait, net::socket_base::wait_write);
}

SCENARIO_TEMPLATE(end_of_stream, T, STREAMS)
{
  T p;
  auto &a = p.a, &b = p.b;
  char data[16] = {};
  auto in = net::buffer(data), none = net::buffer(data, 0);
  a.send(net::buffer("last", 4));
  SHOW(a.shutdown(net::socket_base::shutdown_send));
  SHOW_EC(a, send, in, 0);
  BOTH(a, write_some, in);
  a.async_write_some(in, handler("write after shutdown"));
  run(p.context);
  b.async_read_some(in, handler("the last"));
  run(p.context);
  b.async_read_some(in, handler("end"));
  run(p.context);
  b.async_read_some(none, handler("nothing at the end"));
  run(p.context);
  BOTH(b, read_some, in);
  BOTH(b, receive, in, net::socket_base::message_peek);
  BOTH(b, available);
  b.async_wait(net::socket_base::wait_read, handler("wait at the end"));
  run(p.context);
  b.async_receive(net::null_buffers(), handler("null_buffers at the end"));
  run(p.context);
  b.async_write_some(in, handler("the other direction"));
  run(p.context);
  a.async_read_some(in, handler("the other direction"));
  run(p.context);
  BOTH(b, shutdown, net::socket_base::shutdown_receive);
  SHOW(b.close());
  a.async_read_some(in, handler("end"));
  run(p.context);
}

SCENARIO_TEMPLATE(kinds_of_reads_at_the_end, T, STREAMS)
{
  char data[16] = {};
  auto in = net::buffer(data);
  std::array<net::mutable_buffer, 2> two{net::buffer(data, 4), net::buffer(data + 4, 4)};
  const std::pair<const char*, std::function<void(typename T::socket&)>> all[] = {
      {"peek", [&](auto& s) { s.async_receive(in, net::socket_base::message_peek, handler("peek")); }},
      {"two buffers", [&](auto& s) { s.async_read_some(two, handler("two buffers")); }},
      {"null_buffers", [&](auto& s) { s.async_receive(net::null_buffers(), handler("null_buffers")); }},
      {"wait", [&](auto& s) { s.async_wait(net::socket_base::wait_read, handler("wait")); }},
      {"read all", [&](auto& s) { net::async_read(s, in, handler("read all")); }}};
  for (const auto& [name, start] : all) {
    for (bool waiting : {false, true}) {
      T p;
      if (!waiting) p.a.shutdown(net::socket_base::shutdown_send);
      start(p.b);
      settle(p.context);
      if (waiting) p.a.close();
      run_composed(p.context);
    }
    T p;
    SHOW(p.b.shutdown(net::socket_base::shutdown_receive));
    start(p.b);
    run_composed(p.context);
  }
}

// Deliberate difference: the reactor waits for an event that does not come again.
SCENARIO_TEMPLATE(read_again_after_the_end, T, STREAMS)
{
  T p;
  static char data[8];
  p.a.shutdown(net::socket_base::shutdown_send);
  p.b.async_read_some(net::buffer(data), handler("read"));
  run(p.context);
  settle(p.context);
  p.b.async_read_some(net::buffer(data), handler("read"));
  settle(p.context);
  outcome again;
  p.b.async_read_some(net::buffer(data), again.handler());
  settle(p.context);
  deliberate("tells the end again", again.calls == 0, again.failed(net::error::eof));
  p.b.close();
  run_composed(p.context);
}

SCENARIO_TEMPLATE(shutdown_with_operations_pending, T, STREAMS)
{
  T p;
  static char data[16];
  outcome own, of_the_peer;
  p.b.async_read_some(net::buffer(data), of_the_peer.handler());
  p.a.async_read_some(net::buffer(data), own.handler());
  settle(p.context);
  SHOW(p.a.shutdown(net::socket_base::shutdown_both));
  run_composed(p.context);
  values("own, of the peer", own, of_the_peer);
}

SCENARIO_TEMPLATE(broken_pipe, T, STREAMS)
{
  T p;
  std::string large = letters(1 << 20);
  p.b.close();
  error_code ec;
  std::size_t n = p.a.write_some(net::buffer(large, 10), ec); // TCP fails with the second write only
  if (T::name == std::string_view("local")) values("write", ec, n);
  await_data(p.a);
  ::usleep(20000);
  outcome first, second;
  p.a.async_write_some(net::buffer(large), first.handler());
  run_composed(p.context);
  p.a.async_write_some(net::buffer(large), second.handler());
  run_composed(p.context);
  values("write", first);
  values("write", second);
  SHOW_EC(p.a, send, net::buffer("x", 1), 0);
  p.a.async_send(net::buffer("x", 1), handler("send"));
  run(p.context);
}

SCENARIO_TEMPLATE(writes_wait_for_room, T, STREAMS)
{
  T p;
  std::string large = letters(8 << 20);
  net::async_write(p.a, net::buffer(large), handler("write all"));
  settle(p.context);
  std::string arrived(large.size(), ' ');
  net::async_read(p.b, net::buffer(arrived), handler("read all"));
  run_composed(p.context);
  values("equal", arrived == large);
}

// Handlers are told apart; their order must be that of the data.
SCENARIO_TEMPLATE(pieces, T, STREAMS)
{
  T p;
  for (std::size_t count : {1, 2, 64, 65, 100}) {
    std::string out = letters(1300), in(1300, ' ');
    std::size_t sent = 0, received = 0;
    p.a.async_write_some(pieces(std::as_const(out), count), [&](error_code ec, std::size_t n) {
      ++called;
      sent = n;
      values("-> write " + std::to_string(count), ec, n);
    });
    run(p.context);
    p.b.async_read_some(pieces(in, count), [&](error_code ec, std::size_t n) {
      ++called;
      received = n;
      values("-> read " + std::to_string(count), ec, n);
    });
    run(p.context);
    values("equal", in.substr(0, received) == out.substr(0, received));
    while (p.b.available())
      p.b.read_some(net::buffer(in));
    values("sync write", p.a.write_some(pieces(std::as_const(out), count)));
    values("sync read", p.b.read_some(pieces(in, count)));
    while (p.b.available())
      p.b.read_some(net::buffer(in));
  }
  std::vector<net::const_buffer> no_pieces;
  std::vector<net::mutable_buffer> no_room;
  p.a.async_write_some(no_pieces, handler("write of no buffers"));
  p.b.async_read_some(no_room, handler("read of no buffers"));
  run(p.context);
  BOTH(p.a, write_some, no_pieces);
  BOTH(p.b, read_some, no_room);
  // Empty buffers first.
  std::string out = letters(10), in(10, ' ');
  std::array<net::const_buffer, 3> with_empty{net::buffer(out, 0), net::buffer(out, 0), net::buffer(out)};
  p.a.async_write_some(with_empty, handler("empty buffers first"));
  run(p.context);
  std::array<net::mutable_buffer, 3> room{net::buffer(in, 0), net::buffer(in, 4), net::buffer(&in[4], 6)};
  p.b.async_read_some(room, handler("empty buffers first"));
  run(p.context);
  values("data", in);
}

SCENARIO_TEMPLATE(peek, T, STREAMS)
{
  T p;
  char data[16] = {};
  p.a.send(net::buffer("abcdef", 6));
  await_data(p.b);
  for (int i = 0; i < 2; ++i) {
    p.b.async_receive(net::buffer(data, 4), net::socket_base::message_peek, handler("peek"));
    run(p.context);
    values("data", std::string_view(data, 4));
  }
  p.b.async_receive(net::buffer(data), handler("receive"));
  run(p.context);
  values("data", std::string_view(data, 6));
  p.b.async_receive(net::buffer(data), net::socket_base::message_peek, handler("peek, later"));
  settle(p.context);
  p.a.send(net::buffer("x", 1));
  run(p.context);
  BOTH(p.b, available);
}

SCENARIO_TEMPLATE(wait, T, STREAMS)
{
  T p;
  char data[16] = {};
  p.b.async_wait(net::socket_base::wait_read, handler("wait for read"));
  settle(p.context);
  line("nothing yet");
  p.a.send(net::buffer("ab", 2));
  run(p.context);
  BOTH(p.b, available);
  p.b.async_wait(net::socket_base::wait_read, handler("wait for what is there"));
  run(p.context);
  p.b.async_wait(net::socket_base::wait_write, handler("wait for write"));
  run(p.context);
  p.b.async_receive(net::null_buffers(), handler("receive null_buffers"));
  run(p.context);
  p.b.async_send(net::null_buffers(), handler("send null_buffers"));
  run(p.context);
  BOTH(p.b, available);
  p.b.read_some(net::buffer(data));
  p.b.async_wait(net::socket_base::wait_error, handler("wait for error"));
  settle(p.context);
  p.a.send(net::buffer("ordinary", 8));
  settle(p.context);
  line("ordinary data is no error");
  SHOW(p.b.cancel());
  run(p.context);
  p.b.read_some(net::buffer(data));
  p.b.async_wait(net::socket_base::wait_read, handler("wait for the end"));
  settle(p.context);
  p.a.close();
  run(p.context);
}

SCENARIO_TEMPLATE(native_non_blocking_after_operations, T, STREAMS)
{
  char data[16] = {};
  {
    T p;
    p.a.async_write_some(net::buffer(data, 0), handler("write of nothing"));
    run(p.context);
    values("after a write of nothing", p.a.native_non_blocking());
    p.b.async_wait(net::socket_base::wait_write, handler("wait"));
    run(p.context);
    values("after a wait", p.b.native_non_blocking());
    p.a.async_write_some(net::buffer(data), handler("write"));
    values("after a write was initiated", p.a.native_non_blocking());
    run(p.context);
    SHOW(p.a.native_non_blocking(false));
    SHOW(p.a.native_non_blocking());
    p.a.async_write_some(net::buffer(data), handler("write"));
    run(p.context);
    SHOW(p.a.native_non_blocking());
    SHOW(p.a.non_blocking());
    SHOW(p.a.non_blocking(true));
    SHOW(p.a.non_blocking(false));
    SHOW(p.a.native_non_blocking());
    p.b.async_read_some(net::buffer(data), handler("read"));
    run(p.context);
    typename T::socket moved(std::move(p.b));
    values("moved", moved.native_non_blocking());
    values("from", p.b.native_non_blocking());
    SHOW(moved.close());
    SHOW(moved.native_non_blocking());
    SHOW(moved.open(T::protocol()));
    SHOW(moved.native_non_blocking());
  }
  {
    T p; // a program that then uses the descriptor without Asio must find it as Asio would have left it
    p.a.async_read_some(net::buffer(data), [](error_code, std::size_t) {});
    values("flags", (::fcntl(p.a.native_handle(), F_GETFL) & O_NONBLOCK) != 0);
    p.a.cancel();
    run_composed(p.context);
    const int fd = p.a.release();
    values("flags of the released", (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    ::close(fd);
  }
  {
    T p;
    p.a.async_read_some(net::buffer(data), [](error_code, std::size_t) {});
    settle(p.context);
    p.b.send(net::buffer("0123", 4));
    run_composed(p.context);
    const int fd = p.a.release();
    values("flags of the released", (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    SHOW(p.a.assign(T::protocol(), fd));
    SHOW(p.a.native_non_blocking());
    SHOW(p.a.native_handle() == fd);
  }
}

SCENARIO_TEMPLATE(asynchronous_operations_of_a_non_blocking_socket, T, STREAMS)
{
  T p;
  char data[16] = {};
  p.a.non_blocking(true);
  p.b.native_non_blocking(true);
  p.a.async_read_some(net::buffer(data), handler("read"));
  settle(p.context);
  p.b.async_read_some(net::buffer(data), handler("read of the peer"));
  settle(p.context);
  p.a.async_write_some(net::buffer("ab", 2), [](error_code, std::size_t) {});
  settle(p.context);
  p.b.send(net::buffer("abc", 3));
  run(p.context);
}
