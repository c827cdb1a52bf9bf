// test/conformance/acceptors.cpp: acceptors of TCP and of UNIX sockets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "basic_socket.hpp"

using net::ip::tcp;

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
  BOTH(a, accept, peer); // already open: the connection stays in the queue
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
