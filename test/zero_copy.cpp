// test/zero_copy.cpp: sends without a copy: what is sent, when they complete, how they end.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "zero_copy_fixture.hpp"

#include <asio_uring/within.hpp>
#include <sys/syscall.h>
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(zero_copy)

// --- what is sent

BOOST_FIXTURE_TEST_CASE(a_send_completes_with_its_size, slow_connection)
{
  outcome one, several;
  const std::string text = random_text(1000), more = random_text(500, 2);
  async_send_zero_copy(client, asio::buffer(text), one.record());
  finish(context);
  CHECK_SUCCEEDED(one);
  BOOST_TEST(one.bytes == 1000u);
  const std::vector<asio::const_buffer> both{asio::buffer(text), asio::const_buffer(), asio::buffer(more)};
  async_send_zero_copy(client, both, tcp::socket::message_flags(0), several.record());
  finish(context);
  CHECK_SUCCEEDED(several);
  BOOST_TEST(several.bytes == 1500u);
  BOOST_TEST((read_text(server, 2500) == text + text + more));
}

BOOST_AUTO_TEST_CASE(many_buffers_are_sent_in_parts_and_in_order)
{
  slow_connection c;
  const std::string text = random_text(3'000'000);
  std::mt19937 random(7);
  outcome written;
  const auto pieces = scattered<asio::const_buffer>(asio::buffer(text), 300, random);
  async_write_zero_copy(c.client, pieces, written.record());
  std::string got(text.size(), '\0');
  outcome read;
  asio::async_read(c.server, asio::buffer(got), read.record());
  finish(c.context);
  CHECK_SUCCEEDED(written);
  BOOST_TEST(written.bytes == text.size());
  CHECK_SUCCEEDED(read);
  BOOST_TEST((got == text));
  if (without_copy(c.context)) BOOST_TEST(c.counts().zero_copy > 3u);
}

