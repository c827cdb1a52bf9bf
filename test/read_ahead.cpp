// test/read_ahead.cpp: datagrams that are received ahead of the program's requests.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "crowded_receiver.hpp"

#include <atomic>
#include <functional>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>

using namespace test;
using unix_datagram = asio::local::datagram_protocol;
using protocols = std::tuple<udp, unix_datagram>;

namespace {

udp::endpoint loopback_udp() { return {asio::ip::address_v4::loopback(), 0}; }

} // namespace

BOOST_AUTO_TEST_SUITE(read_ahead)

BOOST_AUTO_TEST_CASE_TEMPLATE(datagrams_that_wait_arrive_once_in_order_with_their_senders, P, protocols)
{
  crowded_receiver<P> c(1000);
  c.receive_rest();
  c.check_ahead();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(receives_that_wait_together_are_served_in_order, P, protocols)
{
  crowded_receiver<P> c(400);
  c.warm_up();
  std::vector<std::string> data(388, std::string(100, '\0'));
  std::size_t next = c.received;
  const auto first = next;
  for (std::size_t i = 0; i < data.size(); ++i)
    c.receiver.async_receive(asio::buffer(data[i]), [&, i](error_code ec, std::size_t size) {
      BOOST_TEST(!ec);
      BOOST_TEST(first + i == next);
      BOOST_TEST(data[i].substr(0, size) == c.messages[next]);
      c.received = ++next;
      c.feed();
    });
  finish(c.context);
  BOOST_TEST(c.received == c.messages.size());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_datagram_is_cut_to_the_buffers_it_is_received_with, P, protocols)
{
  crowded_receiver<P> c;
  c.warm_up();
  for (int i = 0; i < 20; ++i) {
    outcome read;
    std::array<asio::mutable_buffer, 3> buffers = {asio::buffer(c.data.data(), 3),
                                                   asio::buffer(c.data.data() + 3, 0),
                                                   asio::buffer(c.data.data() + 3, 7)};
    c.receiver.async_receive_from(buffers, c.sender, read.record());
    finish(c.context);
    CHECK_SUCCEEDED(read);
    c.check_from(read.bytes, 10);
  }
  outcome none;
  c.receiver.async_receive_from(asio::mutable_buffer(), c.sender, none.record());
  finish(c.context);
  CHECK_SUCCEEDED(none);
  c.check_from(none.bytes, 0);
  c.receive_rest();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(long_and_empty_datagrams_arrive_whole, P, protocols)
{
  crowded_receiver<P> c;
  c.receiver.set_option(asio::socket_base::receive_buffer_size(4 << 20));
  for (auto& s : c.senders)
    s.set_option(asio::socket_base::send_buffer_size(4 << 20));
  for (std::size_t i = 40; i < c.messages.size(); ++i)
    c.messages[i] = i % 3 == 0 ? std::string() : i % 3 == 1 ? c.message(i, 60'000) : c.message(i, 2049);
  c.receive_rest();
  c.check_ahead();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(synchronous_functions_receive_them_first, P, protocols)
{
  crowded_receiver<P> c(200);
  c.warm_up();
  for (int round = 0; round < 10; ++round) {
    BOOST_TEST(c.receiver.available() == c.messages[c.received].size());
    asio::socket_base::bytes_readable readable;
    c.receiver.io_control(readable);
    BOOST_TEST(readable.get() == c.messages[c.received].size());
    c.receiver.wait(asio::socket_base::wait_read);

    auto size = c.receiver.receive_from(asio::buffer(c.data), c.sender, asio::socket_base::message_peek);
    BOOST_TEST(std::string_view(c.data.data(), size) == c.messages[c.received]);
    c.check_from(c.receiver.receive_from(asio::buffer(c.data), c.sender));
    c.check(c.receiver.receive(asio::buffer(c.data)));
    c.check(c.receiver.receive(asio::buffer(c.data, 5)), 5);
    size = c.receiver.receive(asio::buffer(c.data, 5), MSG_PEEK | MSG_TRUNC);
    BOOST_TEST(size == c.messages[c.received].size());
    c.receive_some(3);
  }
  c.receive_rest();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peek_leaves_them, P, protocols)
{
  crowded_receiver<P> c;
  c.warm_up();
  for (int i = 0; i < 5; ++i) {
    outcome peek;
    c.receiver.async_receive(asio::buffer(c.data), asio::socket_base::message_peek, peek.record());
    finish(c.context);
    CHECK_SUCCEEDED(peek);
    BOOST_TEST(std::string_view(c.data.data(), peek.bytes) == c.messages[c.received]);
  }
  c.receive_rest();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancelled_receives_lose_none, P, protocols)
{
  crowded_receiver<P> c(400);
  c.warm_up();
  for (int i = 0; c.received + 20 < c.messages.size(); ++i) {
    outcome read;
    c.receiver.async_receive_from(asio::buffer(c.data), c.sender, read.record());
    if (i % 2) c.receiver.cancel();
    if (i % 3 == 0) asio::post(c.context, [&] { c.receiver.cancel(); });
    finish(c.context);
    BOOST_TEST(read.calls == 1);
    if (read.error)
      BOOST_TEST(read.error == asio::error::operation_aborted);
    else
      c.check_from(read.bytes);
    c.receive_some(1);
  }
  c.receive_rest();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wait_for_data_ends_though_all_of_it_was_received_ahead, P, protocols)
{
  for (const bool first : {true, false}) {
    crowded_receiver<P> c(40);
    outcome wait;
    if (!first) c.receive_some(8);
    c.receiver.async_wait(asio::socket_base::wait_read, wait.record());
    if (first) c.receive(12); // while it waits
    finish(c.context);
    CHECK_SUCCEEDED(wait);
    outcome again;
    c.receiver.async_wait(asio::socket_base::wait_read, again.record());
    finish(c.context);
    CHECK_SUCCEEDED(again);
    outcome null;
    c.receiver.async_receive(asio::null_buffers(), null.record());
    finish(c.context);
    CHECK_SUCCEEDED(null);
    c.receive_rest();
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wait_that_was_started_before_ends, P, protocols)
{
  crowded_receiver<P> c(100);
  c.messages.resize(60);
  c.receive_rest();
  outcome wait;
  c.receiver.async_wait(asio::socket_base::wait_read, wait.record());
  c.receive(1);
  settle(c.context);
  BOOST_TEST(!wait.done());
  for (std::size_t i = 60; i < 64; ++i)
    c.messages.push_back(c.message(i, 30));
  c.feed();
  finish(c.context);
  CHECK_SUCCEEDED(wait);
  c.receive_rest();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_received_ahead_moves_with_the_socket, P, protocols)
{
  crowded_receiver<P> c(200);
  c.warm_up();
  auto moved = std::move(c.receiver);
  outcome read;
  moved.async_receive_from(asio::buffer(c.data), c.sender, read.record());
  finish(c.context);
  CHECK_SUCCEEDED(read);
  c.check_from(read.bytes);
  c.receiver = std::move(moved);
  c.receive_rest();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_next_socket_gets_nothing_of_a_closed_one, P, protocols)
{
  crowded_receiver<P> c(60);
  c.warm_up();
  c.receiver.close();
  c.receiver.open(c.where.protocol());
  BOOST_TEST(c.receiver.available() == 0);
  outcome read;
  c.receiver.async_receive(asio::buffer(c.data), read.record());
  settle(c.context);
  BOOST_TEST(!read.done());
  c.receiver.close();
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_receives_past_the_socket_object_misses_none, P, protocols)
{
  crowded_receiver<P> c(300);
  const int fd = c.receiver.native_handle();
  while (c.received < c.messages.size()) {
    c.receive_some(1);
    const ssize_t n = ::recv(fd, c.data.data(), c.data.size(), MSG_DONTWAIT);
    if (n >= 0) c.check(static_cast<std::size_t>(n));
  }
}

BOOST_AUTO_TEST_CASE(a_message_of_the_error_queue_is_not_taken_for_one_of_them)
{
  crowded_receiver<udp> c(60);
  c.warm_up();
  error_code ec;
  c.receiver.non_blocking(true);
  c.receiver.receive(asio::buffer(c.data), MSG_ERRQUEUE, ec);
  BOOST_TEST(ec == asio::error::would_block);
  outcome read;
  c.receiver.async_receive(asio::buffer(c.data), MSG_ERRQUEUE, read.record());
  settle(c.context);
  BOOST_TEST(!read.done());
  c.receiver.cancel();
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  c.receive_rest();
}

BOOST_AUTO_TEST_CASE(an_error_comes_in_its_place)
{
  asio::io_context context;
  udp::socket socket(context, loopback_udp()), peer(context, loopback_udp());
  socket.connect(peer.local_endpoint());
  peer.connect(socket.local_endpoint());
  std::string data(100, '\0');
  int received = 0;
  const auto receive = [&](error_code& ec) {
    outcome read;
    socket.async_receive(asio::buffer(data), read.record());
    finish(context);
    ec = read.error;
    received += !ec;
  };
  error_code ec;
  for (int i = 0; i < 40; ++i)
    peer.send(asio::buffer(std::to_string(i)));
  for (int i = 0; i < 20; ++i)
    receive(ec);
  peer.close();
  socket.send(asio::buffer("x", 1)); // the peer is gone
  while (received < 40) {
    receive(ec);
    if (ec) break;
  }
  if (!ec) receive(ec);
  BOOST_TEST(ec == asio::error::connection_refused);
  while (received < 40) {
    receive(ec);
    BOOST_REQUIRE(!ec);
  }
}

BOOST_AUTO_TEST_CASE(receivers_of_several_threads_get_each_once)
{
  asio::io_context context;
  udp::socket socket(context, loopback_udp()), sender(context, loopback_udp());
  sender.connect(socket.local_endpoint());
  const std::size_t count = rounds(5000);
  std::vector<std::atomic<int>> seen(count);
  std::atomic<std::size_t> received{0};
  std::size_t sent = 0;
  struct receiver
  {
    std::function<void(receiver&)> start;
    std::uint32_t number = 0;
  };
  auto strand = asio::make_strand(context); // the strand of the socket
  std::array<receiver, 8> receivers;
  for (auto& r : receivers)
    r.start = [&](receiver& self) {
      socket.async_receive(asio::buffer(&self.number, sizeof(self.number)),
                           asio::bind_executor(strand, [&](error_code ec, std::size_t) {
                             if (ec) return;
                             ++seen[self.number];
                             ++received;
                             self.start(self);
                           }));
    };
  for (auto& r : receivers)
    asio::post(strand, [&] { r.start(r); });
  auto work = asio::make_work_guard(context);
  std::thread threads[2];
  for (auto& t : threads)
    t = std::thread([&] { context.run(); });
  const auto limit = std::chrono::steady_clock::now() + 60s * slowness();
  for (; sent < count && std::chrono::steady_clock::now() < limit; std::this_thread::yield())
    for (; sent < count && sent < received + 50; ++sent) {
      const auto number = static_cast<std::uint32_t>(sent);
      sender.send(asio::buffer(&number, sizeof(number)));
    }
  while (received < count && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(1ms);
  asio::post(strand, [&] { socket.close(); });
  work.reset();
  for (auto& t : threads)
    t.join();
  BOOST_TEST(std::all_of(seen.begin(), seen.end(), [](const auto& n) { return n == 1; }));
}

#ifndef ASIO_URING_TEST_STOCK

BOOST_AUTO_TEST_CASE_TEMPLATE(a_socket_is_not_handed_on_without_what_was_received_ahead, P, protocols)
{
  crowded_receiver<P> c(40);
  c.warm_up();
  error_code ec;
  if (reads_ahead()) {
    c.receiver.release(ec);
    BOOST_TEST(ec == asio::error::try_again);
    BOOST_TEST(c.receiver.is_open());
  }
  c.receive_rest();
  const int fd = c.receiver.release(ec);
  BOOST_TEST(!ec);
  BOOST_TEST(::close(fd) == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_asks_for_the_number_ends_it_at_once, P, protocols)
{
  crowded_receiver<P> c(200);
  c.warm_up();
  c.receiver.native_handle();
  const auto before = asio_uring::statistics(c.context).read_ahead;
  c.receive_rest();
  BOOST_TEST(asio_uring::statistics(c.context).read_ahead == before);
}

BOOST_AUTO_TEST_CASE(none_is_received_ahead_where_the_option_forbids_it)
{
  asio::io_context refused;
  BOOST_CHECK_EXCEPTION(asio_uring::use_io_uring(refused, {.read_ahead = 65}), std::invalid_argument,
                        [](const std::invalid_argument& e) {
                          return std::string_view(e.what()).find("read_ahead = 65: allowed is 0 to 64") !=
                                 std::string_view::npos;
                        });
  crowded_receiver<udp> c(200, 30, {.read_ahead = 0});
  c.receive_rest();
  BOOST_TEST(asio_uring::statistics(c.context).read_ahead == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(where_the_call_for_several_is_forbidden_they_come_one_by_one, P, protocols)
{
  for (const int error : {EPERM, ENOSYS})
    BOOST_TEST(in_child([&] {
                 forbid(SYS_recvmmsg, error);
                 crowded_receiver<P> c(200);
                 c.receive_rest();
                 return asio_uring::statistics(c.context).read_ahead == 0 ? 0 : 1;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(only_so_many_sockets_have_memory_for_them)
{
  asio::io_context context;
  std::vector<udp::socket> sockets;
  udp::socket sender(context, loopback_udp());
  for (int i = 0; i < 80; ++i) {
    auto& s = sockets.emplace_back(context, loopback_udp());
    for (int n = 0; n < 20; ++n)
      sender.send_to(asio::buffer(&n, sizeof(n)), s.local_endpoint());
    for (int expected = 0; expected < 12; ++expected) {
      int n = -1;
      outcome read;
      s.async_receive(asio::buffer(&n, sizeof(n)), read.record());
      finish(context);
      BOOST_TEST(n == expected);
    }
  }
  const auto ahead = asio_uring::statistics(context).read_ahead;
  BOOST_TEST(ahead == (reads_ahead() ? 64 * 15 : 0));
}

#endif

BOOST_AUTO_TEST_SUITE_END()
