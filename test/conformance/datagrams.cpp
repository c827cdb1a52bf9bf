// test/conformance/datagrams.cpp: datagram sockets of all protocols.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "datagram.hpp"

SCENARIO_TEMPLATE(datagram_closed_socket, T, DATAGRAMS)
{
  net::io_context context;
  typename T::socket s(context);
  endpoint_of<T> peer;
  state(s);
  options(s);
  every_call<T>(s, peer);
  every_operation<T>(context, s, peer);
  for (auto w : {net::socket_base::wait_read, net::socket_base::wait_write, net::socket_base::wait_error}) {
    BOTH(s, wait, w);
    s.async_wait(w, handler("wait"));
    run(context);
  }
  BOTH(s, shutdown, net::socket_base::shutdown_both);
  BOTH(s, bind, peer);
  BOTH(s, connect, peer);
}

SCENARIO_TEMPLATE(datagram_open_and_close, T, DATAGRAMS)
{
  net::io_context context;
  typename T::socket s(context);
  open_and_close(s, T::protocol());
  s.open(T::protocol());
  state(s);
  options(s);
}

SCENARIO_TEMPLATE(datagram_unconnected, T, DATAGRAMS)
{
  T p;
  const auto to = p.b.local_endpoint();
  char data[16] = {};
  auto out = net::buffer("0123456789", 10);
  p.a.async_send(out, handler("send without a peer"));
  run(p.context);
  SHOW(p.a.send(out));
  endpoint_of<T> from;
  p.b.async_receive_from(net::buffer(data), from, handler("receive_from"));
  settle(p.context);
  p.a.async_send_to(out, to, [](error_code ec, std::size_t n) { values("send_to", ec, n); });
  run_composed(p.context);
  values("from", from == p.a.local_endpoint(), from);
  p.a.send_to(out, to);
  p.b.async_receive(net::buffer(data), handler("receive"));
  run(p.context);
  p.a.send_to(out, to);
  await_data(p.b);
  from = {};
  p.b.async_receive_from(net::buffer(data), from, handler("receive_from what is there"));
  run(p.context);
  values("from", from == p.a.local_endpoint());
  from = {};
  p.a.send_to(out, to);
  SHOW(p.b.receive_from(net::buffer(data), from));
  values("from", from == p.a.local_endpoint());
  p.b.non_blocking(true);
  SHOW(p.b.receive_from(net::buffer(data), from));
  SHOW_EC(p.b, receive, net::buffer(data), 0);
}

SCENARIO_TEMPLATE(datagram_connected, T, DATAGRAMS)
{
  T p;
  char data[16] = {};
  const auto a = p.a.local_endpoint(), b = p.b.local_endpoint();
  SHOW(p.a.connect(b));
  p.b.async_connect(a, handler("connect"));
  run(p.context);
  SHOW(p.b.remote_endpoint() == a);
  SHOW(p.a.remote_endpoint() == b);
  for (int i = 0; i < 10; ++i) // enough for all receives of every_operation
    p.b.send(net::buffer("sent by b", 9));
  every_operation<T>(p.context, p.a, b);
  for (int i = 0; i < 10; ++i)
    p.b.send(net::buffer("sent by b", 9));
  every_call<T>(p.a, b);
  SHOW(p.b.available() > 0);
  endpoint_of<T> from;
  p.b.async_receive_from(net::buffer(data), from, handler("receive_from"));
  run(p.context);
  values("from", from == a);
  p.b.async_connect(a, handler("connect again"));
  run(p.context);
  state(p.a);
  SHOW(p.a.shutdown(net::socket_base::shutdown_send));
  p.a.async_send(net::buffer(data), handler("send after shutdown"));
  run(p.context);
}

SCENARIO_TEMPLATE(datagram_sizes, T, DATAGRAMS)
{
  T p;
  const auto to = p.b.local_endpoint();
  std::string large = letters(3000);
  std::string in(100, ' ');
  endpoint_of<T> from;
  auto exchange = [&](const auto& out, const auto& room) {
    p.a.async_send_to(out, to, handler("send_to"));
    run(p.context);
    await_data(p.b);
    values("available", p.b.available());
    p.b.async_receive_from(room, from, handler("receive_from"));
    run(p.context);
    p.a.send_to(out, to);
    await_data(p.b);
    p.b.async_receive(room, handler("receive"));
    run(p.context);
    p.b.async_receive(room, handler("receive, waiting"));
    settle(p.context);
    p.a.send_to(out, to);
    run(p.context);
  };
  line("truncated");
  exchange(net::buffer(large), net::buffer(in));
  line("empty");
  exchange(net::buffer(large, 0), net::buffer(in));
  line("into an empty buffer");
  exchange(net::buffer(large, 10), net::buffer(in, 0));
  line("into no buffers");
  exchange(net::buffer(large, 10), std::vector<net::mutable_buffer>());
  line("of no buffers");
  exchange(std::vector<net::const_buffer>(), net::buffer(in));
  for (std::size_t count : {1, 2, 64, 65, 100}) {
    values("pieces", count);
    std::string room(3000, ' ');
    exchange(pieces(std::as_const(large), count), pieces(room, count));
    values("equal", room.substr(0, 1000) == large.substr(0, 1000));
  }
  line("peek");
  p.a.send_to(net::buffer(large, 10), to);
  await_data(p.b);
  p.b.async_receive_from(net::buffer(in), from, net::socket_base::message_peek, handler("peek"));
  run(p.context);
  p.b.async_receive(net::buffer(in, 3), net::socket_base::message_peek, handler("peek, truncated"));
  run(p.context);
  p.b.async_receive_from(net::buffer(in), from, handler("receive_from"));
  run(p.context);
  line("too large");
  std::string huge(300000, ' ');
  p.a.async_send_to(net::buffer(huge), to, handler("send_to"));
  run(p.context);
  SHOW_EC(p.a, send_to, net::buffer(huge), to, 0);
}

