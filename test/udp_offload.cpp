// test/udp_offload.cpp: datagrams that the kernel segments and joins.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "batch_fixture.hpp"
#include "child.hpp"
#include "crowded_receiver.hpp"

#include <ranges>
#include <sys/socket.h>
#include <sys/syscall.h>

using namespace test;
using asio_uring::segments;
using asio_uring::udp_gro;
using asio_uring::udp_segment;

namespace {

using udp_families = std::tuple<udp4, udp6, generic_udp>;

/// Whether the kernel has the option; prints a message if not.
template <class Option>
bool has(const char* name)
{
  asio::io_context context;
  udp::socket socket(context, udp::v4());
  Option option;
  error_code ec;
  socket.get_option(option, ec);
  if (ec) BOOST_TEST_MESSAGE("skipped: no " << name << " here: " << ec.message());
  return !ec;
}

/// Bytes that differ from their neighbours.
std::string varied_bytes(std::size_t size)
{
  std::string s;
  for (std::size_t i = 0; i != size; ++i)
    s += static_cast<char>('a' + i * 7 % 26);
  return s;
}

template <class Range>
std::vector<std::size_t> sizes(const Range& range)
{
  std::vector<std::size_t> all;
  for (const auto& buffer : range)
    all.push_back(buffer.size());
  return all;
}

using size_list = std::vector<std::size_t>;

/// Sends data in segments, and checks that it arrives as datagrams of that size. Returns 0 if all is right.
template <class Family>
int send_in_segments(std::size_t size, std::size_t segment_size)
{
  mail<Family> m;
  m.batch = receive_batch<typename Family::protocol>(8, 2000);
  const std::string data = varied_bytes(size);
  const std::array<asio::const_buffer, 4> parts = {asio::buffer(data, size / 3), asio::const_buffer(),
                                                   asio::buffer(data.data() + size / 3, 1),
                                                   asio::buffer(data) + (size / 3 + 1)};
  send_batch<typename Family::protocol> out;
  const auto to = m.receiver.local_endpoint();
  out.push_back(asio::buffer("first", 5), to, segment_size);
  out.push_back(parts, to, segment_size);
  out.push_back(asio::buffer("last", 4), to);
  outcome o;
  async_send_many(m.senders[0], out, o.record());
  std::vector<std::string> expected{"first"}, got;
  for (std::size_t i = 0; i < size; i += segment_size)
    expected.push_back(data.substr(i, segment_size));
  expected.push_back("last");
  while (got.size() < expected.size()) {
    outcome r;
    async_receive_many(m.receiver, m.batch, r.record());
    run_until(m.context, [&] { return r.done(); });
    if (!r.succeeded()) return 1;
    for (const auto& d : m.batch)
      got.push_back(m.data_of(d));
  }
  finish(m.context);
  if (!o.succeeded() || o.bytes != 3) return 2;
  return got == expected ? 0 : 3;
}

} // namespace

BOOST_AUTO_TEST_SUITE(udp_offload)

BOOST_AUTO_TEST_CASE(a_buffer_is_walked_by_segments)
{
  std::string data = varied_bytes(10);
  const auto all = asio::buffer(data);
  BOOST_TEST((sizes(segments(all, 4)) == size_list{4, 4, 2}));
  BOOST_TEST((sizes(segments(all, 5)) == size_list{5, 5}));
  BOOST_TEST((sizes(segments(all, 10)) == size_list{10}));
  BOOST_TEST((sizes(segments(all, 11)) == size_list{10}));
  BOOST_TEST((sizes(segments(all, 0)) == size_list{10}));
  BOOST_TEST((sizes(segments(asio::buffer(data, 0), 0)) == size_list{0}));
  BOOST_TEST((sizes(segments(asio::const_buffer(), 7)) == size_list{0}));
  BOOST_TEST(segments(all, 4).size() == 3u);
  std::string joined;
  for (const asio::const_buffer b : segments(asio::const_buffer(all), 3))
    joined.append(static_cast<const char*>(b.data()), b.size());
  BOOST_TEST(joined == data);
  static_assert(std::ranges::forward_range<decltype(segments(all, 4))>);
}

BOOST_AUTO_TEST_CASE(the_options_are_set_and_read)
{
  if (!has<udp_segment>("UDP_SEGMENT") || !has<udp_gro>("UDP_GRO")) return;
  mail<udp4> m;
  udp_segment segment;
  udp_gro gro;
  m.receiver.set_option(udp_segment(1200));
  m.receiver.get_option(segment);
  BOOST_TEST(segment.value() == 1200);
  segment = 0;
  m.receiver.set_option(segment);
  m.receiver.get_option(segment);
  BOOST_TEST(segment.value() == 0);
  m.receiver.get_option(gro);
  BOOST_TEST(!gro);
  m.receiver.set_option(gro = true);
  m.receiver.get_option(gro);
  BOOST_TEST(gro.value());
}

