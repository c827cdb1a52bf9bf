// test/conformance/tcp.cpp: acceptors, connecting, urgent data, resets; streams of <iostream>.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "basic_socket.hpp"
#include <netinet/tcp.h>

using net::ip::tcp;

static tcp::endpoint loopback(unsigned short port = 0) { return {net::ip::address_v4::loopback(), port}; }

/// A port that nobody listens on.
static tcp::endpoint nobody()
{
  net::io_context context;
  tcp::socket s(context, loopback());
  return s.local_endpoint();
}

// --- acceptors

template <typename Acceptor>
static void acceptor_state(Acceptor& a)
{
  SHOW(a.is_open());
  SHOW(a.native_handle() == -1);
  BOTH(a, local_endpoint);
  SHOW(a.non_blocking());
  SHOW(a.native_non_blocking());
  BOTH(a, native_non_blocking, true);
  SHOW(a.native_non_blocking());
  BOTH(a, non_blocking, true);
  SHOW(a.non_blocking());
  BOTH(a, native_non_blocking, false);
  BOTH(a, non_blocking, false);
  SHOW(a.native_non_blocking());
  net::socket_base::bytes_readable readable;
  BOTH(a, io_control, readable);
}

SCENARIO(acceptor_closed)
{
  net::io_context context;
  tcp::acceptor a(context);
  tcp::socket peer(context);
  tcp::endpoint from;
  acceptor_state(a);
  option(a, "reuse_address", net::socket_base::reuse_address(true));
  option(a, "enable_connection_aborted", net::socket_base::enable_connection_aborted(true));
  BOTH(a, bind, loopback());
  BOTH(a, listen, 5);
  BOTH(a, cancel);
  BOTH(a, release);
  BOTH(a, wait, net::socket_base::wait_read);
  BOTH(a, accept, peer);
  BOTH(a, accept, peer, from);
  BOTH(a, accept);
  BOTH(a, accept, from);
  BOTH(a, accept, context);
  a.async_accept(peer, handler("into a socket"));
  run(context);
  a.async_accept(peer, from, handler("into a socket, with endpoint"));
  run(context);
  a.async_accept(handler("moving"));
  run(context);
  a.async_accept(from, handler("moving, with endpoint"));
  run(context);
  a.async_wait(net::socket_base::wait_read, handler("wait"));
  run(context);
  BOTH(a, close);
  BOTH(a, assign, tcp::v4(), -1);
}

SCENARIO(acceptor_open)
{
  net::io_context context;
  tcp::acceptor a(context);
  BOTH(a, open, tcp::v4());
  option(a, "reuse_address", net::socket_base::reuse_address(true));
  option(a, "enable_connection_aborted", net::socket_base::enable_connection_aborted(true));
  option(a, "keep_alive", net::socket_base::keep_alive(true));
  tcp::socket peer(context);
  BOTH(a, accept, peer); // not listening
  a.async_accept(peer, handler("not listening"));
  run(context);
  SHOW(a.bind(loopback()));
  BOTH(a, bind, loopback());
  acceptor_state(a);
  BOTH(a, listen, 5);
  SHOW(a.non_blocking(true));
  BOTH(a, accept, peer);
  BOTH(a, accept);
  BOTH(a, wait, net::socket_base::wait_read);
  SHOW(a.non_blocking(false));
  const int fd = a.release();
  SHOW(a.is_open());
  SHOW(a.assign(tcp::v4(), fd));
  BOTH(a, assign, tcp::v4(), fd);
  SHOW(a.close());
  BOTH(a, close);
  SHOW(a.open(tcp::v6()));
  option(a, "v6_only", net::ip::v6_only(true));
  tcp::acceptor constructed(context, loopback());
  tcp::acceptor in_use(context);
  in_use.open(tcp::v4());
  BOTH(in_use, bind, constructed.local_endpoint());
  call("constructor, port in use",
       [&] { tcp::acceptor again(context, constructed.local_endpoint(), false); });
  option(constructed, "max_listen", net::socket_base::reuse_address(true));
}

template <typename Socket>
static void accepted(const char* name, Socket& s)
{
  values(name, s.is_open());
  error_code ec;
  const auto peer = s.remote_endpoint(ec);
  values("peer", ec ? std::string("none") : peer.address().to_string());
  if (s.is_open()) {
    SHOW(s.non_blocking());
    SHOW(s.native_non_blocking());
  }
}

