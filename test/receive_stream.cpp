// receive_stream.cpp: bytes that are received before the program asks for them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "stream_fixture.hpp"
#include <deque>
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(receive_stream)

BOOST_FIXTURE_TEST_CASE(a_stream_is_echoed_without_a_copy, streaming)
{
  const pattern bytes;
  constexpr std::size_t size = 300'000;
  bool ended = false;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        for (;;) {
          auto [ec, data] = co_await received.async_next(aw);
          if (ec) {
            BOOST_TEST(ec == asio::error::eof);
            break;
          }
          co_await asio::async_write(server, asio::buffer(data), asio::use_awaitable);
        }
        ended = true;
        server.shutdown(tcp::socket::shutdown_send);
      },
      asio::detached);
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        std::size_t sent = 0;
        while (sent < size)
          sent += co_await client.async_write_some(
              bytes.at(sent, std::min<std::size_t>(size - sent, 1 + sent % 777)), asio::use_awaitable);
        client.shutdown(tcp::socket::shutdown_send);
      },
      asio::detached);
  std::string back;
  asio::async_read(client, asio::dynamic_buffer(back), [](error_code, std::size_t) {});
  finish(context);
  BOOST_TEST(ended);
  BOOST_TEST(back.size() == size);
  BOOST_TEST(bytes.matches(0, back.data(), back.size()));
  BOOST_TEST(buffers.free_buffers() == 4u);
}

BOOST_FIXTURE_TEST_CASE(who_waits_holds_no_buffer, streaming)
{
  std::vector<pair<>> idle;
  std::vector<asio_uring::receive_stream<tcp>> streams;
  int ended = 0;
  for (int i = 0; i < 50; ++i)
    idle.emplace_back(context);
  for (pair<>& p : idle) {
    streams.emplace_back(p.server, buffers);
    streams.back().async_next([&](error_code ec, received_buffer) { ended += ec == asio::error::eof; });
  }
  settle(context);
  BOOST_TEST(buffers.free_buffers() == 4u);
  BOOST_TEST(sleeps(context));
  write_text(client, "hello");
  BOOST_TEST(next_text() == "hello"); // the fifty others still wait, and work
  idle.clear();
}

BOOST_FIXTURE_TEST_CASE(a_read_behind_a_cancelled_next_goes_on_though_no_buffer_is_free, streaming)
{
  std::vector<received_buffer> held;
  write_text(client, std::string(4 * 64 + 5, 'a'));
  while (held.size() < 4) {
    next_bytes next;
    received.async_next(next.record());
    run_until(context, [&] { return next.ended.done(); });
    held.push_back(std::move(next.data));
  }
  asio::cancellation_signal signal;
  next_bytes starving;
  outcome read;
  std::array<char, 64> data;
  received.async_next(asio::bind_cancellation_slot(signal.slot(), starving.record()));
  server.async_read_some(asio::buffer(data), read.record());
  turn();
  BOOST_TEST(!starving.ended.done());
  signal.emit(asio::cancellation_type::terminal);
  run_until(context, [&] { return read.done(); });
  BOOST_TEST(starving.ended.error == asio::error::operation_aborted);
  BOOST_TEST(read.bytes == 5u);
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_is_silent_keeps_no_buffer_from_the_others, streaming)
{
  std::vector<received_buffer> held;
  const auto hold_next = [&] {
    next_bytes next;
    received.async_next(next.record());
    run_until(context, [&] { return next.ended.done(); });
    held.push_back(std::move(next.data));
  };
  write_text(client, std::string(5 * 64, 'a'));
  for (int i = 0; i < 4; ++i)
    hold_next();
  pair<> silent(context);
  asio_uring::receive_stream<tcp> listening(silent.server, buffers);
  next_bytes nothing, next;
  received.async_next(next.record());
  turn(); // it finds no buffer
  listening.async_next(nothing.record());
  turn(); // it waits behind the other
  for (int i = 0; i < 3; ++i) {
    held.erase(held.begin());
    turn();
  }
  BOOST_TEST(next.ended.done());
  write_text(client, "b");
  hold_next();
  BOOST_TEST(!nothing.ended.done());
  silent.server.cancel();
  finish(context);
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_next_takes_nothing, streaming)
{
  std::mt19937 random(1);
  const pattern bytes;
  std::size_t sent = 0, got = 0;
  for (int i = 0; i < rounds(400); ++i) {
    asio::cancellation_signal signal;
    next_bytes first, second;
    received.async_next(asio::bind_cancellation_slot(signal.slot(), first.record()));
    received.async_next(second.record());
    if (random() % 2) settle(context);
    const std::size_t size = 1 + random() % 100;
    sent += asio::write(client, bytes.at(sent, size));
    if (random() % 2) signal.emit(asio::cancellation_type::total);
    if (random() % 2) settle(context);
    signal.emit(asio::cancellation_type::terminal);
    run_until(context, [&] { return first.ended.done(); });
    if (got + first.data.size() == sent) server.cancel(); // the second would wait for ever
    finish(context);
    for (next_bytes* next : {&first, &second}) {
      BOOST_REQUIRE((!next->ended.error || next->ended.error == asio::error::operation_aborted));
      BOOST_REQUIRE(bytes.matches(got, next->data.text().data(), next->data.size()));
      got += next->data.size();
    }
  }
  while (got < sent) {
    const std::string text = next_text();
    BOOST_REQUIRE(bytes.matches(got, text.data(), text.size()));
    got += text.size();
  }
  BOOST_TEST(got == sent);
}