BOOST_AUTO_TEST_CASE(other_sockets_have_no_such_options)
{
  mail<unix_sockets> m;
  error_code ec;
  m.receiver.set_option(udp_segment(1200), ec);
  BOOST_TEST(ec);
  m.receiver.set_option(udp_gro(true), ec);
  BOOST_TEST(ec);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_message_with_a_segment_size_arrives_as_datagrams, Family, families)
{
  BOOST_TEST((send_in_segments<Family>(5000, 1000)) == 0);
  BOOST_TEST((send_in_segments<Family>(5001, 1000)) == 0);
  BOOST_TEST((send_in_segments<Family>(1000, 1000)) == 0);
  BOOST_TEST((send_in_segments<Family>(64 * 5, 5)) == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(where_the_kernel_makes_no_segments_each_is_sent_alone, Family, udp_families)
{
  BOOST_TEST(in_child([] {
               forbid(SYS_getsockopt, ENOPROTOOPT);
               return send_in_segments<Family>(4500, 1000);
             }) == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(where_the_way_takes_no_segments_each_is_sent_alone, Family, udp_families)
{
  BOOST_TEST(in_child([] {
               forbid(SYS_sendmmsg, EIO);
               asio::io_context context;
               mail<Family> m;
               send_batch<typename Family::protocol> out;
               const std::string data = varied_bytes(2500);
               out.push_back(asio::buffer(data), m.receiver.local_endpoint(), 1000);
               outcome o;
               async_send_many(m.senders[0], out, o.record());
               finish(m.context);
               const auto got = received_singly(m.receiver, 3);
               const std::vector<std::string> expected = {data.substr(0, 1000), data.substr(1000, 1000),
                                                          data.substr(2000)};
               if (!o.succeeded() || o.bytes != 1) return 1;
               // The error of a datagram without segments is reported.
               out.clear();
               out.push_back(asio::buffer(data), m.receiver.local_endpoint());
               error_code ec;
               if (send_many(m.senders[0], out, ec) != 0 || ec.value() != EIO) return 2;
               return got == expected ? 0 : 3;
             }) == 0);
}

BOOST_AUTO_TEST_CASE(segments_wait_for_room_in_their_place)
{
  asio::io_context context;
  unix_datagram::socket from(context), to(context);
  asio::local::connect_pair(from, to);
  const std::string data = varied_bytes(300'000);
  send_batch<unix_datagram> out;
  out.push_back(asio::buffer(data), 500);
  outcome many, behind;
  async_send_many(from, out, many.record());
  from.async_send(asio::buffer("last", 4), behind.record());
  settle(context);
  BOOST_TEST(!many.done());
  receive_batch<unix_datagram> in(7, 1000);
  std::string got;
  while (got.size() < data.size() + 4) {
    outcome o;
    async_receive_many(to, in, o.record());
    run_until(context, [&] { return o.done(); });
    for (const auto& d : in)
      got += mail<unix_sockets>::data_of(d);
  }
  finish(context);
  CHECK_SUCCEEDED(many);
  BOOST_TEST(many.bytes == 1u);
  CHECK_SUCCEEDED(behind);
  BOOST_TEST(got == data + "last");
}

BOOST_AUTO_TEST_CASE(a_size_per_socket_cuts_what_has_none_of_its_own)
{
  if (!has<udp_segment>("UDP_SEGMENT")) return;
  mail<udp4> m;
  const std::string data = varied_bytes(1000);
  m.senders[0].set_option(udp_segment(400));
  send_batch<udp> out;
  out.push_back(asio::buffer(data), m.receiver.local_endpoint());
  out.push_back(asio::buffer(data), m.receiver.local_endpoint(), 700);
  BOOST_TEST(send_many(m.senders[0], out) == 2u);
  size_list got;
  for (const auto& s : received_singly(m.receiver, 5))
    got.push_back(s.size());
  BOOST_TEST((got == size_list{400, 400, 200, 700, 300}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_joined_tells_its_segments, Family, udp_families)
{
  if (!has<udp_segment>("UDP_SEGMENT") || !has<udp_gro>("UDP_GRO")) return;
  mail<Family> m;
  m.batch = receive_batch<typename Family::protocol>(4, 65535);
  m.receiver.set_option(udp_gro(true));
  m.receiver.set_option(asio::detail::socket_option::boolean<SOL_SOCKET, SO_TIMESTAMPNS>(true)); // told first
  const std::string data = varied_bytes(5500);
  m.send(1, "first"); // has fewer control messages than the datagram that follows in its place
  BOOST_REQUIRE(m.receive().succeeded());
  BOOST_TEST(m.batch[0].segment_size() == 0u);
  send_batch<typename Family::protocol> out;
  out.push_back(asio::buffer(data), m.receiver.local_endpoint(), 1000);
  out.push_back(asio::buffer("alone", 5), m.receiver.local_endpoint());
  BOOST_TEST(send_many(m.senders[1], out) == 2u);
  // Over loopback, what was sent as one piece arrives as one piece.
  for (std::size_t received = 0; received != 4;) {
    if (received == 2) BOOST_TEST(send_many(m.senders[1], out) == 2u); // received into the same memory
    BOOST_REQUIRE(m.receive().succeeded());
    for (const auto& d : m.batch) {
      BOOST_TEST((d.sender() == m.senders[1].local_endpoint()));
      if (received++ % 2 == 0) {
        BOOST_TEST(d.segment_size() == 1000u);
        BOOST_TEST((sizes(d.segments()) == size_list{1000, 1000, 1000, 1000, 1000, 500}));
        BOOST_TEST(m.data_of(d) == data);
      } else {
        BOOST_TEST(d.segment_size() == 0u);
        BOOST_TEST((sizes(d.segments()) == size_list{5}));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(none_is_received_ahead_where_datagrams_are_joined)
{
  if (!has<udp_gro>("UDP_GRO")) return;
  crowded_receiver<udp> c(300);
  c.warm_up();
  c.receiver.set_option(udp_gro(true));
  const auto before = asio_uring::statistics(c.context).read_ahead;
  c.receive_rest();
  BOOST_TEST(asio_uring::statistics(c.context).read_ahead == before);
}

BOOST_AUTO_TEST_SUITE_END()
