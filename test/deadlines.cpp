// deadlines.cpp: operations with a time limit: within, until.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "deadline_fixture.hpp"
#include <functional>
#include <random>
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(deadlines)

// --- what ends, and what does not

BOOST_FIXTURE_TEST_CASE(a_read_that_nobody_answers_is_timed_out, connection<>)
{
  char data[8];
  outcome o;
  const auto start = steady_clock::now();
  server.async_read_some(asio::buffer(data), within(30ms, o.record()));
  finish(context);
  CHECK_FAILED(o, asio::error::timed_out);
  check_time(start, 30ms);
  // The socket can still be used.
  outcome again;
  server.async_read_some(asio::buffer(data), within(60s, again.record()));
  write_text(client, "late");
  finish(context);
  CHECK_SUCCEEDED(again);
  BOOST_TEST(again.bytes == 4u);
  // A cancelled operation has not timed out, even if its deadline's memory belonged to one that had.
  outcome cancelled;
  server.async_read_some(asio::buffer(data), within(60s, cancelled.record()));
  server.cancel();
  finish(context);
  CHECK_FAILED(cancelled, asio::error::operation_aborted);
}

BOOST_FIXTURE_TEST_CASE(a_read_that_is_answered_in_time_is_a_read, connection<>)
{
  char data[8];
  outcome o;
  write_text(client, "data");
  server.async_read_some(asio::buffer(data), within(10s, o.record()));
  const auto start = steady_clock::now();
  finish(context); // does not wait for the deadline
  BOOST_TEST((steady_clock::now() - start < 9s));
  CHECK_SUCCEEDED(o);
  BOOST_TEST(o.bytes == 4u);
}

BOOST_FIXTURE_TEST_CASE(a_time_is_counted_from_the_start_of_the_operation, connection<>)
{
  char data[8];
  auto token = within(50ms, asio::deferred);
  auto read = server.async_read_some(asio::buffer(data), token);
  std::this_thread::sleep_for(60ms);
  outcome o;
  const auto start = steady_clock::now();
  std::move(read)(o.record());
  finish(context);
  CHECK_FAILED(o, asio::error::timed_out);
  check_time(start, 50ms);
}

BOOST_FIXTURE_TEST_CASE(a_time_that_has_gone_by_ends_what_is_not_done_at_once, connection<>)
{
  char data[8], more[8];
  outcome zero, negative, past;
  server.async_read_some(asio::buffer(data), within(0s, zero.record()));
  client.async_read_some(asio::buffer(more), within(-5h, negative.record()));
  finish(context);
  server.async_read_some(asio::buffer(data), until(steady_clock::time_point(), past.record()));
  finish(context);
  CHECK_FAILED(zero, asio::error::timed_out);
  CHECK_FAILED(negative, asio::error::timed_out);
  CHECK_FAILED(past, asio::error::timed_out);
}

BOOST_FIXTURE_TEST_CASE(times_beyond_all_times_never_come, connection<>)
{
  char data[8], more[8];
  outcome a, b;
  server.async_read_some(asio::buffer(data), within(std::chrono::hours::max(), a.record()));
  client.async_read_some(asio::buffer(more), until(steady_clock::time_point::max(), b.record()));
  context.run_for(20ms);
  BOOST_TEST(!a.done());
  BOOST_TEST(!b.done());
  write_text(client, "a");
  write_text(server, "b");
  finish(context);
  CHECK_SUCCEEDED(a);
  CHECK_SUCCEEDED(b);
  outcome c;
  server.async_read_some(asio::buffer(data), within(std::chrono::duration<double>(0.02), c.record()));
  finish(context);
  CHECK_FAILED(c, asio::error::timed_out);
}