// --- ends

BOOST_FIXTURE_TEST_CASE(the_end_is_told_after_the_bytes_and_again, streaming)
{
  write_text(client, "last");
  client.shutdown(tcp::socket::shutdown_send);
  BOOST_TEST(next_text() == "last");
  BOOST_TEST(next_text() == "End of file");
  BOOST_TEST(next_text() == "End of file");
  BOOST_TEST(sleeps(context));
}

BOOST_FIXTURE_TEST_CASE(a_reset_is_told, streaming)
{
  next_bytes next;
  received.async_next(next.record());
  settle(context);
  client.set_option(asio::socket_base::linger(true, 0));
  client.close();
  finish(context);
  CHECK_FAILED(next.ended, asio::error::connection_reset);
}

BOOST_FIXTURE_TEST_CASE(a_closed_sockets_buffers_come_home, streaming)
{
  next_bytes held, waiting, closed;
  received.async_next(held.record());
  write_text(client, "held");
  finish(context);
  received.async_next(waiting.record());
  settle(context);
  server.close();
  finish(context);
  CHECK_FAILED(waiting.ended, asio::error::operation_aborted);
  write_text(client, "lost");
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
  received_buffer kept;
  {
    streaming s;
    next_bytes next;
    s.received.async_next(next.record());
    write_text(s.client, "kept");
    finish(s.context);
    kept = std::move(next.data);
    write_text(s.client, "left");
    s.received.async_next([](error_code, received_buffer) {});
    settle(s.context);
  }
  BOOST_TEST(kept.text() == "kept");
  auto front = kept.split(2);
  BOOST_TEST(front.text() == "ke");
  BOOST_TEST(kept.text() == "pt");
}

// --- ordinary reads after a stream

BOOST_FIXTURE_TEST_CASE(an_ordinary_read_gets_first_what_was_received_ahead, streaming)
{
  const pattern bytes;
  constexpr std::size_t size = 1000;
  asio::write(client, bytes.at(0, size));
  const std::string first = next_text();
  turn(); // more is received
  std::string all = first, more(size - first.size() - 100, '\0');
  BOOST_TEST(server.available() == size - first.size());
  outcome o;
  asio::async_read(server, asio::buffer(more), o.record());
  finish(context);
  CHECK_SUCCEEDED(o);
  all += more;
  all += next_text();
  turn();
  // And a synchronous read.
  std::string rest(size - all.size(), '\0');
  asio::read(server, asio::buffer(rest));
  all += rest;
  BOOST_TEST(bytes.matches(0, all.data(), all.size()));
  write_text(client, "x");
  BOOST_TEST(next_text() == "x");
  client.close();
  outcome end;
  server.async_read_some(asio::buffer(rest), end.record());
  finish(context);
  CHECK_FAILED(end, asio::error::eof);
}

BOOST_FIXTURE_TEST_CASE(a_socket_is_not_released_while_something_is_left, streaming)
{
  write_text(client, std::string(100, 'x'));
  BOOST_TEST(next_text().size() == 64u);
  turn();
  error_code ec;
  server.release(ec);
  BOOST_TEST(ec == asio::error::try_again);
  std::string rest(36, '\0');
  asio::read(server, asio::buffer(rest));
  const asio_uring::unique_descriptor released(server.release(ec));
  BOOST_TEST(!ec);
}

BOOST_FIXTURE_TEST_CASE(a_second_stream_has_to_use_the_same_buffers, streaming)
{
  buffer_ring others(context, {.buffers = 1});
  asio_uring::receive_stream second(server, others);
  next_bytes next, refused, accepted;
  received.async_next(next.record());
  settle(context);
  second.async_next(refused.record());
  settle(context);
  CHECK_FAILED(refused.ended, asio::error::already_started);
  write_text(client, "first");
  finish(context);
  BOOST_TEST(next.data.text() == "first");
  char byte;
  write_text(client, "xsecond");
  asio::read(server, asio::buffer(&byte, 1)); // ends the first stream's source, which has received more
  std::string rest(6, '\0');
  asio::read(server, asio::buffer(rest));
  second.async_next(accepted.record());
  write_text(client, "third");
  finish(context);
  BOOST_TEST(accepted.data.text() == "third");
}

