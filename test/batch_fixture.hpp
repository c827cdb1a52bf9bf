// test/batch_fixture.hpp: a receiver and several senders, for every kind of datagram.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_BATCH_FIXTURE_HPP
#define ASIO_URING_TEST_BATCH_FIXTURE_HPP

#include "fixture.hpp"

#include <asio_uring/asio_uring.hpp>
#include <deque>
#include <string>
#include <vector>

namespace test {

using asio_uring::async_receive_many;
using asio_uring::async_send_many;
using asio_uring::receive_batch;
using asio_uring::receive_many;
using asio_uring::send_batch;
using asio_uring::send_many;
using udp = asio::ip::udp;
using unix_datagram = asio::local::datagram_protocol;

// Families: a protocol, and names for its sockets.
struct udp4
{
  using protocol = udp;
  udp::endpoint name() { return {asio::ip::address_v4::loopback(), 0}; }
};
struct udp6
{
  using protocol = udp;
  udp::endpoint name() { return {asio::ip::address_v6::loopback(), 0}; }
};
struct unix_sockets
{
  using protocol = unix_datagram;
  std::deque<socket_path> paths;
  unix_datagram::endpoint name() { return paths.emplace_back().name; }
};
struct generic_udp
{
  using protocol = asio::generic::datagram_protocol;
  protocol::endpoint name() { return udp4().name(); }
};
using families = std::tuple<udp4, udp6, unix_sockets, generic_udp>;

template <class Family>
struct mail
{
  using protocol = typename Family::protocol;
  using endpoint = typename protocol::endpoint;
  using socket = typename protocol::socket;

  Family family;
  asio::io_context context;
  socket receiver = open();
  std::array<socket, 3> senders = {open(), open(), open()};
  receive_batch<protocol> batch{8, 100};

  socket open() { return make(family.name()); }
  socket make(const endpoint& name)
  {
    socket s(context, name.protocol());
    s.bind(name);
    return s;
  }
  static std::string text(std::size_t i) { return "datagram " + std::to_string(i); }
  void send(std::size_t sender, std::string_view what)
  {
    senders[sender].send_to(asio::buffer(what), receiver.local_endpoint());
  }
  /// Sends `count` texts, in turn from all senders.
  void send_texts(std::size_t first, std::size_t count)
  {
    for (std::size_t i = first; i < first + count; ++i)
      send(i % senders.size(), text(i));
  }
  /// Checks that the batch has text `first` and those that follow; returns how many.
  std::size_t check_texts(std::size_t first)
  {
    std::size_t i = first;
    for (const auto& d : batch) {
      BOOST_TEST(data_of(d) == text(i));
      BOOST_TEST((d.sender() == senders[i % senders.size()].local_endpoint()));
      BOOST_TEST(!d.truncated());
      BOOST_TEST(d.segment_size() == 0u);
      ++i;
    }
    BOOST_TEST(batch.size() == i - first);
    return i - first;
  }
  template <class Datagram>
  static std::string data_of(const Datagram& d)
  {
    return {static_cast<const char*>(d.data().data()), d.size()};
  }
  outcome receive()
  {
    outcome o;
    async_receive_many(receiver, batch, o.record());
    finish(context);
    BOOST_TEST(o.bytes == batch.size());
    return o;
  }
  void receive_texts(std::size_t first, std::size_t count)
  {
    for (const std::size_t end = first + count; first < end;) {
      const outcome o = receive();
      CHECK_SUCCEEDED(o);
      BOOST_REQUIRE(!batch.empty());
      first += check_texts(first);
      BOOST_REQUIRE(first <= end);
    }
  }
};

/// Receives `count` datagrams one by one, without batches.
template <class Socket>
std::vector<std::string> received_singly(Socket& socket, std::size_t count)
{
  std::vector<std::string> all;
  std::string data(70'000, '\0');
  while (all.size() < count && readable(socket))
    all.push_back(data.substr(0, socket.receive(asio::buffer(data))));
  return all;
}

} // namespace test

#endif // ASIO_URING_TEST_BATCH_FIXTURE_HPP