SCENARIO_TEMPLATE(datagram_huge_buffers, T, DATAGRAMS)
{
  T p;
  huge_buffer memory;
  endpoint_of<T> from;
  for (std::size_t size : {std::size_t(4) << 30, huge_buffer::size}) {
    p.a.async_send_to(net::buffer(memory.data(), size), p.b.local_endpoint(), handler("send_to"));
    run(p.context);
    p.a.send_to(net::buffer(letters(9000)), p.b.local_endpoint());
    await_data(p.b);
    p.b.async_receive_from(net::buffer(memory.data(), size), from, handler("receive_from"));
    run(p.context);
    p.a.send_to(net::buffer(letters(9000)), p.b.local_endpoint());
    await_data(p.b);
    p.b.async_receive(net::buffer(memory.data(), size), handler("receive"));
    run(p.context);
    p.a.connect(p.b.local_endpoint());
    p.a.async_send(net::buffer(memory.data(), size), handler("send"));
    run(p.context);
  }
}

SCENARIO_TEMPLATE(datagram_many_senders, T, udp4, udp6)
{
  T p;
  const auto address = p.a.local_endpoint().address();
  std::vector<udp::socket> senders;
  std::size_t right = 0, received = 0;
  std::map<unsigned short, unsigned> numbers;
  struct slot
  {
    udp::endpoint from;
    unsigned number = 0;
  };
  std::vector<slot> slots(200);
  for (unsigned i = 0; i < 200; ++i) {
    senders.emplace_back(p.context, udp::endpoint(address, 0));
    numbers[senders.back().local_endpoint().port()] = i;
  }
  for (bool waiting : {true, false}) {
    right = received = 0;
    const auto receive = [&] {
      for (slot& s : slots)
        p.b.async_receive_from(
            net::buffer(&s.number, sizeof s.number), s.from, [&](error_code ec, std::size_t n) {
              received += n;
              right += !ec && s.from.address() == address && numbers.at(s.from.port()) == s.number;
            });
    };
    if (waiting) {
      receive();
      settle(p.context);
    }
    for (unsigned i = 0; i < 200; ++i)
      senders[i].send_to(net::buffer(&i, sizeof i), p.b.local_endpoint());
    if (!waiting) receive();
    run_composed(p.context);
    values("received, senders right", received, right);
  }
}

SCENARIO_TEMPLATE(datagram_refused, T, udp4, udp6)
{
  T p;
  char data[8];
  const auto nobody = p.b.local_endpoint();
  p.b.close();
  p.a.connect(nobody);
  p.a.async_send(net::buffer(data), handler("send"));
  run(p.context);
  p.a.async_receive(net::buffer(data), handler("receive"));
  run(p.context);
  p.a.async_receive(net::buffer(data), handler("receive pending"));
  settle(p.context);
  SHOW(p.a.send(net::buffer(data)));
  run(p.context);
  SHOW(p.a.send(net::buffer(data)));
  await_data(p.a, POLLERR);
  p.a.async_send(net::buffer(data), handler("send after the refusal"));
  run(p.context);
  SHOW(p.a.send(net::buffer(data)));
  SHOW(p.a.receive(net::buffer(data)));
  SHOW(p.a.send(net::buffer(data)));
  await_data(p.a, POLLERR);
  p.a.async_wait(net::socket_base::wait_error, handler("wait for error"));
  run(p.context);
  p.a.async_wait(net::socket_base::wait_read, handler("wait for read"));
  run(p.context);
  SHOW_EC(p.a, receive, net::buffer(data), 0);
}

SCENARIO_TEMPLATE(datagram_cancel_and_close, T, DATAGRAMS)
{
  for (bool started : {false, true}) {
    T p;
    static char data[8];
    endpoint_of<T> from[3];
    const auto several = [&] {
      p.b.async_receive_from(net::buffer(data), from[0], handler("receive_from 1"));
      p.b.async_receive(net::buffer(data), handler("receive 2"));
      p.b.async_receive_from(net::buffer(data), from[1], handler("receive_from 3"));
      if (started) settle(p.context);
    };
    several();
    BOTH(p.b, cancel);
    run(p.context);
    several();
    for (const char* text : {"a", "bc", "def"})
      p.a.send_to(net::buffer(text, strlen(text)), p.b.local_endpoint());
    run(p.context);
    several();
    typename T::socket moved(std::move(p.b));
    values("from, to", p.b, moved);
    SHOW(moved.close());
    run(p.context);
    SHOW(p.b.open(T::protocol()));
  }
}

