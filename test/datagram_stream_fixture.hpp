// test/datagram_stream_fixture.hpp: sockets of several kinds, with a datagram_stream.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_DATAGRAM_STREAM_FIXTURE_HPP
#define ASIO_URING_TEST_DATAGRAM_STREAM_FIXTURE_HPP

#include "crowded_receiver.hpp"
#include "file_fixture.hpp"
#include <asio_uring/datagram_stream.hpp>
#include <deque>
#include <functional>
#include <sys/ioctl.h>

namespace test {

using asio_uring::buffer_ring;
using asio_uring::received_buffer;
using unix_datagram = asio::local::datagram_protocol;

/// Kinds of sockets, with a name for each.
struct v4
{
  using protocol = udp;
  udp::endpoint name{asio::ip::address_v4::loopback(), 0};
};
struct v6
{
  using protocol = udp;
  udp::endpoint name{asio::ip::address_v6::loopback(), 0};
};
struct path
{
  using protocol = unix_datagram;
  socket_path unique;
  unix_datagram::endpoint name{unique.name};
};
struct generic_v4
{
  using protocol = asio::generic::datagram_protocol;
  protocol::endpoint name{udp::endpoint(asio::ip::address_v4::loopback(), 0)};
};
using kinds = std::tuple<v4, v6, path, generic_v4>;
using crowded = std::tuple<udp, unix_datagram>;

template <class Protocol>
struct next_datagram
{
  outcome ended;
  asio_uring::received_datagram<Protocol> data;
  auto record()
  {
    return [this](error_code ec, asio_uring::received_datagram<Protocol> d) {
      ended.record()(ec, d.payload().size());
      data = std::move(d);
    };
  }
};

/// A receiver with a stream of few buffers, each with room for 100 bytes, and several senders.
template <class Kind = v4>
struct receiving
{
  using protocol = typename Kind::protocol;
  using socket = typename protocol::socket;
  using next_type = next_datagram<protocol>;
  static constexpr std::size_t room = 100;

  asio::io_context context;
  Kind kinds[4];
  socket receiver{context, kinds[0].name};
  const typename protocol::endpoint where = receiver.local_endpoint();
  socket senders[3] = {{context, kinds[1].name}, {context, kinds[2].name}, {context, kinds[3].name}};
  buffer_ring buffers{context, {.buffers = 4, .size = 144 + room}};
  asio_uring::datagram_stream<protocol> received{receiver, buffers};

  void send(std::string_view text, int from = 0) { senders[from].send_to(asio::buffer(text), where); }
  next_type next()
  {
    next_type next;
    received.async_next(next.record());
    run_until(context, [&] { return next.ended.done(); });
    return next;
  }
  std::string next_text()
  {
    const next_type n = next();
    return n.ended.error ? n.ended.error.message() : std::string(n.data.text());
  }
  std::string ordinary_text()
  {
    outcome o;
    std::string text(200, '\0');
    receiver.async_receive(asio::buffer(text), o.record());
    run_until(context, [&] { return o.done(); });
    return o.error ? o.error.message() : text.substr(0, o.bytes);
  }
  /// Runs the loop until nothing more happens, though there may be no work.
  void turn()
  {
    const auto work = asio::make_work_guard(context);
    for (int turns = 0; turns < 10; ++turns)
      settle(context);
  }
  /// Asks the stream once, so that it receives all that there is room for.
  void receive_ahead()
  {
    send("first");
    BOOST_REQUIRE(next_text() == "first");
    turn();
  }
};

/// Returns the datagram number i: it begins with its number, and sizes differ.
inline std::string numbered(std::size_t i)
{
  std::string text = std::to_string(i) + ' ';
  text.resize(text.size() + i * 7 % 80, static_cast<char>('a' + i % 26));
  return text;
}

} // namespace test

#endif