BOOST_FIXTURE_TEST_CASE(a_large_write_to_a_slow_reader_arrives_whole, slow_connection)
{
  const std::string text = random_text(2'000'000);
  outcome written;
  async_write_zero_copy(client, asio::buffer(text), written.record());
  std::string got, part(10'000, '\0');
  std::function<void()> read = [&] {
    server.async_read_some(asio::buffer(part), [&](error_code ec, std::size_t n) {
      got.append(part, 0, n);
      if (!ec && got.size() < text.size()) asio::post(context, read);
    });
  };
  read();
  finish(context);
  CHECK_SUCCEEDED(written);
  BOOST_TEST(written.bytes == text.size());
  BOOST_TEST((got == text));
}

BOOST_FIXTURE_TEST_CASE(ordinary_sends_and_others_keep_their_order, slow_connection)
{
  std::string expected;
  std::list<std::string> texts;
  std::list<outcome> outcomes;
  for (unsigned i = 0; i != 60; ++i) {
    const std::string& text = texts.emplace_back(random_text(1 + i * 7, i));
    expected += text;
    if (i % 3 == 0)
      client.async_send(asio::buffer(text), outcomes.emplace_back().record());
    else if (i % 3 == 1)
      async_send_zero_copy(client, asio::buffer(text), outcomes.emplace_back().record());
    else
      async_write_zero_copy(client, std::array{asio::buffer(text), asio::buffer(text, 0)},
                            outcomes.emplace_back().record());
  }
  std::string got(expected.size(), '\0');
  outcome read;
  asio::async_read(server, asio::buffer(got), read.record());
  finish(context);
  for (const outcome& o : outcomes)
    CHECK_SUCCEEDED(o);
  BOOST_TEST((got == expected));
}

BOOST_AUTO_TEST_CASE(a_connected_datagram_socket_sends_datagrams)
{
  using udp = asio::ip::udp;
  asio::io_context context;
  asio_uring::use_io_uring(context, {.zero_copy_threshold = 1});
  const udp::endpoint anywhere(asio::ip::address_v4::loopback(), 0);
  udp::socket from(context, anywhere), to(context, anywhere);
  from.connect(to.local_endpoint());
  const std::string text = random_text(9000), little = "little";
  outcome one, two, too_large;
  async_send_zero_copy(from, asio::buffer(text), one.record());
  async_send_zero_copy(from, std::array{asio::buffer(little), asio::buffer(text, 10)}, two.record());
  const std::string large(70'000, 'x');
  async_send_zero_copy(from, asio::buffer(large), too_large.record());
  finish(context);
  CHECK_SUCCEEDED(one);
  BOOST_TEST(one.bytes == 9000u);
  CHECK_SUCCEEDED(two);
  BOOST_TEST(two.bytes == 16u);
  CHECK_FAILED(too_large, asio::error::message_size);
  std::string got(10'000, '\0');
  BOOST_TEST(to.receive(asio::buffer(got)) == 9000u);
  BOOST_TEST((got.substr(0, 9000) == text));
  BOOST_TEST(to.receive(asio::buffer(got)) == 16u);
  BOOST_TEST((got.substr(0, 16) == little + text.substr(0, 10)));
  if (without_copy(context)) BOOST_TEST(asio_uring::statistics(context).zero_copy > 0u);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_sent_at_once, slow_connection)
{
  outcome sent, written;
  async_send_zero_copy(client, asio::const_buffer(), sent.record());
  async_write_zero_copy(client, std::vector<asio::const_buffer>(), written.record());
  finish(context);
  CHECK_SUCCEEDED(sent);
  CHECK_SUCCEEDED(written);
  BOOST_TEST(counts().zero_copy == 0u);
}

BOOST_FIXTURE_TEST_CASE(every_token_goes, slow_connection)
{
  const std::string text = "text";
  std::size_t sent = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        sent += co_await async_send_zero_copy(client, asio::buffer(text), asio::use_awaitable);
        sent += co_await async_write_zero_copy(client, asio::buffer(text),
                                               asio_uring::within(60s, asio::use_awaitable));
        auto later = async_send_zero_copy(client, asio::buffer(text), asio::deferred);
        sent += co_await std::move(later)(asio::use_awaitable);
        auto [ec, n] = co_await async_write_zero_copy(client, asio::buffer(text), aw);
        sent += n;
      },
      asio::detached);
  finish(context);
  BOOST_TEST(sent == 16u);
}

// --- when it completes

BOOST_FIXTURE_TEST_CASE(the_next_send_does_not_wait_for_the_memory_of_the_one_before, held_send)
{
  const std::string next = "next", last = "last";
  outcome ordinary, other;
  client.async_send(asio::buffer(next), ordinary.record());
  async_send_zero_copy(client, asio::buffer(last), other.record());
  if (held) {
    run_until(context, [&] { return ordinary.done() && counts().zero_copy == 2; });
    BOOST_TEST(!sent.done());
    BOOST_TEST(!other.done());
  } else
    finish(context);
  BOOST_TEST((read_text(server, size + 8) == text + next + last));
  finish(context);
  check_sent();
  CHECK_SUCCEEDED(ordinary);
  CHECK_SUCCEEDED(other);
}

BOOST_FIXTURE_TEST_CASE(what_has_completed_may_be_overwritten, held_send)
{
  const std::string before = text;
  std::string got, part(1000, '\0');
  while (got.size() < size) {
    got.append(part, 0, server.read_some(asio::buffer(part)));
    context.restart();
    context.poll();
    if (sent.done()) std::fill(text.begin(), text.end(), '!');
  }
  finish(context);
  check_sent();
  BOOST_TEST((got == before));
}

// There is room for the second part when a third of the first has been acknowledged.
BOOST_FIXTURE_TEST_CASE(parts_of_a_write_do_not_wait_for_each_others_memory, slow_connection)
{
  if (!without_copy(context)) return;
  const std::string text = random_text(2'000'000);
  outcome written;
  async_write_zero_copy(client, asio::buffer(text), written.record());
  run_until_sent();
  std::string got;
  while (counts().zero_copy == 1) {
    got += read_text(server, 10'000);
    settle(context);
  }
  BOOST_TEST(counts().copied == 0u); // it would be counted with the notification of the first
  BOOST_TEST(!written.done());
  std::string rest(text.size() - got.size(), '\0');
  asio::async_read(server, asio::buffer(rest), [&](error_code, std::size_t n) { got.append(rest, 0, n); });
  finish(context);
  CHECK_SUCCEEDED(written);
  BOOST_TEST((got == text));
}

// --- what ends it

BOOST_FIXTURE_TEST_CASE(what_was_sent_before_it_was_cancelled_was_sent, held_send)
{
  client.cancel();
  context.restart();
  context.poll();
  BOOST_TEST(sent.calls == (held ? 0 : 1));
  BOOST_TEST((read_text(server, size) == text));
  finish(context);
  check_sent();
  // The socket can still be used.
  outcome again;
  async_send_zero_copy(client, asio::buffer(text, 10), again.record());
  finish(context);
  CHECK_SUCCEEDED(again);
}

BOOST_FIXTURE_TEST_CASE(what_was_sent_before_its_socket_was_closed_was_sent, held_send)
{
  client.close();
  context.restart();
  context.poll();
  BOOST_TEST(sent.calls == (held ? 0 : 1));
  BOOST_TEST((read_to_end(server) == text));
  finish(context);
  check_sent();
}

BOOST_FIXTURE_TEST_CASE(a_closed_socket_without_linger_gives_the_memory_back, held_send)
{
  client.set_option(tcp::socket::linger(true, 0));
  client.close();
  finish(context);
  check_sent();
}

BOOST_FIXTURE_TEST_CASE(a_write_that_waits_for_room_is_cancelled, slow_connection)
{
  const std::string text = random_text(5'000'000);
  outcome written;
  async_write_zero_copy(client, asio::buffer(text), written.record());
  settle(context);
  client.cancel();
  context.restart();
  context.poll();
  BOOST_TEST(written.calls == (without_copy(context) ? 0 : 1)); // the kernel holds a part of it
  client.shutdown(tcp::socket::shutdown_send);
  const std::string got = read_to_end(server);
  finish(context);
  CHECK_FAILED(written, asio::error::operation_aborted);
  BOOST_TEST(written.bytes > 0u);
  BOOST_TEST(written.bytes == got.size());
  BOOST_TEST((got == text.substr(0, got.size())));
}

BOOST_FIXTURE_TEST_CASE(sends_that_wait_for_their_turn_are_cancelled, held_send)
{
  if (!held) return;
  const std::string large = random_text(5'000'000);
  asio::cancellation_signal stop;
  outcome written, second, third, last;
  async_write_zero_copy(client, asio::buffer(large), written.record());
  async_send_zero_copy(client, asio::buffer(large),
                       asio::bind_cancellation_slot(stop.slot(), second.record()));
  client.async_send(asio::buffer(large), third.record());
  settle(context);
  stop.emit(asio::cancellation_type::total);
  context.poll();
  CHECK_FAILED(second, asio::error::operation_aborted);
  BOOST_TEST(third.calls == 0);
  client.cancel();
  async_send_zero_copy(client, asio::buffer(text, 4), last.record());
  const std::size_t whole = 5'300'004;
  std::string got(whole, '\0');
  error_code ec;
  outcome read;
  asio::async_read(server, asio::buffer(got), read.record());
  run_until(context, [&] { return last.done(); });
  client.close();
  finish(context);
  check_sent();
  CHECK_FAILED(written, asio::error::operation_aborted);
  CHECK_FAILED(third, asio::error::operation_aborted);
  CHECK_SUCCEEDED(last);
  BOOST_TEST(read.bytes == size + written.bytes + 4);
  BOOST_TEST((got.substr(0, read.bytes) == text + large.substr(0, written.bytes) + text.substr(0, 4)));
}

BOOST_FIXTURE_TEST_CASE(a_write_that_waits_for_room_ends_when_its_socket_is_closed, slow_connection)
{
  const std::string text = random_text(5'000'000);
  outcome written;
  async_write_zero_copy(client, asio::buffer(text), written.record());
  settle(context);
  client.close();
  const std::string got = read_to_end(server);
  finish(context);
  CHECK_FAILED(written, asio::error::operation_aborted);
  BOOST_TEST(written.bytes == got.size());
  BOOST_TEST((got == text.substr(0, got.size())));
}

BOOST_FIXTURE_TEST_CASE(a_write_is_ended_by_a_partial_cancellation_and_not_by_a_total_one, slow_connection)
{
  const std::string text = random_text(5'000'000);
  asio::cancellation_signal stop;
  outcome written;
  async_write_zero_copy(client, asio::buffer(text),
                        asio::bind_cancellation_slot(stop.slot(), written.record()));
  settle(context);
  stop.emit(asio::cancellation_type::total);
  std::string got(1'000'000, '\0');
  outcome read;
  asio::async_read(server, asio::buffer(got), read.record());
  run_until(context, [&] { return read.done(); });
  BOOST_TEST(!written.done());
  settle(context);
  stop.emit(asio::cancellation_type::partial);
  context.poll();
  client.shutdown(tcp::socket::shutdown_send);
  got += read_to_end(server);
  finish(context);
  CHECK_FAILED(written, asio::error::operation_aborted);
  BOOST_TEST(written.bytes == got.size());
}

BOOST_FIXTURE_TEST_CASE(errors_are_told, slow_connection)
{
  tcp::socket apart(context), closed(context);
  apart.open(tcp::v4());
  const std::string text = random_text(1000);
  outcome not_connected, not_open, broken, whole;
  async_send_zero_copy(apart, asio::buffer(text), not_connected.record());
  async_send_zero_copy(closed, asio::buffer(text), not_open.record());
  client.shutdown(tcp::socket::shutdown_send);
  async_send_zero_copy(client, asio::buffer(text), broken.record());
  async_write_zero_copy(client, std::array{asio::buffer(text), asio::buffer(text)}, whole.record());
  finish(context);
  BOOST_TEST(
      (not_connected.error == asio::error::not_connected || not_connected.error == asio::error::broken_pipe));
  CHECK_FAILED(not_open, asio::error::bad_descriptor);
  CHECK_FAILED(broken, asio::error::broken_pipe);
  CHECK_FAILED(whole, asio::error::broken_pipe);
  BOOST_TEST(whole.bytes == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_write_tells_what_it_has_sent_before_an_error, slow_connection)
{
  const std::string text = random_text(5'000'000);
  outcome written;
  async_write_zero_copy(client, asio::buffer(text), written.record());
  settle(context);
  server.set_option(tcp::socket::linger(true, 0));
  server.close();
  finish(context);
  BOOST_TEST(written.calls == 1);
  BOOST_TEST((written.error == asio::error::connection_reset || written.error == asio::error::broken_pipe));
  BOOST_TEST(written.bytes > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