// --- the smallest buffers, other threads and processes

BOOST_AUTO_TEST_CASE(the_smallest_rings_will_do)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.entries = 2, .completions = 4});
  buffer_ring buffers(context, {.buffers = 2, .size = 64});
  const pattern bytes;
  constexpr std::size_t size = 20'000;
  std::vector<pair<>> pairs;
  for (int i = 0; i < 4; ++i)
    pairs.emplace_back(context);
  int right = 0;
  for (pair<>& p : pairs) {
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          asio_uring::receive_stream stream(p.server, buffers);
          std::size_t got = 0;
          for (;;) {
            auto [ec, data] = co_await stream.async_next(aw);
            if (ec || !bytes.matches(got, data.text().data(), data.size())) break;
            got += data.size();
          }
          right += got == size;
        },
        asio::detached);
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          co_await asio::async_write(p.client, bytes.at(0, size), asio::use_awaitable);
          p.client.close();
        },
        asio::detached);
  }
  finish(context);
  BOOST_TEST(right == 4);
}

BOOST_FIXTURE_TEST_CASE(what_is_there_is_had_without_waiting, streaming)
{
  asio::write(client, asio::buffer("first", 5));
  BOOST_TEST(next_text() == "first");
  asio::write(client, asio::buffer("second", 6));
  turn();
  const auto second = received.try_next();
  BOOST_REQUIRE(second.has_value());
  BOOST_TEST(second->text() == "second");
  client.close();
  turn();
  BOOST_TEST(!received.try_next());
  BOOST_TEST(next_text() == "End of file");
}

BOOST_FIXTURE_TEST_CASE(the_loop_may_move_to_another_thread, streaming)
{
  const pattern bytes;
  std::size_t sent = 0, got = 0;
  received_buffer held;
  for (int i = 0; i < 6; ++i) {
    next_bytes next;
    received.async_next(next.record());
    std::thread([&] { settle(context); }).join();
    sent += asio::write(client, bytes.at(sent, 100));
    if (i % 2) std::thread([&] { run_until(context, [&] { return next.ended.done(); }); }).join();
    finish(context);
    BOOST_REQUIRE(next.ended.succeeded());
    BOOST_TEST(bytes.matches(got, next.data.text().data(), next.data.size()));
    got += next.data.size();
    held = std::move(next.data);
  }
  std::string rest(sent - got, '\0');
  asio::read(server, asio::buffer(rest));
  BOOST_TEST(bytes.matches(got, rest.data(), rest.size()));
}

BOOST_AUTO_TEST_CASE(with_threads_every_byte_is_received_once)
{
  constexpr std::size_t size = 200'000;
  constexpr int connections = 4;
  const pattern bytes;
  asio::io_context clients_context;
  asio::thread_pool pool(2);
  buffer_ring buffers(pool, {.buffers = 8, .size = 512});
  std::vector<std::future<std::size_t>> all;
  std::vector<std::unique_ptr<pair<>>> pairs;
  for (int i = 0; i < connections; ++i) {
    auto strand = asio::make_strand(pool);
    tcp::acceptor acceptor(clients_context, loopback());
    auto& client = *pairs.emplace_back(std::make_unique<pair<>>(clients_context));
    client.client = tcp::socket(clients_context);
    client.client.connect(acceptor.local_endpoint());
    auto server = std::make_shared<asio::basic_stream_socket<tcp, decltype(strand)>>(acceptor.accept(strand));
    all.push_back(asio::co_spawn(
        strand,
        [&, server]() -> asio::awaitable<std::size_t> {
          asio_uring::receive_stream stream(*server, buffers);
          std::size_t got = 0;
          for (;;) {
            auto [ec, data] = co_await stream.async_next(aw);
            if (ec || !bytes.matches(got, data.text().data(), data.size())) co_return got;
            got += data.size();
          }
        },
        asio::use_future));
  }
  for (std::size_t sent = 0; sent < size; sent += 1000)
    for (auto& p : pairs)
      asio::write(p->client, bytes.at(sent, 1000));
  for (auto& p : pairs)
    p->client.close();
  for (auto& got : all)
    BOOST_TEST(got.get() == size);
  pool.join();
}

BOOST_FIXTURE_TEST_CASE(both_processes_go_on_after_a_fork, streaming)
{
  write_text(client, "before");
  BOOST_TEST(next_text() == "before");
  next_bytes waiting;
  received.async_next(waiting.record());
  settle(context);
  const pid_t writer = ::fork(); // one message for each process
  if (writer == 0)
    exit_with([&] {
      for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(20ms);
        [[maybe_unused]] const auto n = ::write(client.native_handle(), "x", 1);
      }
      return 0;
    });
  fork_and_finish(context, [&] { return waiting.ended.succeeded() && waiting.data.text().front() == 'x'; });
  BOOST_TEST(exit_code_of(writer) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
