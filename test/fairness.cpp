// test/fairness.cpp: timers, posts, signals and sockets together: none holds up another.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "loop_fixture.hpp"

#include <atomic>
#include <csignal>
#include <functional>
#include <future>
#include <sys/resource.h>

using namespace test;

BOOST_AUTO_TEST_SUITE(fairness)

BOOST_AUTO_TEST_CASE(timers_posts_and_io_do_not_starve_each_other)
{
  asio::io_context context;
  std::atomic<int> handlers = 0;
  echo endless(context, 100, 1'000'000'000, handlers);
  endless.serve();
  endless.ask();
  int ticks = 0, posts = 0;
  asio::steady_timer timer(context);
  std::function<void(error_code)> tick = [&](error_code) {
    if (++ticks == 20) {
      context.stop();
      return;
    }
    timer.expires_after(1ms);
    timer.async_wait(tick);
  };
  std::function<void()> post = [&] {
    ++posts;
    asio::post(context, post);
  };
  tick({});
  post();
  context.run_for(60s);
  BOOST_CHECK_EQUAL(ticks, 20);
  BOOST_CHECK_GT(posts, 20);
  BOOST_CHECK_GT(handlers, 20);
}

BOOST_AUTO_TEST_CASE(io_goes_on_while_handlers_are_posted_without_end)
{
  asio::io_context context;
  std::atomic<int> handlers = 0;
  echo e(context, 100, 200, handlers);
  e.serve();
  e.ask();
  std::function<void()> post = [&] {
    if (handlers != echo::handlers_for(200)) asio::post(context, post);
  };
  post();
  context.run_for(60s);
  BOOST_CHECK_EQUAL(handlers, echo::handlers_for(200));
}

BOOST_AUTO_TEST_CASE(timers_alone_on_a_context_with_idle_sockets)
{
  asio::io_context context;
  readers r(context, 2);
  int order = 0, first = 0, second = 0;
  const auto now = std::chrono::steady_clock::now();
  asio::steady_timer late(context, now + 20ms), early(context, now + 5ms);
  late.async_wait([&](error_code) { second = ++order; });
  early.async_wait([&](error_code) { first = ++order; });
  run_until(context, [&] { return order == 2; });
  BOOST_CHECK(first == 1 && second == 2);
}

BOOST_AUTO_TEST_CASE(signal_while_io_is_pending)
{
  asio::io_context context;
  readers r(context, 1);
  asio::signal_set signals(context, SIGUSR1);
  int received = 0;
  signals.async_wait([&](error_code e, int number) {
    if (!e) received = number;
    r.feed();
  });
  settle(context);
  ::raise(SIGUSR1);
  finish(context);
  BOOST_CHECK_EQUAL(received, SIGUSR1);
  BOOST_CHECK_EQUAL(r.calls, 1);
}

BOOST_AUTO_TEST_CASE(resolver_while_io_is_pending)
{
  asio::io_context context;
  readers r(context, 1);
  tcp::resolver resolver(context);
  error_code error = asio::error::eof;
  resolver.async_resolve("127.0.0.1", "80", [&](error_code e, tcp::resolver::results_type) {
    error = e;
    r.feed();
  });
  finish(context);
  BOOST_CHECK_EQUAL(error, error_code());
  BOOST_CHECK_EQUAL(r.calls, 1);
}

BOOST_AUTO_TEST_CASE(socket_on_a_thread_pool_beside_sockets_on_the_context)
{
  asio::io_context context;
  asio::thread_pool pool(1);
  readers r(context, 1);
  listener acceptor(context);
  tcp::socket client(pool), server(context);
  std::promise<std::size_t> received;
  client.connect(acceptor.endpoint());
  acceptor.accept(server);
  std::array<char, 8> data;
  client.async_read_some(asio::buffer(data), [&](error_code, std::size_t n) { received.set_value(n); });
  write_text(server, "abc");
  r.feed();
  finish(context);
  auto future = received.get_future();
  BOOST_REQUIRE(future.wait_for(60s) == std::future_status::ready);
  pool.join();
  BOOST_CHECK_EQUAL(future.get(), 3u);
  BOOST_CHECK_EQUAL(r.calls, 1);
}

BOOST_AUTO_TEST_CASE(sockets_on_strands_of_one_context)
{
  asio::io_context context;
  listener acceptor(context);
  auto strand = asio::make_strand(context);
  tcp::socket client(strand), server(asio::make_strand(context));
  client.connect(acceptor.endpoint());
  acceptor.accept(server);
  std::array<char, 8> data;
  bool inside = false;
  client.async_read_some(asio::buffer(data),
                         [&](error_code, std::size_t) { inside = strand.running_in_this_thread(); });
  server.async_write_some(asio::buffer("abc", 3), asio::detached);
  finish(context);
  BOOST_CHECK(inside);
}

BOOST_AUTO_TEST_CASE(datagram_socket_descriptor_and_pipe_on_the_same_context)
{
  asio::io_context context;
  readers r(context, 1);
  using asio::ip::udp;
  udp::socket a(context, udp::endpoint(asio::ip::address_v4::loopback(), 0));
  udp::socket b(context, udp::endpoint(asio::ip::address_v4::loopback(), 0));
  asio::readable_pipe out(context);
  asio::writable_pipe in(context);
  asio::connect_pipe(out, in);
  std::array<char, 8> datagram, piped;
  udp::endpoint from;
  outcome received, read, sent, written;
  a.async_receive_from(asio::buffer(datagram), from, received.record());
  out.async_read_some(asio::buffer(piped), read.record());
  settle(context);
  b.async_send_to(asio::buffer("abc", 3), a.local_endpoint(), sent.record());
  in.async_write_some(asio::buffer("de", 2), written.record());
  r.feed();
  finish(context);
  BOOST_CHECK(sent.succeeded() && written.succeeded() && r.calls == 1);
  BOOST_CHECK_EQUAL(received.bytes, 3u);
  BOOST_CHECK_EQUAL(from, b.local_endpoint());
  BOOST_CHECK_EQUAL(read.bytes, 2u);
}

BOOST_AUTO_TEST_CASE(many_more_operations_in_flight_than_any_queue_holds)
{
  asio::io_context context;
  pair<> p(context);
  constexpr int count = 20000;
  std::vector<char> data(count);
  int calls = 0;
  for (int i = 0; i != count; ++i)
    p.server.async_read_some(asio::buffer(&data[i], 1), [&, i](error_code e, std::size_t) {
      if (!e && calls == i) ++calls;
    });
  settle(context);
  std::string text(count, 'x');
  asio::async_write(p.client, asio::buffer(text), asio::detached);
  finish(context);
  BOOST_CHECK_EQUAL(calls, count);
}

BOOST_AUTO_TEST_CASE(thousand_sockets_ready_at_once)
{
  rlimit descriptors; // the usual limit is 1024
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);

  asio::io_context context;
  readers r(context, 1000);
  settle(context);
  r.feed();
  check_count(finish(context), 1000);
  BOOST_CHECK_EQUAL(r.calls, 1000);
}

BOOST_AUTO_TEST_SUITE_END()
