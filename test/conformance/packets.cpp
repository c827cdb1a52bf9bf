// test/conformance/packets.cpp: raw sockets, sequenced packets, and pairs of UNIX sockets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "datagram.hpp"
#include <netinet/ip_icmp.h>

// --- raw sockets: if the process may not open one, the errors are compared

static std::vector<unsigned char> ping(unsigned short sequence)
{
  std::vector<unsigned char> packet(sizeof(icmphdr) + 8);
  auto& header = reinterpret_cast<icmphdr&>(packet[0]);
  header.type = ICMP_ECHO;
  header.un.echo.id = htons(4711);
  header.un.echo.sequence = htons(sequence);
  unsigned sum = 0;
  for (std::size_t i = 0; i < packet.size(); i += 2)
    sum += packet[i] | packet[i + 1] << 8;
  sum = (sum >> 16) + (sum & 0xffff);
  header.checksum = static_cast<unsigned short>(~(sum + (sum >> 16)));
  return packet;
}

template <typename Socket>
static void raw(net::io_context& context, Socket& s, const typename Socket::endpoint_type& self)
{
  // On the loopback interface, the request is received as well as the answer.
  const auto packet = ping(1);
  std::vector<unsigned char> in(256);
  typename Socket::endpoint_type from;
  const auto is_answer = [&](std::size_t n) {
    return n == 20 + packet.size() && in[20] == ICMP_ECHOREPLY && in[24] == 4711 / 256 &&
           in[25] == 4711 % 256;
  };
  for (int i = 0; i < 2; ++i) {
    s.async_send_to(net::buffer(packet), self, handler("send_to"));
    run(context);
    for (;;) {
      std::size_t n = 0;
      error_code ec;
      s.async_receive_from(net::buffer(in), from, [&](error_code e, std::size_t size) { ec = e, n = size; });
      run_composed(context);
      if (ec || is_answer(n)) {
        values("answer", ec, n);
        break;
      }
    }
    values("size of the sender", from.size());
  }
  s.async_receive(net::buffer(in), handler("cancelled"));
  settle(context);
  s.non_blocking(true);
  SHOW(s.cancel());
  run_composed(context);
  SHOW_EC(s, connect, self);
  s.async_send(net::buffer(packet), handler("send"));
  run(context);
}

SCENARIO(icmp)
{
  net::io_context context;
  net::ip::icmp::socket s(context);
  BOTH(s, open, net::ip::icmp::v4());
  values("open", s.is_open());
  if (!s.is_open()) return;
  state(s);
  options(s);
  raw(context, s, {net::ip::address_v4::loopback(), 0});
  s.close();
  open_and_close(s, net::ip::icmp::v6());
}

SCENARIO(icmp_closed)
{
  net::io_context context;
  net::ip::icmp::socket s(context);
  net::ip::icmp::endpoint e;
  struct t
  {
    using socket = net::ip::icmp::socket;
  };
  state(s);
  options(s);
  every_call<t>(s, e);
  every_operation<t>(context, s, e);
}

SCENARIO(generic_raw)
{
  net::io_context context;
  net::ip::icmp::socket icmp(context);
  net::generic::raw_protocol::socket s(context);
  const net::generic::raw_protocol protocol(AF_INET, IPPROTO_ICMP);
  BOTH(s, open, protocol);
  if (!s.is_open()) return;
  state(s);
  raw(context, s, net::ip::icmp::endpoint(net::ip::address_v4::loopback(), 0));
  icmp.open(net::ip::icmp::v4());
  net::generic::raw_protocol::socket moved(std::move(icmp));
  values("from, to", icmp, moved);
  raw(context, moved, net::ip::icmp::endpoint(net::ip::address_v4::loopback(), 0));
}

// --- sequenced packets

struct packet_pair
{
  using socket = net::generic::seq_packet_protocol::socket;
  net::io_context context;
  socket a{context}, b{context};
  packet_pair()
  {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0) return;
    a.assign(protocol(), fds[0]);
    b.assign(protocol(), fds[1]);
  }
  static net::generic::seq_packet_protocol protocol() { return {AF_UNIX, 0}; }
};

template <typename Socket>
static void packet_calls(Socket& s)
{
  char data[16] = {};
  net::socket_base::message_flags flags = 77;
  auto out = net::buffer("0123456789", 10);
  BOTH(s, send, out, 0);
  SHOW(s.receive(net::buffer(data, 4), flags));
  values("flags", flags);
  SHOW(s.receive(net::buffer(data, 4), 0, flags));
  values("flags", flags);
  SHOW_EC(s, receive, net::buffer(data), 0, flags);
  values("flags", flags);
}

