// streams_in_order.cpp: random programs of a stream and ordinary receives on one socket, cancelled at random.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "datagram_stream_fixture.hpp"
#include "stream_fixture.hpp"

using namespace test;

namespace {

/// A connection's bytes, received in any pieces.
struct byte_stream : streaming
{
  using stream_type = asio_uring::receive_stream<tcp>;
  using value_type = received_buffer;
  tcp::socket& socket = server;
  const pattern sent_bytes;
  std::size_t sent = 0, got = 0;
  std::mt19937 random{7};

  std::size_t room() { return 1 + random() % 100; }
  void send()
  {
    if (sent - got < 2000) sent += asio::write(client, sent_bytes.at(sent, 1 + random() % 200));
  }
  bool takes(std::string_view text)
  {
    const bool matches = sent_bytes.matches(got, text.data(), text.size());
    got += text.size();
    return matches;
  }
};

/// Datagrams of several senders, each received whole.
struct datagrams : receiving<>
{
  using stream_type = asio_uring::datagram_stream<udp>;
  using value_type = asio_uring::received_datagram<udp>;
  udp::socket& socket = receiver;
  std::size_t sent = 0, got = 0;
  std::mt19937 random{7};

  std::size_t room() { return 200; }
  void send()
  {
    for (int n = 0; n < 3 && sent - got < 60; ++n, ++sent)
      receiving<>::send(numbered(sent), static_cast<int>(sent % 3));
  }
  bool takes(std::string_view text) { return text == numbered(got++); }
};

template <class Kind>
struct program : Kind
{
  std::optional<typename Kind::stream_type> stream{std::in_place, this->socket, this->buffers};
  std::size_t waiting = 0;
  bool intact = true;
  std::deque<std::string> places;
  std::deque<typename Kind::value_type> held;
  asio::cancellation_signal signals[8];

  auto any_slot() { return signals[this->random() % 8].slot(); }
  void completed(error_code ec, std::string_view text)
  {
    --waiting;
    if (ec != asio::error::operation_aborted) intact = intact && !ec && this->takes(text);
  }
  void hold(typename Kind::value_type value)
  {
    if (held.size() < 2) held.push_back(std::move(value));
  }

  void ask_stream()
  {
    ++waiting;
    const auto handler = [this](error_code ec, typename Kind::value_type value) {
      completed(ec, value.text());
      hold(std::move(value));
    };
    stream->async_next(asio::bind_cancellation_slot(any_slot(), handler));
  }
  void ask_socket()
  {
    ++waiting;
    std::string& place = places.emplace_back(this->room(), '\0');
    const auto handler = [this, &place](error_code ec, std::size_t n) {
      completed(ec, std::string_view(place).substr(0, n));
    };
    this->socket.async_receive(asio::buffer(place), asio::bind_cancellation_slot(any_slot(), handler));
  }
  void receive()
  {
    std::string place(this->room(), '\0');
    place.resize(this->socket.receive(asio::buffer(place)));
    intact = intact && this->takes(place);
  }
  void try_next()
  {
    auto next = stream->try_next();
    if (!next) return;
    intact = intact && this->takes(next->text());
    hold(std::move(*next));
  }

  void step()
  {
    switch (this->random() % 11) {
    case 0:
    case 1:
      return ask_stream();
    case 2:
      return ask_socket();
    case 3:
      return signals[this->random() % 8].emit(asio::cancellation_type::total);
    case 4:
      if (this->random() % 4 == 0) this->socket.cancel();
      return;
    case 5:
      if (!held.empty()) held.pop_front();
      return;
    case 6:
      if (this->random() % 4 == 0) stream.emplace(this->socket, this->buffers);
      return;
    case 7:
      if (waiting == 0 && this->sent > this->got) receive();
      return;
    case 8:
      if (waiting == 0) try_next();
      return;
    default:
      return this->send();
    }
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(streams_in_order)

using kinds_of_streams = std::tuple<byte_stream, datagrams>;

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_is_lost_or_doubled_or_out_of_order, Kind, kinds_of_streams)
{
  program<Kind> p;
  for (int i = 0; i < rounds(4000); ++i) {
    p.step();
    if (p.random() % 3 == 0) p.context.poll_one();
    if (p.random() % 10 == 0) settle(p.context);
    BOOST_REQUIRE(p.intact);
  }
  p.socket.cancel();
  p.held.clear();
  finish(p.context);
  BOOST_TEST(p.waiting == 0u);
  while (p.got < p.sent) {
    p.receive();
    BOOST_REQUIRE(p.intact);
  }
  BOOST_TEST(p.buffers.free_buffers() == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
