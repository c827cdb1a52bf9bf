// datagram_stream.cpp: datagrams that are received before the program asks for them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "datagram_stream_fixture.hpp"
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(datagram_stream)

BOOST_AUTO_TEST_CASE_TEMPLATE(datagrams_come_in_order_with_their_senders, Kind, kinds)
{
  receiving<Kind> r;
  for (std::size_t sent = 0, got = 0; got < 300;) {
    for (; sent < 300 && sent < got + 8; ++sent)
      r.send(numbered(sent), static_cast<int>(sent % 3));
    const auto next = r.next();
    BOOST_REQUIRE(next.ended.succeeded());
    BOOST_TEST(next.data.text() == numbered(got));
    BOOST_TEST((next.data.sender() == r.senders[got % 3].local_endpoint()));
    BOOST_TEST(!next.data.truncated());
    ++got;
  }
  r.turn();
  BOOST_TEST(r.buffers.free_buffers() == 4u);
  BOOST_TEST(sleeps(r.context));
}

BOOST_FIXTURE_TEST_CASE(a_datagram_is_echoed_without_a_copy, receiving<>)
{
  send("echo", 2);
  auto d = next();
  receiver.async_send_to(asio::buffer(d.data), d.data.sender(), [](error_code, std::size_t) {});
  finish(context);
  std::string back(10, '\0');
  back.resize(senders[2].receive(asio::buffer(back)));
  BOOST_TEST(back == "echo");
  received_buffer payload = std::move(d.data).payload();
  BOOST_TEST(payload.text() == "echo");
  BOOST_TEST(d.data.text().empty());
  BOOST_TEST((d.data.sender() == udp::endpoint()));
  turn();
  BOOST_TEST(buffers.free_buffers() == 3u);
  payload.release();
  BOOST_TEST(buffers.free_buffers() == 4u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_datagram_is_cut_to_the_room_there_is, Kind, kinds)
{
  receiving<Kind> r;
  const std::string exact(r.room, 'x'), longer = exact + "y";
  r.send(exact);
  r.send(longer);
  r.send("short");
  const auto first = r.next(), second = r.next();
  BOOST_TEST(first.data.text() == exact);
  BOOST_TEST(!first.data.truncated());
  BOOST_TEST(second.data.text() == exact);
  BOOST_TEST(second.data.truncated());
  BOOST_TEST(r.next_text() == "short");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_empty_datagram_is_no_end, Kind, kinds)
{
  receiving<Kind> r;
  for (int i = 0; i < 5; ++i)
    r.send("", i % 3);
  for (int i = 0; i < 5; ++i) {
    const auto next = r.next();
    CHECK_SUCCEEDED(next.ended);
    BOOST_TEST(next.ended.bytes == 0u);
    BOOST_TEST((next.data.sender() == r.senders[i % 3].local_endpoint()));
  }
  r.send("text");
  BOOST_TEST(r.next_text() == "text");
}

BOOST_AUTO_TEST_CASE(a_sender_without_a_name_is_nobody)
{
  receiving<path> r;
  unix_datagram::socket nameless(r.context, unix_datagram());
  nameless.send_to(asio::buffer("text", 4), r.where);
  const auto next = r.next();
  BOOST_TEST(next.data.text() == "text");
  BOOST_TEST((next.data.sender() == unix_datagram::endpoint()));
}

// --- without waiting

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_there_is_had_without_waiting, Kind, kinds)
{
  receiving<Kind> r;
  BOOST_TEST(!r.received.try_next());
  r.send("first");
  BOOST_TEST(r.next_text() == "first");
  // More than there are buffers: each that is taken makes room for another.
  for (std::size_t sent = 0; sent != 8; ++sent)
    r.send(numbered(sent), static_cast<int>(sent % 3));
  for (std::size_t got = 0; got != 8;) {
    r.turn();
    while (auto next = r.received.try_next()) {
      BOOST_TEST(next->text() == numbered(got));
      BOOST_TEST((next->sender() == r.senders[got % 3].local_endpoint()));
      ++got;
    }
  }
  r.turn();
  BOOST_TEST(!r.received.try_next());
  BOOST_TEST(r.buffers.free_buffers() == 4u);
}

