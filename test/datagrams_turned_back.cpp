// datagrams_turned_back.cpp: datagrams that a stream has received and left, and ordinary receives.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "datagram_stream_fixture.hpp"

using namespace test;

BOOST_AUTO_TEST_SUITE(datagrams_turned_back)

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
  // The end of a stream ends operations that wait, so the first is started again.
  BOOST_TEST(refused(others, 0) == asio::error::already_started);
  BOOST_TEST(refused(buffers, 32) == asio::error::already_started);
  BOOST_TEST(refused(buffers, 100) == asio::error::invalid_argument);
  BOOST_TEST(refused(buffers, ~std::size_t(0)) == asio::error::invalid_argument);
  BOOST_TEST(refused(small, 0) == asio::error::invalid_argument);
  CHECK_FAILED(waiting.ended, asio::error::operation_aborted);
  send("text");
  BOOST_TEST(next_text() == "text");
}

BOOST_AUTO_TEST_SUITE_END()
