// datagram_stream.cpp: datagrams that are received before they are asked for.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "crowded_receiver.hpp"
#include "file_fixture.hpp"
#include <asio_uring/datagram_stream.hpp>
#include <deque>
#include <functional>
#include <sys/ioctl.h>
#include <thread>

using namespace test;

namespace {

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

/// A receiver with a stream of few buffers, and some who send to it. A buffer has room for 100 bytes.
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
  /// Lets the loop do what can be done, though nobody waits for anything.
  void turn()
  {
    const auto work = asio::make_work_guard(context);
    for (int turns = 0; turns < 10; ++turns)
      settle(context);
  }
  /// The stream is asked once, and has received all that there is room for.
  void receive_ahead()
  {
    send("first");
    BOOST_REQUIRE(next_text() == "first");
    turn();
  }
};

/// The number that a datagram begins with, for those that are of different sizes.
std::string numbered(std::size_t i)
{
  std::string text = std::to_string(i) + ' ';
  text.resize(text.size() + i * 7 % 80, static_cast<char>('a' + i % 26));
  return text;
}

} // namespace

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

    // An ordinary receive gets the bytes alone.
    r.send("more");
    r.turn();
    BOOST_TEST(r.ordinary_text() == "more");
  }
  r.send("plain");
  BOOST_TEST(r.ordinary_text() == "plain"); // leaves that stream behind
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
  BOOST_TEST(open_descriptors() == before + 1); // the program's now
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

  // Where nobody asks, whoever receives next is told, after what came before.
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

// --- back to an ordinary socket

BOOST_AUTO_TEST_CASE_TEMPLATE(ordinary_receives_get_first_what_was_received_ahead, Kind, kinds)
{
  receiving<Kind> r;
  r.receive_ahead();
  for (std::size_t i = 1; i < 7; ++i)
    r.send(numbered(i), static_cast<int>(i % 3));
  r.turn();
  BOOST_TEST(r.receiver.available() == numbered(1).size());
  int waiting = 0;
  ::ioctl(r.receiver.native_handle(), FIONREAD, &waiting);
  BOOST_TEST(waiting == static_cast<int>(numbered(5).size())); // four fill the buffers
  std::string text(200, '\0');
  typename Kind::protocol::endpoint sender;
  const auto check = [&](std::size_t i, const outcome& o, bool from) {
    CHECK_SUCCEEDED(o);
    BOOST_TEST(text.substr(0, o.bytes) == numbered(i));
    if (from) BOOST_TEST((sender == r.senders[i % 3].local_endpoint()));
  };
  outcome peeked, first, second;
  r.receiver.async_receive_from(asio::buffer(text), sender, asio::socket_base::message_peek, peeked.record());
  finish(r.context);
  check(1, peeked, true);
  r.receiver.async_receive_from(asio::buffer(text), sender, first.record());
  finish(r.context);
  check(1, first, true);
  std::array<asio::mutable_buffer, 2> parts = {asio::buffer(text.data(), 3),
                                               asio::buffer(text.data() + 3, 190)};
  r.receiver.async_receive(parts, second.record());
  finish(r.context);
  check(2, second, false);
  BOOST_TEST(r.receiver.receive_from(asio::buffer(text), sender) == numbered(3).size());
  BOOST_TEST((sender == r.senders[0].local_endpoint()));
  BOOST_TEST(r.receiver.receive(asio::buffer(text)) == numbered(4).size());
  BOOST_TEST(r.ordinary_text() == numbered(5));
  BOOST_TEST(r.next_text() == numbered(6));
}

BOOST_FIXTURE_TEST_CASE(a_wait_knows_of_what_was_received_ahead, receiving<>)
{
  receive_ahead();
  send("text");
  turn();
  outcome waited;
  receiver.async_wait(asio::socket_base::wait_read, waited.record());
  finish(context);
  CHECK_SUCCEEDED(waited);
  receiver.wait(asio::socket_base::wait_read);
  BOOST_TEST(ordinary_text() == "text");
}

BOOST_FIXTURE_TEST_CASE(a_socket_is_not_released_while_something_is_left, receiving<>)
{
  receive_ahead();
  send("left");
  turn();
  error_code ec;
  BOOST_CHECK_EXCEPTION(receiver.release(), boost::system::system_error,
                        [](const auto& e) { return e.code() == asio::error::try_again; });
  BOOST_TEST(next_text() == "left");
  const int fd = receiver.release();
  send("past");
  char place[10];
  BOOST_TEST(::recv(fd, place, sizeof place, 0) == 4);
  ::close(fd);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_read_ahead_comes_first, Kind, crowded)
{
  crowded_receiver<Kind> c(300);
  buffer_ring buffers(c.context, {.buffers = 8, .size = 512});
  asio_uring::datagram_stream<Kind> stream(c.receiver, buffers);
  for (int round = 0; c.received + 40 < c.messages.size(); ++round) {
    c.receive_some(12);
    if (round == 0) c.check_ahead();
    for (int i = 0; i < 8; ++i) {
      next_datagram<Kind> next;
      stream.async_next(next.record());
      run_until(c.context, [&] { return next.ended.done(); });
      BOOST_REQUIRE(next.ended.succeeded());
      BOOST_TEST((next.data.sender() == c.sender_of(c.received)));
      std::memcpy(c.data.data(), next.data.text().data(), next.data.text().size());
      c.check(next.data.text().size());
    }
  }
  c.receive_rest();
}

