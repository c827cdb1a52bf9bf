// buffer_rings.cpp: the buffers of streams: who gets one when they are short, and when they are given back.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "stream_fixture.hpp"
#include <deque>
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(buffer_rings)

BOOST_AUTO_TEST_CASE(a_program_that_lags_stops_its_peer)
{
  connection<> c;
  buffer_ring buffers(c.context, {.buffers = 256, .size = 4096});
  asio_uring::receive_stream received(c.server, buffers, {.high_water = 4, .low_water = 2});
  const pattern bytes;
  std::size_t sent = 0, got = 0;
  c.client.non_blocking(true);
  const auto send = [&] {
    for (;;) {
      error_code ec;
      sent += c.client.send(bytes.at(sent, 1 << 16), 0, ec);
      if (ec) return;
    }
  };
  const auto work = asio::make_work_guard(c.context);
  next_bytes next;
  received.async_next(next.record());
  for (int i = 0; i < 20; ++i) {
    send();
    settle(c.context);
  }
  BOOST_TEST(buffers.free_buffers() >= 40u); // some more may have been in flight when the kernel was told
  for (std::size_t before = ~std::size_t(0); got < sent || before != sent;) {
    before = sent;
    run_until(c.context, [&] { return next.ended.done(); });
    BOOST_REQUIRE(next.ended.succeeded());
    BOOST_REQUIRE(bytes.matches(got, next.data.text().data(), next.data.size()));
    got += next.data.size();
    BOOST_REQUIRE(buffers.free_buffers() >= 128u);
    if (sent < 50'000'000 / (slowness() * 4)) send();
    if (got == sent) break;
    next = {};
    received.async_next(next.record());
  }
  BOOST_TEST(got == sent);
}

BOOST_FIXTURE_TEST_CASE(without_a_free_buffer_streams_wait, streaming)
{
  std::vector<received_buffer> held;
  const pattern bytes;
  asio::write(client, bytes.at(0, 1000));
  for (int i = 0; i < 4; ++i) {
    next_bytes next;
    received.async_next(next.record());
    finish(context);
    BOOST_REQUIRE(next.ended.succeeded());
    held.push_back(std::move(next.data));
  }
  BOOST_TEST(buffers.free_buffers() == 0u);
  next_bytes fifth;
  received.async_next(fifth.record());
  settle(context);
  BOOST_TEST(sleeps(context));
  BOOST_TEST(!fifth.ended.done());
  BOOST_TEST(bytes.matches(0, held[0].text().data(), held[0].size()));
  // A buffer is given back in another thread while the loop sleeps.
  std::thread other([&] {
    std::this_thread::sleep_for(20ms);
    held.erase(held.begin());
  });
  finish(context);
  other.join();
  BOOST_TEST(bytes.matches(256, fifth.data.text().data(), fifth.data.size()));
  // The socket is closed while it waits for a buffer.
  next_bytes closed;
  received.async_next(closed.record());
  settle(context);
  server.close();
  finish(context);
  CHECK_FAILED(closed.ended, asio::error::operation_aborted);
  held.clear();
  fifth.data.release();
  turn();
  BOOST_TEST(buffers.free_buffers() == 4u);
}

BOOST_FIXTURE_TEST_CASE(streams_share_the_buffers_fairly, streaming)
{
  constexpr std::size_t streams = 12, size = 3000;
  const pattern bytes;
  std::vector<pair<>> pairs;
  std::vector<std::size_t> got(streams);
  std::size_t least_when_first_ended = size;
  std::deque<received_buffer> held; // always at least one
  for (std::size_t i = 0; i < streams; ++i) {
    pairs.emplace_back(context);
    asio::write(pairs.back().client, bytes.at(0, size));
  }
  for (std::size_t i = 0; i < streams; ++i)
    asio::co_spawn(
        context,
        [&, i]() -> asio::awaitable<void> {
          asio_uring::receive_stream stream(pairs[i].server, buffers, {.high_water = 2, .low_water = 1});
          while (got[i] < size) {
            received_buffer data = co_await stream.async_next(asio::use_awaitable);
            if (!bytes.matches(got[i], data.text().data(), data.size())) co_return;
            got[i] += data.size();
            held.push_back(std::move(data));
            if (held.size() > 2) held.pop_front();
          }
          least_when_first_ended =
              std::min(least_when_first_ended, *std::min_element(got.begin(), got.end()));
        },
        asio::detached);
  finish(context);
  for (const std::size_t n : got)
    BOOST_TEST(n == size);
  BOOST_TEST(least_when_first_ended > 0u);
}

