// test/conformance/tcp.cpp: connecting, options, urgent data, resets; streams of <iostream>.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "basic_socket.hpp"
#include <netinet/tcp.h>

using net::ip::tcp;

/// A port on which nobody listens.
static tcp::endpoint nobody()
{
  net::io_context context;
  tcp::socket s(context, loopback());
  return s.local_endpoint();
}

// --- connecting

SCENARIO(connect)
{
  net::io_context context;
  tcp::acceptor a(context, loopback());
  tcp::socket s(context);
  SHOW(s.connect(a.local_endpoint()));
  SHOW(s.remote_endpoint() == a.local_endpoint());
  BOTH(s, connect, a.local_endpoint());
  s.close();
  s.async_connect(a.local_endpoint(), handler("opens and connects"));
  values("open", s.is_open());
  run(context);
  SHOW(s.remote_endpoint() == a.local_endpoint());
  outcome again; // for the kernel, the reactor's connect is complete only when connect(2) is called once more
  s.async_connect(a.local_endpoint(), again.handler());
  run_composed(context);
  deliberate("connected already", again.succeeded(), again.failed(net::error::already_connected));
  s.close();
  for (bool user : {true, false}) {
    s.open(tcp::v4());
    user ? s.non_blocking(true) : s.native_non_blocking(true);
    s.async_connect(a.local_endpoint(), handler("non-blocking socket"));
    run(context);
    SHOW(s.remote_endpoint() == a.local_endpoint());
    s.close();
  }
  s.open(tcp::v4());
  s.bind(loopback());
  s.async_connect(a.local_endpoint(), handler("bound socket"));
  run(context);
  s.close();
  s.open(tcp::v4());
  s.async_connect({net::ip::address_v6::loopback(), 1}, handler("another family"));
  run(context);
  values("open", s.is_open());
  BOTH(s, connect, tcp::endpoint(net::ip::address_v6::loopback(), 1));
}

SCENARIO(connect_refused)
{
  net::io_context context;
  tcp::socket s(context);
  SHOW_EC(s, connect, nobody());
  values("open", s.is_open());
  SHOW(s.connect(nobody()));
  s.async_connect(nobody(), handler("refused"));
  run(context);
  values("open", s.is_open());
  s.close();
  s.async_connect(nobody(), handler("refused"));
  run(context);
  values("open", s.is_open());
  char data[4];
  s.async_read_some(net::buffer(data), handler("read"));
  run(context);
  tcp::acceptor a(context, loopback());
  outcome accepted; // the kernel reports the failed attempt to the reactor once more
  s.async_connect(a.local_endpoint(), accepted.handler());
  run_composed(context);
  deliberate("connect after a refusal", accepted.failed(net::error::connection_aborted),
             accepted.succeeded());
  net::local::stream_protocol::socket l(context);
  l.async_connect(net::local::stream_protocol::endpoint("nobody"), handler("no such path"));
  run(context);
  BOTH(l, connect, net::local::stream_protocol::endpoint("nobody"));
}

SCENARIO(connect_composed)
{
  net::io_context context;
  tcp::acceptor a(context, loopback());
  tcp::socket s(context);
  std::vector<tcp::endpoint> all{nobody(), a.local_endpoint()};
  net::async_connect(s, all, handler("connect to the second"));
  run_composed(context);
  values("connected", net::connect(s, all) == a.local_endpoint());
  std::vector<tcp::endpoint> none;
  net::async_connect(s, none, handler("connect to none"));
  run_composed(context);
}

