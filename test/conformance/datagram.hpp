// test/conformance/datagram.hpp: pairs of datagram sockets to compare.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_CONFORMANCE_DATAGRAM_HPP
#define ASIO_URING_TEST_CONFORMANCE_DATAGRAM_HPP

#include "basic_socket.hpp"
#include <unistd.h>

using net::ip::udp;

struct udp4
{
  static constexpr const char* name = "udp4";
  using socket = udp::socket;
  net::io_context context;
  socket a{context, udp::endpoint(net::ip::make_address("127.0.0.1"), 0)};
  socket b{context, udp::endpoint(net::ip::make_address("127.0.0.1"), 0)};
  static auto protocol() { return udp::v4(); }
};

struct udp6
{
  static constexpr const char* name = "udp6";
  using socket = udp::socket;
  net::io_context context;
  socket a{context, udp::endpoint(net::ip::make_address("::1"), 0)};
  socket b{context, udp::endpoint(net::ip::make_address("::1"), 0)};
  static auto protocol() { return udp::v6(); }
};

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

#endif // ASIO_URING_TEST_CONFORMANCE_DATAGRAM_HPP