SCENARIO(accept_synchronously)
{
  net::io_context context, other;
  tcp::acceptor a(context, loopback());
  std::vector<tcp::socket> clients;
  const auto connect = [&] {
    auto& c = clients.emplace_back(context);
    c.connect(a.local_endpoint());
    return c.local_endpoint();
  };
  tcp::socket peer(context);
  tcp::endpoint from;
  error_code ec;
  connect();
  SHOW(a.accept(peer));
  accepted("into a socket", peer);
  connect();
  BOTH(a, accept, peer); // open already: the connection stays
  peer.close();
  SHOW(a.accept(peer, from));
  values("from", from == peer.remote_endpoint());
  accepted("with endpoint", peer);
  peer.close();
  connect();
  SHOW_EC(a, accept, peer);
  peer.close();
  connect();
  SHOW_EC(a, accept, peer, from);
  {
    connect();
    auto s = a.accept();
    accepted("moving", s);
    connect();
    auto t = a.accept(ec);
    accepted("moving ec", t);
    connect();
    auto u = a.accept(from);
    accepted("with endpoint", u);
    connect();
    auto v = a.accept(from, ec);
    values("from", from == v.remote_endpoint());
    connect();
    auto w = a.accept(other);
    accepted("other context", w);
    values("its context", &w.get_executor().context() == &other);
    connect();
    auto x = a.accept(other, ec);
    accepted("other context ec", x);
    connect();
    auto y = a.accept(other, from);
    accepted("other context, endpoint", y);
    connect();
    auto z = a.accept(other, from, ec);
    accepted("other context, endpoint ec", z);
    connect();
    auto on_strand = a.accept(net::strand_executor(net::executor_on<net::any_io_executor>(context)), ec);
    accepted("on a strand", on_strand);
  }
  net::generic::stream_protocol::socket generic(context);
  connect();
  SHOW(a.accept(generic));
  values("generic", generic);
  values("its endpoint", generic.remote_endpoint());
}

SCENARIO(accept_asynchronously)
{
  for (bool waiting : {true, false}) {
    values("connection first", waiting);
    net::io_context context, other;
    tcp::acceptor a(context, loopback());
    std::vector<tcp::socket> clients;
    const auto connect = [&] { clients.emplace_back(context).connect(a.local_endpoint()); };
    const auto start = [&](auto f) {
      if (waiting) connect();
      f();
      if (!waiting) {
        settle(context);
        connect();
      }
      run(context);
    };
    const auto moving = [](const char* name) {
      return [name](error_code ec, auto s) -> void {
        ++called;
        values(name, ec);
        accepted(name, s);
      };
    };
    tcp::socket peer(context);
    tcp::endpoint from;
    start([&] { a.async_accept(peer, handler("into a socket")); });
    accepted("peer", peer);
    a.async_accept(peer, handler("into an open socket"));
    run(context);
    peer.close();
    start([&] { a.async_accept(peer, from, handler("into a socket, with endpoint")); });
    values("from", from == peer.remote_endpoint());
    start([&] { a.async_accept(moving("moving")); });
    start([&] { a.async_accept(from, moving("moving, with endpoint")); });
    values("from", from == clients.back().local_endpoint());
    start([&] {
      a.async_accept(other, [&](error_code ec, auto s) -> void {
        ++called;
        values("to another context", ec, &s.get_executor().context() == &other);
        accepted("to another context", s);
      });
    });
    start([&] {
      a.async_accept(other, from, [&](error_code ec, auto s) -> void {
        ++called;
        values("to another context, with endpoint", ec, from == s.remote_endpoint());
      });
    });
    net::strand_executor strand(net::executor_on<net::any_io_executor>(context));
    start([&] { a.async_accept(strand, moving("on a strand")); });
    start([&] { a.async_accept(strand, from, moving("on a strand, with endpoint")); });
    net::generic::stream_protocol::socket generic(context);
    start([&] { a.async_accept(generic, handler("into a generic socket")); });
    values("generic", generic);
    tcp::socket busy(context);
    a.async_accept(busy, handler("into a socket that is opened meanwhile"));
    settle(context);
    SHOW(a.cancel());
    run(context);
    values("busy", busy);
  }
}

// The accepted socket works, whatever its executor.
SCENARIO(accepted_sockets_work)
{
  net::io_context context;
  tcp::acceptor a(context, loopback());
  static char data[8];
  const auto use = [&](auto& s, tcp::socket& client) {
    s.async_read_some(net::buffer(data), handler("read"));
    client.send(net::buffer("ab", 2));
    run(context);
    s.async_write_some(net::buffer("abc", 3), handler("write"));
    run(context);
    values("client", client.receive(net::buffer(data)));
    s.close();
    client.close();
  };
  using on_context = net::basic_stream_socket<boost::asio::ip::tcp, net::io_context::executor_type>;
  tcp::socket client(context), accepted(context);
  on_context accepted_on_context(context);
  client.connect(a.local_endpoint());
  a.async_accept(context, [&](error_code, on_context s) { accepted_on_context = std::move(s); });
  run_composed(context);
  use(accepted_on_context, client);
  client.connect(a.local_endpoint());
  a.async_accept([&](error_code, tcp::socket s) { accepted = std::move(s); });
  run_composed(context);
  use(accepted, client);
  client.connect(a.local_endpoint());
  on_context third = a.accept(context);
  use(third, client);
}