SCENARIO(connect_cancelled)
{
  net::io_context context;
  // A listener whose queue is full: connects to it stay pending.
  tcp::acceptor a(context);
  a.open(tcp::v4());
  a.bind(loopback());
  a.listen(0);
  tcp::socket filler(context);
  filler.connect(a.local_endpoint());
  for (int i = 0; i < 2; ++i) {
    tcp::socket s(context), t(context), u(context);
    s.async_connect(a.local_endpoint(), handler("cancelled"));
    if (i) settle(context);
    SHOW(s.cancel());
    run(context);
    t.async_connect(a.local_endpoint(), handler("closed"));
    if (i) settle(context);
    SHOW(t.close());
    run(context);
    net::cancellation_signal signal;
    u.async_connect(a.local_endpoint(), net::bind_cancellation_slot(signal.slot(), handler("by its slot")));
    if (i) settle(context);
    signal.emit(net::cancellation_type::terminal);
    run(context);
  }
}

// --- what only TCP has

SCENARIO(tcp_options)
{
  tcp_pair p;
  option(p.a, "no_delay", tcp::no_delay(false));
  option(p.a, "no_delay", tcp::no_delay(true));
  option(p.a, "unicast hops", net::ip::unicast::hops(33));
  option(p.a, "v6_only", net::ip::v6_only(true));
  net::io_context context;
  tcp::socket six(context, tcp::v6());
  option(six, "v6_only", net::ip::v6_only(true));
  option(six, "unicast hops", net::ip::unicast::hops(33));
  tcp::socket closed(context);
  option(closed, "no_delay", tcp::no_delay(true));
}

SCENARIO(tcp_version_6)
{
  net::io_context context;
  tcp::socket a(context), b(context);
  connect_tcp(a, b, "::1");
  values("endpoints", a.local_endpoint().address().to_string(), b.remote_endpoint().address().to_string());
  char data[8];
  a.async_write_some(net::buffer("ab", 2), handler("write"));
  b.async_read_some(net::buffer(data), [](error_code ec, std::size_t n) { values("read", ec, n); });
  run_composed(context);
}

SCENARIO(reset_by_peer)
{
  char data[8] = {};
  const auto reset = [](tcp_pair& p) {
    p.a.set_option(net::socket_base::linger(true, 0));
    p.a.close();
  };
  {
    tcp_pair p;
    p.b.async_read_some(net::buffer(data), handler("read pending"));
    settle(p.context);
    reset(p);
    run(p.context);
    p.b.async_write_some(net::buffer("x", 1), handler("write after the reset"));
    run(p.context);
  }
  {
    tcp_pair p;
    reset(p);
    await_data(p.b);
    p.b.async_read_some(net::buffer(data), handler("read"));
    run(p.context);
  }
  {
    tcp_pair p;
    reset(p);
    await_data(p.b);
    p.b.async_write_some(net::buffer("x", 1), handler("write"));
    run(p.context);
    SHOW_EC(p.b, write_some, net::buffer("x", 1));
  }
  {
    tcp_pair p;
    reset(p);
    await_data(p.b);
    SHOW_EC(p.b, read_some, net::buffer(data));
    SHOW_EC(p.b, remote_endpoint);
    SHOW_EC(p.b, available);
  }
  {
    tcp_pair p;
    for (auto w : {net::socket_base::wait_read, net::socket_base::wait_write, net::socket_base::wait_error})
      if (w != net::socket_base::wait_write) p.b.async_wait(w, [](error_code ec) { values("wait", ec); });
    settle(p.context);
    reset(p);
    run_composed(p.context);
  }
  {
    tcp_pair p; // close() with unread data resets
    p.b.send(net::buffer("unread", 6));
    await_data(p.a);
    p.b.async_read_some(net::buffer(data), handler("read"));
    settle(p.context);
    p.a.close();
    run(p.context);
  }
}