template <typename Socket>
static void packet_operations(net::io_context& context, Socket& s)
{
  static char data[16];
  net::socket_base::message_flags flags = 77;
  const auto with_flags = [&](const char* name) {
    return [&flags, name](error_code ec, std::size_t n) {
      ++called;
      values(name, ec, n, flags);
      flags = 77;
    };
  };
  s.async_send(net::buffer("0123456789", 10), 0, handler("send"));
  run(context);
  s.async_receive(net::buffer(data), flags, with_flags("receive"));
  run(context);
  s.async_receive(net::buffer(data, 4), flags, with_flags("truncated"));
  run(context);
  s.async_receive(net::buffer(data), 0, flags, with_flags("receive flags"));
  run(context);
  s.async_receive(net::null_buffers(), flags, with_flags("null_buffers"));
  run(context);
  std::array<net::mutable_buffer, 2> two{net::buffer(data, 4), net::buffer(data + 4, 2)};
  s.async_receive(two, net::socket_base::message_peek, flags, with_flags("two, peek"));
  run(context);
  s.async_receive(two, flags, with_flags("two"));
  run(context);
}

SCENARIO(packets)
{
  packet_pair p;
  state(p.a);
  options(p.a);
  for (int i = 0; i < 20; ++i)
    p.b.send(net::buffer("0123456789", 10), 0);
  packet_calls(p.a);
  packet_operations(p.context, p.a);
  BOTH(p.a, wait, net::socket_base::wait_read);
  net::socket_base::message_flags flags = 0;
  static char data[16];
  p.b.async_send(net::buffer(data, 0), 0, handler("empty record"));
  run(p.context);
  packet_pair q;
  q.a.async_receive(net::buffer(data), flags, handler("receive 1"));
  q.a.async_receive(net::buffer(data), flags, handler("receive 2"));
  settle(q.context);
  SHOW(q.a.cancel());
  run(q.context);
  q.a.async_receive(net::buffer(data), flags, handler("receive of an empty record"));
  settle(q.context);
  q.b.send(net::buffer(data, 0), 0);
  run(q.context);
  q.b.send(net::buffer(data, 5), 0);
  q.a.async_receive(net::buffer(data, 0), flags, handler("into an empty buffer"));
  run(q.context);
  for (std::size_t count : {1, 2, 64, 65, 100}) {
    std::string out = letters(1300), in(1300, ' ');
    q.a.async_send(pieces(std::as_const(out), count), 0, handler("send pieces"));
    run(q.context);
    q.b.async_receive(pieces(in, count), flags, handler("receive pieces"));
    run(q.context);
    values("flags", flags);
  }
  q.a.async_receive(net::buffer(data), flags, handler("end"));
  settle(q.context);
  q.b.close();
  run(q.context);
  SHOW(q.a.receive(net::buffer(data), flags));
  q.a.async_send(net::buffer(data), 0, handler("broken pipe"));
  run(q.context);
}

SCENARIO(packets_closed)
{
  net::io_context context;
  packet_pair::socket s(context);
  state(s);
  packet_calls(s);
  packet_operations(context, s);
  open_and_close(s, packet_pair::protocol());
}

SCENARIO(packets_moved)
{
  packet_pair p;
  static char data[16];
  net::socket_base::message_flags flags = 0;
  p.a.async_receive(net::buffer(data), flags, handler("receive"));
  settle(p.context);
  packet_pair::socket moved(std::move(p.a));
  values("from, to", p.a, moved);
  p.b.send(net::buffer(data, 5), 0);
  run(p.context);
  moved.async_receive(net::buffer(data), flags, handler("closed"));
  settle(p.context);
  moved.close();
  run(p.context);
}

// --- pairs

SCENARIO(connect_pair)
{
  net::io_context context;
  net::local::stream_protocol::socket a(context), b(context);
  error_code ec;
  net::local::connect_pair(a, b, ec);
  values("streams", ec, a, b);
  call("again", [&] { net::local::connect_pair(a, b); });
  net::local::connect_pair(a, b, ec);
  values("again", ec);
  net::local::datagram_protocol::socket c(context), d(context);
  net::local::connect_pair(c, d);
  values("datagrams", c, d);
  static char data[8];
  d.async_receive(net::buffer(data), handler("receive"));
  settle(context);
  c.send(net::buffer("abc", 3));
  run(context);
  d.close();
  c.async_send(net::buffer("abc", 3), handler("send"));
  run(context);
}