SCENARIO(acceptor_cancel)
{
  net::io_context context;
  tcp::acceptor a(context, loopback());
  tcp::socket s(context), t(context);
  BOTH(a, cancel);
  for (bool started : {false, true}) {
    a.async_accept(s, handler("accept 1"));
    a.async_accept(t, handler("accept 2"));
    if (started) settle(context);
    SHOW(a.cancel());
    run(context);
    a.async_accept([](error_code ec, tcp::socket peer) {
      ++called;
      values("-> moving", ec, peer.is_open());
    });
    if (started) settle(context);
    SHOW(a.cancel());
    run(context);
    a.async_wait(net::socket_base::wait_read, handler("wait"));
    if (started) settle(context);
    SHOW(a.cancel());
    run(context);
    using type = net::cancellation_type;
    for (auto [name, kind] : {std::pair("none", type::none), std::pair("terminal", type::terminal),
                              std::pair("partial", type::partial), std::pair("total", type::total)}) {
      net::cancellation_signal signal;
      a.async_accept(s, net::bind_cancellation_slot(signal.slot(), handler(name)));
      if (started) settle(context);
      signal.emit(kind);
      settle(context);
      SHOW(a.cancel());
      run(context);
    }
  }
  values("sockets", s, t);
  a.async_accept(s, handler("accept"));
  settle(context);
  SHOW(a.close());
  run(context);
}

SCENARIO(acceptor_move)
{
  net::io_context context;
  tcp::acceptor a(context, loopback());
  tcp::socket s(context), client(context);
  const auto endpoint = a.local_endpoint();
  a.async_accept(s, handler("accept"));
  settle(context);
  tcp::acceptor b(std::move(a));
  values("from, to", a, b);
  client.connect(endpoint);
  run(context);
  a = std::move(b);
  values("from, to", b, a);
  net::basic_socket_acceptor<tcp::socket::protocol_type, net::other_executor> c(
      net::executor_on<net::other_executor>(context));
  c.assign(tcp::v4(), a.release());
  s.close();
  c.async_accept(s, handler("accept of another executor"));
  settle(context);
  tcp::acceptor d(std::move(c));
  values("from, to", c, d);
  client.close();
  client.connect(endpoint);
  run(context);
}

SCENARIO(acceptor_wait)
{
  net::io_context context;
  tcp::acceptor a(context, loopback());
  tcp::socket client(context);
  a.async_wait(net::socket_base::wait_read, handler("wait"));
  settle(context);
  client.connect(a.local_endpoint());
  run(context);
  BOTH(a, wait, net::socket_base::wait_read);
  a.async_wait(net::socket_base::wait_read, handler("wait"));
  run(context);
  accepted("accepted", static_cast<const tcp::socket&>(a.accept()));
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
  outcome again; // to the kernel, the reactor's connection is not complete before somebody asks once more
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
  outcome accepted; // the kernel tells the reactor once more of the failed attempt
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
  // A listener that takes no more: connections to it stay pending.
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
    tcp_pair p; // with data unread, close() resets
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

// --- local acceptor

SCENARIO(local_acceptor)
{
  using local = net::local::stream_protocol;
  net::io_context context;
  local::acceptor a(context, local::endpoint("listener"));
  SHOW(a.local_endpoint());
  local::socket c(context), s(context);
  local::endpoint from("x");
  c.async_connect(a.local_endpoint(), handler("connect"));
  a.async_accept(s, from, [](error_code ec) { values("accept", ec); });
  run_composed(context);
  values("from", from);
  SHOW(c.remote_endpoint());
  SHOW(c.local_endpoint());
  SHOW(s.remote_endpoint());
  SHOW(s.local_endpoint());
  call("in use", [&] { local::acceptor again(context, local::endpoint("listener")); });
  local::socket d(context);
  d.open();
  d.bind(local::endpoint("client"));
  d.connect(a.local_endpoint());
  auto t = a.accept(from);
  values("from", from);
  SHOW(t.remote_endpoint());
  a.close();
  BOTH(c, connect, local::endpoint("listener"));
  local::socket e(context);
  BOTH(e, connect, local::endpoint("listener"));
  e.async_connect(local::endpoint("listener"), handler("nobody listens"));
  run(context);
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