BOOST_AUTO_TEST_CASE(a_shorter_time_does_not_wait_for_a_longer_one)
{
  asio::io_context context;
  pair<> a(context), b(context), c(context);
  char data[3][8];
  outcome first, second, third;
  std::vector<int> order;
  const auto record = [&](outcome& o, int n) {
    return [&, n, f = o.record()](error_code ec, std::size_t bytes) mutable {
      f(ec, bytes);
      order.push_back(n);
    };
  };
  a.server.async_read_some(asio::buffer(data[0]), within(1s, record(first, 3)));
  context.run_for(1ms); // the kernel's timer is set to that
  b.server.async_read_some(asio::buffer(data[1]), within(300ms, record(second, 2)));
  c.server.async_read_some(asio::buffer(data[2]), within(20ms, record(third, 1)));
  finish(context);
  BOOST_TEST((order == std::vector<int>{1, 2, 3}));
  for (const outcome* o : {&first, &second, &third})
    CHECK_FAILED(*o, asio::error::timed_out);
}

BOOST_AUTO_TEST_CASE(thousands_of_times_each_end_their_own_operation)
{
  asio::io_context context;
  constexpr int count = 200;
  std::vector<std::unique_ptr<pair<local>>> pairs;
  std::mt19937 random(3);
  int timed_out = 0, answered = 0;
  std::vector<char> data(count);
  const auto start = steady_clock::now();
  for (int i = 0; i != count; ++i) {
    auto& p = *pairs.emplace_back(std::make_unique<pair<local>>(context));
    const std::chrono::milliseconds limit(1 + random() % 200);
    p.server.async_read_some(asio::buffer(&data[i], 1),
                             within(limit, [&, limit, i](error_code ec, std::size_t n) {
                               if (ec == asio::error::timed_out) {
                                 ++timed_out;
                                 check_time(start, limit);
                               } else
                                 answered += !ec && n == 1 && i % 2 == 0;
                             }));
    if (i % 2 == 0) write_text(p.client, "x");
  }
  finish(context);
  BOOST_TEST(timed_out + answered == count);
  BOOST_TEST(timed_out >= count / 2);
}

// --- data at the same moment

BOOST_AUTO_TEST_CASE(no_byte_is_lost_when_the_time_comes_with_the_data)
{
  asio::io_context context;
  pair<> p(context);
  const int count = rounds(300);
  int sent = 0;
  std::thread writer([&] {
    std::mt19937 random(5);
    for (int i = 0; i != count; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(500 + random() % 1500));
      const char c = static_cast<char>(i);
      sent += ::send(p.client.native_handle(), &c, 1, 0) == 1;
    }
    p.client.shutdown(tcp::socket::shutdown_send);
  });
  std::string all;
  int timed_out = 0;
  char data[4];
  std::function<void(error_code, std::size_t)> next = [&](error_code ec, std::size_t n) {
    all.append(data, n);
    if (ec == asio::error::eof) return;
    BOOST_CHECK((!ec || ec == asio::error::timed_out));
    timed_out += ec == asio::error::timed_out;
    if (ec) BOOST_CHECK_EQUAL(n, 0u);
    p.server.async_read_some(asio::buffer(data), within(1ms, next));
  };
  next({}, 0);
  finish(context);
  writer.join();
  BOOST_TEST(sent == count);
  BOOST_TEST(timed_out > 0);
  BOOST_REQUIRE_EQUAL(all.size(), static_cast<std::size_t>(count));
  for (int i = 0; i != count; ++i)
    BOOST_REQUIRE_EQUAL(all[static_cast<std::size_t>(i)], static_cast<char>(i));
}

BOOST_FIXTURE_TEST_CASE(a_composed_read_reports_what_it_has, connection<>)
{
  std::string data(10, '\0');
  outcome o;
  write_text(client, "four");
  asio::async_read(server, asio::buffer(data), within(50ms, o.record()));
  finish(context);
  CHECK_FAILED(o, asio::error::timed_out);
  BOOST_TEST(o.bytes == 4u);
  BOOST_TEST(data.substr(0, 4) == "four");
  write_text(client, "rest");
  BOOST_TEST(read_text(server, 4) == "rest");
}