SCENARIO_TEMPLATE(datagram_cancellation_types, T, DATAGRAMS)
{
  using type = net::cancellation_type;
  T p;
  static char data[8];
  endpoint_of<T> from;
  for (auto [name, kind] : {std::pair("none", type::none), std::pair("terminal", type::terminal),
                            std::pair("partial", type::partial), std::pair("total", type::total)})
    for (bool started : {false, true}) {
      net::cancellation_signal a, b;
      p.b.async_receive_from(
          net::buffer(data), from,
          net::bind_cancellation_slot(a.slot(), handler(std::string("receive_from, ") + name)));
      if (started) settle(p.context);
      a.emit(kind);
      settle(p.context);
      SHOW(p.b.cancel());
      run(p.context);
      p.b.async_receive(net::buffer(data),
                        net::bind_cancellation_slot(b.slot(), handler(std::string("receive, ") + name)));
      if (started) settle(p.context);
      b.emit(kind);
      settle(p.context);
      SHOW(p.b.cancel());
      run(p.context);
    }
}

SCENARIO_TEMPLATE(datagram_wait, T, DATAGRAMS)
{
  T p;
  static char data[8];
  endpoint_of<T> from = p.a.local_endpoint();
  p.b.async_wait(net::socket_base::wait_read, handler("wait"));
  settle(p.context);
  p.a.send_to(net::buffer("ab", 2), p.b.local_endpoint());
  run(p.context);
  p.b.async_wait(net::socket_base::wait_write, handler("wait for write"));
  run(p.context);
  p.b.async_receive(net::null_buffers(), handler("receive null_buffers"));
  run(p.context);
  p.b.async_receive_from(net::null_buffers(), from, handler("receive_from null_buffers"));
  run(p.context);
  values("from", from == endpoint_of<T>());
  BOTH(p.b, wait, net::socket_base::wait_read);
  SHOW(p.b.receive(net::null_buffers()));
  SHOW(p.b.receive_from(net::null_buffers(), from));
  SHOW(p.b.receive(net::buffer(data)));
  p.b.async_wait(net::socket_base::wait_error, handler("wait for error"));
  settle(p.context);
  SHOW(p.b.cancel());
  run(p.context);
}

SCENARIO_TEMPLATE(datagram_native_non_blocking, T, DATAGRAMS)
{
  T p;
  static char data[8];
  p.b.async_receive(net::buffer(data), handler("receive"));
  values("after a receive", p.b.native_non_blocking());
  p.b.cancel();
  run(p.context);
  values("flags", (::fcntl(p.b.native_handle(), F_GETFL) & O_NONBLOCK) != 0);
  p.b.async_receive(net::buffer(data), handler("receive"));
  settle(p.context);
  p.a.send_to(net::buffer("ab", 2), p.b.local_endpoint());
  run(p.context);
}

SCENARIO(datagram_moves)
{
  udp4 p;
  static char data[8];
  udp::socket::rebind_executor<net::other_executor>::other other(
      net::executor_on<net::other_executor>(p.context));
  const auto to = p.b.local_endpoint();
  other.assign(udp::v4(), p.b.release());
  other.async_receive(net::buffer(data), handler("receive of another executor"));
  settle(p.context);
  udp::socket moved(std::move(other));
  values("from, to", other, moved);
  p.a.send_to(net::buffer("ab", 2), to);
  run(p.context);
  moved.async_receive(net::buffer(data), handler("receive of the moved"));
  settle(p.context);
  net::generic::datagram_protocol::socket generic(std::move(moved));
  values("from, to", moved, generic);
  p.a.send_to(net::buffer("abc", 3), to);
  run(p.context);
  net::generic::datagram_protocol::endpoint from;
  generic.async_receive_from(net::buffer(data), from, handler("receive_from of the generic"));
  settle(p.context);
  p.a.send_to(net::buffer("abcd", 4), to);
  run(p.context);
  values("from", from);
  generic.async_send_to(net::buffer("answer", 6), from, handler("send_to"));
  run(p.context);
  SHOW(p.a.receive(net::buffer(data)));
}

// --- counts of the loop

SCENARIO_TEMPLATE(datagram_loop_counts, T, DATAGRAMS)
{
  T p;
  static char data[8];
  p.a.async_send_to(net::buffer("ab", 2), p.b.local_endpoint(), handler("send_to"));
  run(p.context);
  p.b.async_receive(net::buffer(data), handler("receive"));
  run(p.context);
  p.b.async_receive(net::buffer(data), handler("receive"));
  const auto before = called;
  values("poll", p.context.poll(), called - before, p.context.stopped());
  p.b.close();
  run(p.context);
}
