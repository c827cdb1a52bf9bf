// test/conformance/datagram.hpp: pairs of datagram sockets to compare.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_CONFORMANCE_DATAGRAM_HPP
#define ASIO_URING_TEST_CONFORMANCE_DATAGRAM_HPP

#include "basic_socket.hpp"
#include <unistd.h>

using net::ip::udp;

template <int Version> // of IP
struct udp_pair
{
  static constexpr bool is_v4 = Version == 4;
  static constexpr const char* name = is_v4 ? "udp4" : "udp6";
  using socket = udp::socket;
  net::io_context context;
  socket a{context, any_port()}, b{context, any_port()};
  static auto protocol() { return is_v4 ? udp::v4() : udp::v6(); }
  static udp::endpoint any_port() { return {net::ip::make_address(is_v4 ? "127.0.0.1" : "::1"), 0}; }
};
using udp4 = udp_pair<4>;
using udp6 = udp_pair<6>;

struct local_datagram
{
  static constexpr const char* name = "local";
  using socket = net::local::datagram_protocol::socket;
  using endpoint = net::local::datagram_protocol::endpoint;
  net::io_context context;
  socket a{context}, b{context};
  local_datagram()
  {
    for (auto [s, path] : {std::pair(&a, "datagrams a"), std::pair(&b, "datagrams b")}) {
      ::unlink(path);
      s->open();
      s->bind(endpoint(path));
    }
  }
  static auto protocol() { return net::local::datagram_protocol(); }
};

struct generic_datagram
{
  static constexpr const char* name = "generic";
  using socket = net::generic::datagram_protocol::socket;
  net::io_context context;
  socket a{context}, b{context};
  generic_datagram()
  {
    udp4 p;
    a.assign(protocol(), p.a.release());
    b.assign(protocol(), p.b.release());
  }
  static net::generic::datagram_protocol protocol() { return {AF_INET, IPPROTO_UDP}; }
};

#define DATAGRAMS udp4, udp6, local_datagram, generic_datagram

template <typename T>
using endpoint_of = typename T::socket::endpoint_type;

template <typename T>
void every_operation(net::io_context& context, typename T::socket& s, const endpoint_of<T>& peer)
{
  static char data[16];
  auto in = net::buffer(data);
  auto out = net::buffer("0123456789", 10);
  endpoint_of<T> from;
  s.async_send(out, handler("send"));
  run(context);
  s.async_send(out, 0, handler("send flags"));
  run(context);
  s.async_send_to(out, peer, handler("send_to"));
  run(context);
  s.async_send_to(out, peer, 0, handler("send_to flags"));
  run(context);
  s.async_receive(in, handler("receive"));
  run(context);
  s.async_receive(in, 0, handler("receive flags"));
  run(context);
  s.async_receive_from(in, from, handler("receive_from"));
  run(context);
  s.async_receive_from(in, from, 0, handler("receive_from flags"));
  run(context);
  s.async_receive(net::null_buffers(), handler("receive null_buffers"));
  run(context);
  s.async_receive_from(net::null_buffers(), from, handler("receive_from null_buffers"));
  run(context);
  s.async_send(net::null_buffers(), handler("send null_buffers"));
  run(context);
  s.async_send_to(net::null_buffers(), peer, handler("send_to null_buffers"));
  run(context);
}

template <typename T>
void every_call(typename T::socket& s, const endpoint_of<T>& peer)
{
  static char data[16];
  auto in = net::buffer(data);
  auto out = net::buffer("0123456789", 10);
  endpoint_of<T> from;
  SHOW(s.send(out));
  BOTH(s, send, out, 0);
  SHOW(s.send_to(out, peer));
  BOTH(s, send_to, out, peer, 0);
  SHOW(s.receive(in));
  BOTH(s, receive, in, 0);
  SHOW(s.receive_from(in, from));
  BOTH(s, receive_from, in, from, 0);
}

#endif // ASIO_URING_TEST_CONFORMANCE_DATAGRAM_HPP