SCENARIO(urgent_data)
{
  char data[8] = {};
  const auto urgent = net::socket_base::message_out_of_band;
  {
    tcp_pair p;
    p.b.async_receive(net::buffer(data), urgent, handler("urgent"));
    settle(p.context);
    p.a.send(net::buffer("ab", 2));
    settle(p.context);
    line("ordinary data is not urgent");
    SHOW(p.a.send(net::buffer("!", 1), urgent));
    run(p.context);
    values("data", std::string_view(data, 1));
    BOTH(p.b, at_mark);
    p.b.async_receive(net::buffer(data), handler("up to the mark"));
    run(p.context);
    BOTH(p.b, at_mark);
  }
  {
    tcp_pair p;
    p.a.async_send(net::buffer("!", 1), urgent, handler("send urgent"));
    run(p.context);
    await_data(p.b, POLLPRI);
    SHOW(p.b.receive(net::buffer(data), urgent));
    SHOW_EC(p.b, receive, net::buffer(data), urgent);
  }
  {
    tcp_pair p;
    p.b.async_wait(net::socket_base::wait_error, handler("wait for error"));
    settle(p.context);
    p.a.send(net::buffer("!", 1), urgent);
    run(p.context);
    BOTH(p.b, wait, net::socket_base::wait_error);
    p.b.async_receive(net::null_buffers(), urgent, handler("null_buffers"));
    run(p.context);
    p.b.async_receive(net::buffer(data), urgent, handler("urgent"));
    run(p.context);
    values("data", std::string_view(data, 1));
  }
  {
    tcp_pair p;
    p.b.async_receive(net::buffer(data), urgent, handler("cancelled"));
    settle(p.context);
    SHOW(p.b.cancel());
    run(p.context);
  }
  {
    tcp_pair p;
    p.b.set_option(net::socket_base::out_of_band_inline(true));
    p.a.send(net::buffer("a", 1));
    p.a.send(net::buffer("!", 1), urgent);
    await_data(p.b, POLLPRI);
    while (p.b.available() < 1)
      ;
    p.b.async_read_some(net::buffer(data), handler("before the mark"));
    run(p.context);
    BOTH(p.b, at_mark);
    p.b.async_read_some(net::buffer(data), handler("inline"));
    run(p.context);
    values("data", std::string_view(data, 1));
  }
}

// --- constructors

SCENARIO(constructors)
{
  net::io_context context;
  const auto ex = net::executor_on<net::any_io_executor>(context);
  tcp::socket a(context), b(ex), c(context, tcp::v4()), d(ex, tcp::v6()), e(context, loopback()),
      f(ex, loopback());
  values("open", a, b, c, d, e, f);
  values("bound", e.local_endpoint(), f.local_endpoint());
  tcp::socket g(context, tcp::v4(), c.release()), h(ex, tcp::v6(), d.release());
  values("open", c, g, d, h);
  call("bad descriptor", [&] { tcp::socket bad(context, tcp::v4(), -1); });
  call("address of nobody",
       [&] { tcp::socket bad(context, tcp::endpoint(net::ip::make_address("203.0.113.1"), 0)); });
  tcp::acceptor i(context), j(ex), k(context, tcp::v4()), l(ex, loopback()), m(context, loopback(), false);
  values("open", i, j, k, l, m);
  tcp::acceptor n(context, tcp::v4(), l.release());
  values("open", l, n);
  values("executors", a.get_executor() == ex, n.get_executor() == ex);
}

// --- <iostream>

SCENARIO(iostreams)
{
  net::io_context context;
  tcp::acceptor a(context, loopback());
  tcp::iostream client;
  client.connect(a.local_endpoint());
  values("connected", client.error(), bool(client));
  tcp::iostream server;
  a.accept(server.socket());
  client << "hello " << 42 << std::endl;
  std::string word;
  int number = 0;
  server >> word >> number;
  values("read", word, number);
  server.close();
  values("closed", server.error());
  values("end", client.get() == EOF, client.error());
  client.clear();
  client.close();
  client.connect(nobody());
  values("refused", client.error(), bool(client));
  client.clear();
  client.connect(a.local_endpoint());
  client.expires_after(std::chrono::milliseconds(10));
  values("expires", client.get() == EOF, client.error());
}