BOOST_FIXTURE_TEST_CASE(a_line_that_does_not_end_stays_in_its_buffer, connection<>)
{
  std::string data;
  outcome o;
  write_text(client, "half a li");
  asio::async_read_until(server, asio::dynamic_buffer(data), '\n', within(50ms, o.record()));
  finish(context);
  CHECK_FAILED(o, asio::error::timed_out);
  BOOST_TEST(data == "half a li");
  outcome whole;
  write_text(client, "ne\n");
  asio::async_read_until(server, asio::dynamic_buffer(data), '\n', within(60s, whole.record()));
  finish(context);
  CHECK_SUCCEEDED(whole);
  BOOST_TEST(data == "half a line\n");
}

BOOST_FIXTURE_TEST_CASE(a_write_to_who_does_not_read_is_timed_out_and_tells_how_much_went, connection<>)
{
  const std::string data(32 << 20, 'x');
  outcome o;
  asio::async_write(client, asio::buffer(data), within(50ms, o.record()));
  finish(context);
  CHECK_FAILED(o, asio::error::timed_out);
  BOOST_TEST((o.bytes > 0 && o.bytes < data.size()));
  client.shutdown(tcp::socket::shutdown_send);
  std::size_t came = 0;
  read_until(context, server, [&] {
    came = 0;
    return readable(server) && ::recv(server.native_handle(), &came, 1, MSG_PEEK) == 0;
  });
}

// --- every operation

BOOST_AUTO_TEST_CASE(accepts_waits_and_timers_are_timed_out)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket peer(context);
  pair<> p(context);
  asio::steady_timer timer(context, 1h);
  outcome accepted, moved, waited, timer_waited;
  acceptor.async_accept(peer, within(20ms, accepted.record()));
  acceptor.async_accept(within(20ms, [&](error_code ec, tcp::socket) { moved.record()(ec); }));
  p.server.async_wait(tcp::socket::wait_read, within(20ms, waited.record()));
  timer.async_wait(within(20ms, timer_waited.record()));
  finish(context);
  for (const outcome* o : {&accepted, &moved, &waited, &timer_waited})
    CHECK_FAILED(*o, asio::error::timed_out);
  // The next accept gets a connection that comes later.
  tcp::socket client(context);
  outcome later, connected;
  acceptor.async_accept(peer, within(60s, later.record()));
  client.async_connect(acceptor.endpoint(), within(60s, connected.record()));
  finish(context);
  CHECK_SUCCEEDED(later);
  CHECK_SUCCEEDED(connected);
}

BOOST_AUTO_TEST_CASE(datagrams_pipes_and_connects_are_timed_out)
{
  asio::io_context context;
  asio::ip::udp::socket udp(context, {asio::ip::address_v4::loopback(), 0});
  asio::ip::udp::endpoint sender;
  asio::readable_pipe in(context);
  asio::writable_pipe out(context);
  asio::connect_pipe(in, out);
  char data[2][8];
  outcome received, read, connected;
  udp.async_receive_from(asio::buffer(data[0]), sender, within(20ms, received.record()));
  in.async_read_some(asio::buffer(data[1]), within(20ms, read.record()));
  // No connection is accepted, and the queue is full.
  tcp::acceptor acceptor(context, tcp::v4());
  acceptor.bind(loopback());
  acceptor.listen(0);
  std::vector<std::unique_ptr<tcp::socket>> filling;
  for (int i = 0; i != 2; ++i) {
    filling.push_back(std::make_unique<tcp::socket>(context));
    filling.back()->async_connect(acceptor.local_endpoint(), asio::detached);
  }
  context.run_for(50ms);
  tcp::socket client(context);
  client.async_connect(acceptor.local_endpoint(), within(50ms, connected.record()));
  for (int i = 0; i != 100 && !(connected.done() && received.done() && read.done()); ++i)
    context.run_for(100ms);
  CHECK_FAILED(received, asio::error::timed_out);
  CHECK_FAILED(read, asio::error::timed_out);
  CHECK_FAILED(connected, asio::error::timed_out);
}

BOOST_FIXTURE_TEST_CASE(a_file_is_read_within_its_time, scratch_context)
{
  asio::random_access_file file(context, write_file("file", "text"), read_only);
  char data[4];
  outcome o;
  file.async_read_some_at(0, asio::buffer(data), within(60s, o.record()));
  finish(context);
  CHECK_SUCCEEDED(o);
  BOOST_TEST(o.bytes == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