BOOST_AUTO_TEST_CASE(a_ring_of_buffers_grows_to_its_limit)
{
  connection<> c;
  buffer_ring buffers(c.context, {.buffers = 1, .size = 64, .max_buffers = 3});
  asio_uring::receive_stream received(c.server, buffers);
  write_text(c.client, std::string(1000, 'x'));
  std::vector<received_buffer> held;
  while (held.size() < 3) {
    next_bytes next;
    received.async_next(next.record());
    finish(c.context);
    BOOST_REQUIRE(next.ended.succeeded());
    held.push_back(std::move(next.data));
  }
  BOOST_TEST(buffers.buffers() == 3u);
  next_bytes none;
  received.async_next(none.record());
  settle(c.context);
  BOOST_TEST(!none.ended.done());
  held.clear();
  finish(c.context);
  CHECK_SUCCEEDED(none.ended);
}

BOOST_AUTO_TEST_CASE(rings_of_buffers_come_and_go)
{
  connection<> c;
  for (int i = 0; i < 20; ++i) {
    buffer_ring buffers(c.context, {.buffers = 2, .size = 64});
    buffer_ring beside(c.context, {.buffers = 2, .size = 64});
    asio_uring::receive_stream received(c.server, i % 2 ? buffers : beside);
    next_bytes next;
    received.async_next(next.record());
    write_text(c.client, "text");
    finish(c.context);
    BOOST_TEST(next.data.text() == "text");
    char byte;
    c.client.send(asio::buffer("x", 1));
    asio::read(c.server, asio::buffer(&byte, 1));
  }
}

BOOST_FIXTURE_TEST_CASE(parts_of_a_buffer_give_it_back_together, streaming)
{
  write_text(client, "one two three");
  next_bytes next;
  received.async_next(next.record());
  finish(context);
  received_buffer rest = std::move(next.data), one = rest.split(3);
  rest.remove_prefix(1);
  received_buffer two = rest.split(3);
  rest.remove_prefix(1);
  rest.remove_suffix(2);
  BOOST_TEST(one.text() == "one");
  BOOST_TEST(two.text() == "two");
  BOOST_TEST(rest.text() == "thr");
  BOOST_TEST(asio::buffer(two).size() == 3u);
  turn();
  BOOST_TEST(buffers.free_buffers() == 3u);
  two.release();
  rest = received_buffer();
  BOOST_TEST(two.empty());
  BOOST_TEST(buffers.free_buffers() == 3u);
  std::thread([part = std::move(one)]() mutable { part.release(); }).join();
  BOOST_TEST(buffers.free_buffers() == 4u);
  rest.remove_prefix(100);
  rest.remove_suffix(100);
  BOOST_TEST(rest.split(5).empty());
}

BOOST_AUTO_TEST_CASE(values_out_of_range_are_named)
{
  asio::io_context context;
  const auto names = [](const char* what) {
    return [what](const std::invalid_argument& e) {
      return std::string(e.what()).find(what) != std::string::npos;
    };
  };
  BOOST_CHECK_EXCEPTION(buffer_ring(context, {.buffers = 0}), std::invalid_argument, names("::buffers = 0"));
  BOOST_CHECK_EXCEPTION(buffer_ring(context, {.buffers = 40000}), std::invalid_argument, names("1 to 32768"));
  BOOST_CHECK_EXCEPTION(buffer_ring(context, {.size = 63}), std::invalid_argument, names("::size = 63"));
  BOOST_CHECK_EXCEPTION(buffer_ring(context, {.buffers = 4, .max_buffers = 3}), std::invalid_argument,
                        names("::max_buffers = 3"));
}

BOOST_AUTO_TEST_SUITE_END()
