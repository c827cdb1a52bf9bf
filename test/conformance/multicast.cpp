// test/conformance/multicast.cpp: broadcast and multicast.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "basic_socket.hpp"

using net::ip::udp;

SCENARIO(datagram_broadcast)
{
  net::io_context context;
  udp::socket receiver(context, udp::endpoint(net::ip::address_v4::any(), 0));
  udp::socket sender(context, udp::v4());
  const udp::endpoint everybody(net::ip::make_address("127.255.255.255"), receiver.local_endpoint().port());
  sender.async_send_to(net::buffer("x", 1), everybody, handler("not allowed"));
  run(context);
  SHOW_EC(sender, send_to, net::buffer("x", 1), everybody, 0);
  option(sender, "broadcast", net::socket_base::broadcast(true));
  sender.async_send_to(net::buffer("x", 1), everybody, handler("allowed"));
  run(context);
}

SCENARIO(datagram_multicast_4)
{
  namespace multicast = net::ip::multicast;
  net::io_context context;
  const auto group = net::ip::make_address("239.255.77.7");
  udp::socket receiver(context, udp::v4()), sender(context, udp::v4());
  receiver.set_option(net::socket_base::reuse_address(true));
  receiver.bind({net::ip::address_v4::any(), 0});
  const auto loopback = net::ip::address_v4::loopback();
  SHOW(receiver.set_option(multicast::join_group(group.to_v4(), loopback)));
  SHOW(receiver.set_option(multicast::join_group(group.to_v4(), loopback)));
  SHOW(sender.set_option(multicast::outbound_interface(loopback)));
  option(sender, "loopback", multicast::enable_loopback(true));
  option(sender, "hops", multicast::hops(3));
  option(sender, "unicast hops", net::ip::unicast::hops(44));
  static char data[8];
  udp::endpoint from;
  receiver.async_receive_from(net::buffer(data), from, handler("receive_from"));
  settle(context);
  sender.async_send_to(net::buffer("group", 5), udp::endpoint(group, receiver.local_endpoint().port()),
                       [](error_code ec, std::size_t n) { values("send_to", ec, n); });
  settle(context);
  await_data(sender, POLLOUT);
  run_composed(context);
  values("from", from);
  SHOW(receiver.set_option(multicast::leave_group(group.to_v4(), loopback)));
  SHOW(receiver.set_option(multicast::leave_group(group.to_v4(), loopback)));
}

SCENARIO(datagram_multicast_6)
{
  namespace multicast = net::ip::multicast;
  net::io_context context;
  const auto group = net::ip::make_address_v6("ff12::77:7");
  error_code ec;
  udp::socket receiver(context, udp::v6()), sender(context, udp::v6());
  receiver.bind({net::ip::address_v6::any(), 0});
  SHOW(receiver.set_option(multicast::join_group(group, 1)));
  SHOW(sender.set_option(multicast::outbound_interface(1)));
  option(sender, "loopback", multicast::enable_loopback(true));
  option(sender, "hops", multicast::hops(3));
  static char data[8];
  udp::endpoint from;
  receiver.async_receive_from(net::buffer(data), from, handler("receive_from"));
  settle(context);
  sender.async_send_to(net::buffer("group", 5), udp::endpoint(group, receiver.local_endpoint().port()),
                       [&](error_code e, std::size_t n) {
                         values("send_to", e, n);
                         if (e) receiver.cancel(); // no route on this machine
                       });
  run_composed(context);
  SHOW(receiver.set_option(multicast::leave_group(group, 1)));
}