BOOST_FIXTURE_TEST_CASE(receives_and_nexts_are_served_in_their_order_and_cancelled_ones_lose_nothing,
                        receiving<>)
{
  std::mt19937 random(7);
  std::size_t sent = 0, got = 0, waiting = 0;
  std::deque<std::string> places;
  std::deque<asio_uring::received_datagram<udp>> held;
  bool intact = true;
  const auto take = [&](error_code ec, std::string_view text) {
    --waiting;
    if (ec == asio::error::operation_aborted) return;
    intact = intact && !ec && text == numbered(got);
    ++got;
  };
  std::optional<asio_uring::datagram_stream<udp>> stream(std::in_place, receiver, buffers);
  asio::cancellation_signal signals[8];
  for (int i = 0; i < rounds(4000); ++i) {
    switch (random() % 10) {
    case 0:
    case 1:
      ++waiting;
      stream->async_next(asio::bind_cancellation_slot(
          signals[random() % 8].slot(), [&](error_code ec, asio_uring::received_datagram<udp> d) {
            take(ec, d.text());
            if (held.size() < 2) held.push_back(std::move(d));
          }));
      break;
    case 2: {
      std::string& place = places.emplace_back(200, '\0');
      ++waiting;
      receiver.async_receive(
          asio::buffer(place),
          asio::bind_cancellation_slot(signals[random() % 8].slot(), [&](error_code ec, std::size_t n) {
            take(ec, std::string_view(place).substr(0, n));
          }));
      break;
    }
    case 3:
      signals[random() % 8].emit(asio::cancellation_type::total);
      break;
    case 4:
      if (random() % 4 == 0) receiver.cancel();
      break;
    case 5:
      if (!held.empty()) held.pop_front();
      break;
    case 6:
      if (random() % 4 == 0) stream.emplace(receiver, buffers);
      break;
    case 7:
      if (waiting == 0 && sent > got) {
        std::string place(200, '\0');
        place.resize(receiver.receive(asio::buffer(place)));
        intact = intact && place == numbered(got++);
      }
      break;
    default:
      for (int n = 0; n < 3 && sent - got < 60; ++n, ++sent)
        send(numbered(sent), static_cast<int>(sent % 3));
    }
    if (random() % 3 == 0) context.poll_one();
    if (random() % 10 == 0) settle(context);
    BOOST_REQUIRE(intact);
  }
  receiver.cancel();
  held.clear();
  finish(context);
  BOOST_TEST(waiting == 0u);
  while (got < sent) {
    std::string place(200, '\0');
    place.resize(receiver.receive(asio::buffer(place)));
    BOOST_REQUIRE(place == numbered(got++));
  }
  BOOST_TEST(buffers.free_buffers() == 4u);
}

BOOST_FIXTURE_TEST_CASE(a_second_stream_has_to_use_the_same_buffers_in_the_same_way, receiving<>)
{
  buffer_ring others(context, {.buffers = 1}), small(context, {.buffers = 1, .size = 144});
  next_datagram<udp> waiting;
  received.async_next(waiting.record());
  settle(context);
  const auto refused = [&](const buffer_ring& b, std::size_t control_size) {
    asio_uring::datagram_stream stream(receiver, b, {.control_size = control_size});
    next_datagram<udp> next;
    stream.async_next(next.record());
    run_until(context, [&] { return next.ended.done(); });
    return next.ended.error;
  };
  // The end of such a stream ends what waits: so the first is asked anew.
  BOOST_TEST(refused(others, 0) == asio::error::already_started);
  BOOST_TEST(refused(buffers, 32) == asio::error::already_started);
  BOOST_TEST(refused(buffers, 100) == asio::error::invalid_argument);
  BOOST_TEST(refused(buffers, ~std::size_t(0)) == asio::error::invalid_argument);
  BOOST_TEST(refused(small, 0) == asio::error::invalid_argument);
  CHECK_FAILED(waiting.ended, asio::error::operation_aborted);
  send("text");
  BOOST_TEST(next_text() == "text");
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
  if (environment_says("ASIO_URING_PATH", "readiness")) return; // there calls take what is promised to others
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
    held.clear(); // all that there are come home at once
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

// --- the smallest, and other processes

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
  const pid_t writer = ::fork(); // one message for each
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