BOOST_FIXTURE_TEST_CASE(who_waits_comes_before_who_does_not, receiving<>)
{
  next_type waiting;
  received.async_next(waiting.record());
  settle(context);
  send("first");
  BOOST_TEST(!received.try_next());
  run_until(context, [&] { return waiting.ended.done(); });
  BOOST_TEST(waiting.data.text() == "first");
}

BOOST_FIXTURE_TEST_CASE(what_another_stream_has_received_is_not_had_without_waiting, receiving<>)
{
  receive_ahead();
  send("second");
  turn();
  asio_uring::datagram_stream other(receiver, buffers, {.control_size = 64});
  BOOST_TEST(!other.try_next());
  const auto second = received.try_next();
  BOOST_REQUIRE(second.has_value());
  BOOST_TEST(second->text() == "second");
}

// --- control messages

BOOST_AUTO_TEST_CASE(control_messages_come_with_their_datagram)
{
  receiving<> r;
  const int on = 1;
  ::setsockopt(r.receiver.native_handle(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  buffer_ring buffers(r.context, {.buffers = 4, .size = 512});
  {
    asio_uring::datagram_stream stream(r.receiver, buffers, {.control_size = 64});
    next_datagram<udp> next;
    stream.async_next(next.record());
    r.send("text");
    finish(r.context);
    BOOST_TEST(next.data.text() == "text");
    BOOST_TEST((next.data.sender() == r.senders[0].local_endpoint()));
    const asio::const_buffer control = next.data.control();
    BOOST_REQUIRE(control.size() >= CMSG_LEN(sizeof(in_pktinfo)));
    cmsghdr header;
    std::memcpy(&header, control.data(), sizeof header);
    BOOST_TEST(header.cmsg_level == IPPROTO_IP);
    BOOST_TEST(header.cmsg_type == IP_PKTINFO);
    in_pktinfo info;
    std::memcpy(&info, static_cast<const char*>(control.data()) + CMSG_LEN(0), sizeof info);
    BOOST_TEST(info.ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
    BOOST_TEST(!next.data.control_truncated());

    // An ordinary receive gets the bytes only.
    r.send("more");
    r.turn();
    BOOST_TEST(r.ordinary_text() == "more");
  }
  r.send("plain");
  BOOST_TEST(r.ordinary_text() == "plain"); // ends the stream's source
  r.send("other");
  const auto next = r.next();
  BOOST_TEST(next.data.text() == "other");
  BOOST_TEST(next.data.control().size() == 0u);
  BOOST_TEST(next.data.control_truncated());
}

BOOST_AUTO_TEST_CASE(descriptors_that_nobody_gets_are_closed)
{
  receiving<path> r;
  buffer_ring buffers(r.context, {.buffers = 4, .size = 512});
  const auto send_descriptor = [&] {
    char byte = 'x';
    iovec part{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr message{};
    message.msg_name = const_cast<void*>(static_cast<const void*>(r.where.data()));
    message.msg_namelen = static_cast<socklen_t>(r.where.size());
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr& header = *CMSG_FIRSTHDR(&message);
    header.cmsg_level = SOL_SOCKET;
    header.cmsg_type = SCM_RIGHTS;
    header.cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = r.senders[0].native_handle();
    std::memcpy(CMSG_DATA(&header), &fd, sizeof fd);
    BOOST_REQUIRE(::sendmsg(fd, &message, 0) == 1);
  };
  asio_uring::datagram_stream stream(r.receiver, buffers, {.control_size = 64});
  next_datagram<unix_datagram> next;
  stream.async_next(next.record());
  r.send("x");
  finish(r.context);
  const std::size_t before = open_descriptors();
  send_descriptor();
  send_descriptor();
  r.turn();
  BOOST_TEST(r.ordinary_text() == "x");
  BOOST_TEST(r.ordinary_text() == "x");
  BOOST_TEST(open_descriptors() == before);
  next = {};
  stream.async_next(next.record());
  send_descriptor();
  finish(r.context);
  BOOST_TEST(open_descriptors() == before + 1); // it belongs to the program now
  int fd;
  std::memcpy(&fd, static_cast<const char*>(next.data.control().data()) + CMSG_LEN(0), sizeof fd);
  BOOST_TEST(::close(fd) == 0);
  send_descriptor();
  r.turn();
  r.receiver.close();
  r.turn();
  BOOST_TEST(open_descriptors() == before - 1);
}

// --- ends

BOOST_FIXTURE_TEST_CASE(an_error_of_the_socket_is_told_once_and_the_stream_goes_on, receiving<>)
{
  const auto peer = senders[0].local_endpoint();
  receiver.connect(peer);
  senders[0].close();
  next_datagram<udp> waiting;
  received.async_next(waiting.record());
  settle(context);
  receiver.send(asio::buffer("x", 1));
  finish(context);
  CHECK_FAILED(waiting.ended, asio::error::connection_refused);
  udp::socket again(context, peer);
  next_datagram<udp> second;
  received.async_next(second.record());
  settle(context);
  BOOST_TEST(!second.ended.done());
  again.send_to(asio::buffer("here", 4), where);
  finish(context);
  BOOST_TEST(second.data.text() == "here");

  // If no operation waits, the next receive gets the error, after the datagrams that came before it.
  again.send_to(asio::buffer("last", 4), where);
  turn();
  again.close();
  receiver.send(asio::buffer("x", 1));
  turn();
  BOOST_TEST(next_text() == "last");
  BOOST_TEST(ordinary_text() == "Connection refused");
}

BOOST_FIXTURE_TEST_CASE(a_closed_sockets_buffers_come_home, receiving<>)
{
  send("held");
  auto held = next();
  next_datagram<udp> waiting, closed;
  received.async_next(waiting.record());
  settle(context);
  receiver.close();
  finish(context);
  CHECK_FAILED(waiting.ended, asio::error::operation_aborted);
  turn();
  BOOST_TEST(buffers.free_buffers() == 3u);
  BOOST_TEST(held.data.text() == "held");
  held.data.release();
  BOOST_TEST(buffers.free_buffers() == 4u);
  received.async_next(closed.record());
  finish(context);
  CHECK_FAILED(closed.ended, asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(what_was_received_outlives_context_and_ring)
{
  asio_uring::received_datagram<udp> kept;
  udp::endpoint sender;
  {
    receiving<> r;
    r.send("kept");
    kept = r.next().data;
    sender = r.senders[0].local_endpoint();
    r.send("left");
    r.received.async_next([](error_code, auto) {});
    settle(r.context);
  }
  BOOST_TEST(kept.text() == "kept");
  BOOST_TEST((kept.sender() == sender));
}

// --- memory

BOOST_FIXTURE_TEST_CASE(without_a_free_buffer_the_stream_waits_and_loses_nothing, receiving<>)
{
  std::vector<next_datagram<udp>> held;
  for (std::size_t i = 0; i < 8; ++i)
    send(numbered(i));
  for (int i = 0; i < 4; ++i)
    held.push_back(next());
  BOOST_TEST(buffers.free_buffers() == 0u);
  next_datagram<udp> fifth;
  received.async_next(fifth.record());
  BOOST_TEST(sleeps(context));
  BOOST_TEST(!fifth.ended.done());
  std::thread([&] { held.erase(held.begin()); }).join();
  finish(context);
  BOOST_TEST(fifth.data.text() == numbered(4));
  held.clear();
  for (std::size_t i = 5; i < 8; ++i)
    BOOST_TEST(next_text() == numbered(i));
}

BOOST_FIXTURE_TEST_CASE(a_busy_socket_leaves_buffers_to_another, receiving<>)
{
  if (environment_says("ASIO_URING_PATH", "readiness")) return; // calls may take others' buffers
  buffer_ring two(context, {.buffers = 2, .size = 256});
  v4 name;
  udp::socket other(context, name.name);
  asio_uring::datagram_stream busy(receiver, two), quiet(other, two);
  std::vector<asio_uring::received_datagram<udp>> held;
  bool served = false;
  std::function<void()> ask = [&] {
    busy.async_next([&](error_code ec, asio_uring::received_datagram<udp> d) {
      if (ec) return;
      held.push_back(std::move(d));
      ask();
    });
  };
  for (std::size_t i = 0; i < 60; ++i)
    send(numbered(i));
  ask();
  run_until(context, [&] { return held.size() == 2; });
  senders[0].send_to(asio::buffer("quiet", 5), other.local_endpoint());
  quiet.async_next([&](error_code, asio_uring::received_datagram<udp> d) { served = d.text() == "quiet"; });
  for (int i = 0; i < 10 && !served; ++i) {
    turn();
    run_until(context, [&] { return !held.empty() || served; });
    held.clear(); // all buffers are given back at once
  }
  BOOST_TEST(served);
  ask = [] {};
  receiver.cancel();
  held.clear();
  finish(context);
}

BOOST_AUTO_TEST_CASE(a_program_that_lags_gets_all_that_the_socket_had_room_for)
{
  receiving<> r;
  buffer_ring buffers(r.context, {.buffers = 64, .size = 256});
  asio_uring::datagram_stream stream(r.receiver, buffers, {.high_water = 4, .low_water = 2});
  next_datagram<udp> next;
  stream.async_next(next.record());
  for (std::size_t i = 0; i < 100; ++i) {
    r.send(numbered(i), static_cast<int>(i % 3));
    if (i % 10 == 0) r.turn();
  }
  BOOST_TEST(buffers.free_buffers() > 0u);
  for (std::size_t i = 0; i < 100; ++i) {
    run_until(r.context, [&] { return next.ended.done(); });
    BOOST_REQUIRE(next.data.text() == numbered(i));
    next = {};
    if (i < 99) stream.async_next(next.record());
  }
}

// --- the smallest buffers, and other processes

BOOST_AUTO_TEST_CASE(the_smallest_rings_will_do)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.entries = 2, .completions = 4});
  buffer_ring buffers(context, {.buffers = 2, .size = 256});
  v4 names[5];
  udp::socket sender(context, names[4].name);
  std::vector<udp::socket> receivers;
  for (int i = 0; i < 4; ++i)
    receivers.emplace_back(context, names[i].name);
  for (std::size_t i = 0; i < 50; ++i)
    for (udp::socket& s : receivers)
      sender.send_to(asio::buffer(numbered(i)), s.local_endpoint());
  int right = 0;
  for (udp::socket& s : receivers)
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          asio_uring::datagram_stream stream(s, buffers);
          for (std::size_t i = 0; i < 50; ++i) {
            auto [ec, d] = co_await stream.async_next(aw);
            if (ec || d.text() != numbered(i)) co_return;
          }
          ++right;
        },
        asio::detached);
  finish(context);
  BOOST_TEST(right == 4);
}

BOOST_FIXTURE_TEST_CASE(both_processes_go_on_after_a_fork, receiving<>)
{
  receive_ahead();
  next_datagram<udp> waiting;
  received.async_next(waiting.record());
  settle(context);
  const pid_t writer = ::fork(); // one message for each process
  if (writer == 0)
    exit_with([&] {
      for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(20ms);
        ::sendto(senders[0].native_handle(), "x", 1, 0, where.data(), where.size());
      }
      return 0;
    });
  fork_and_finish(context, [&] { return waiting.ended.succeeded() && waiting.data.text() == "x"; });
  BOOST_TEST(exit_code_of(writer) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
