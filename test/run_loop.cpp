// test/run_loop.cpp: run(), poll() and their variants: when they return, what they count, stop and restart.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "loop_fixture.hpp"

#include <atomic>
#include <thread>

using namespace test;

namespace {

/// A pipe, and two datagram sockets, as one end to read from and one to write to.
struct pipe_ends
{
  asio::readable_pipe in;
  asio::writable_pipe out;
  std::array<char, 8> data{};
  explicit pipe_ends(asio::io_context& context) : in(context), out(context) { asio::connect_pipe(in, out); }
  template <class Handler>
  void read(Handler handler)
  {
    in.async_read_some(asio::buffer(data), std::move(handler));
  }
  void write() { out.write_some(asio::buffer("abc", 3)); }
};

struct datagram_ends
{
  asio::ip::udp::socket in, out;
  std::array<char, 8> data{};
  explicit datagram_ends(asio::io_context& context)
      : in(context, {asio::ip::address_v4::loopback(), 0}), out(context, asio::ip::udp::v4())
  {
    out.connect(in.local_endpoint());
  }
  template <class Handler>
  void read(Handler handler)
  {
    in.async_receive(asio::buffer(data), std::move(handler));
  }
  void write() { out.send(asio::buffer("abc", 3)); }
};

using other_ends = std::tuple<pipe_ends, datagram_ends>;

} // namespace

BOOST_AUTO_TEST_SUITE(run_loop)

BOOST_AUTO_TEST_CASE(run_returns_exactly_when_no_work_is_left)
{
  asio::io_context context;
  readers r(context, 3);
  r.feed();
  check_count(context.run(), 3);
  BOOST_CHECK_EQUAL(r.calls, 3);
  BOOST_CHECK(context.stopped());
}

BOOST_AUTO_TEST_CASE(run_without_work_returns_at_once)
{
  asio::io_context context;
  pair<> idle(context);
  BOOST_CHECK_EQUAL(context.run(), 0u);
  BOOST_CHECK(context.stopped());
}

BOOST_AUTO_TEST_CASE(run_does_not_return_while_an_operation_is_pending)
{
  asio::io_context context;
  readers r(context, 1);
  context.run_for(20ms);
  BOOST_CHECK(!context.stopped());
  BOOST_CHECK_EQUAL(r.calls, 0);
}

BOOST_AUTO_TEST_CASE(run_returns_again_and_again)
{
  asio::io_context context;
  readers r(context, 1);
  for (int i = 1; i != 100; ++i) {
    r.feed();
    context.run();
    BOOST_REQUIRE_EQUAL(r.calls, i);
    context.restart();
    r.start(0);
  }
}

BOOST_AUTO_TEST_CASE(run_counts_handlers_of_a_chain)
{
  asio::io_context context;
  std::atomic<int> handlers = 0;
  echo e(context, 1, 10, handlers);
  e.serve();
  e.ask();
  auto count = context.run();
  BOOST_CHECK_EQUAL(handlers, echo::handlers_for(10));
  check_count(count, echo::handlers_for(10));
}

BOOST_AUTO_TEST_CASE(run_one_executes_exactly_one_handler)
{
  asio::io_context context;
  readers r(context, 10);
  settle(context);
  r.feed();
  for (int i = 1; i <= 10; ++i) {
    BOOST_REQUIRE_EQUAL(context.run_one(), 1u);
    if (counts_are_exact())
      BOOST_CHECK_EQUAL(r.calls, i);
    else
      BOOST_CHECK_LE(r.calls, i);
  }
  context.run();
  BOOST_CHECK_EQUAL(r.calls, 10);
  if (counts_are_exact()) BOOST_CHECK_EQUAL(context.run_one(), 0u);
}

BOOST_AUTO_TEST_CASE(poll_counts_what_is_ready)
{
  asio::io_context context;
  readers r(context, 3);
  settle(context);
  BOOST_CHECK_EQUAL(r.calls, 0);
  BOOST_CHECK(!context.stopped());
  r.feed(0);
  r.feed(1);
  std::size_t count = 0;
  run_until(context, [&] {
    count += context.poll();
    return r.calls == 2;
  });
  BOOST_CHECK(!context.stopped());
  r.feed(2);
  count += context.run();
  BOOST_CHECK_EQUAL(r.calls, 3);
  BOOST_CHECK_GE(count, 1u);
}

BOOST_AUTO_TEST_CASE(poll_alone_makes_progress)
{
  asio::io_context context;
  std::atomic<int> handlers = 0;
  echo e(context, 100, 50, handlers);
  e.serve();
  e.ask();
  std::size_t count = 0;
  auto limit = std::chrono::steady_clock::now() + 60s;
  while (!context.stopped() && std::chrono::steady_clock::now() < limit)
    count += context.poll();
  BOOST_CHECK_EQUAL(handlers, echo::handlers_for(50));
  check_count(count, echo::handlers_for(50));
}

BOOST_AUTO_TEST_CASE(poll_one_alone_makes_progress)
{
  asio::io_context context;
  std::atomic<int> handlers = 0;
  echo e(context, 100, 50, handlers);
  e.serve();
  e.ask();
  std::size_t count = 0;
  auto limit = std::chrono::steady_clock::now() + 60s;
  while (!context.stopped() && std::chrono::steady_clock::now() < limit)
    count += context.poll_one();
  BOOST_CHECK_EQUAL(handlers, echo::handlers_for(50));
  check_count(count, echo::handlers_for(50));
}

BOOST_AUTO_TEST_CASE(run_one_alone_makes_progress)
{
  asio::io_context context;
  std::atomic<int> handlers = 0;
  echo e(context, 100, 50, handlers);
  e.serve();
  e.ask();
  std::size_t count = 0;
  while (std::size_t n = context.run_one())
    count += n;
  BOOST_CHECK_EQUAL(handlers, echo::handlers_for(50));
  check_count(count, echo::handlers_for(50));
}

BOOST_AUTO_TEST_CASE(run_for_returns_in_time_with_operations_pending)
{
  asio::io_context context;
  readers r(context, 2);
  auto start = std::chrono::steady_clock::now();
  context.run_for(20ms);
  BOOST_CHECK(std::chrono::steady_clock::now() - start >= 20ms);
  r.feed(0);
  context.run_for(100ms);
  BOOST_CHECK_EQUAL(r.calls, 1);
  BOOST_CHECK(!context.stopped());
  r.feed(1);
  context.run_for(60s);
  BOOST_CHECK_EQUAL(r.calls, 2);
  BOOST_CHECK(context.stopped());
}

BOOST_AUTO_TEST_CASE(run_for_counts)
{
  asio::io_context context;
  readers r(context, 4);
  r.feed();
  check_count(context.run_for(60s), 4);
}

BOOST_AUTO_TEST_CASE(run_one_for_gives_up_without_events)
{
  asio::io_context context;
  readers r(context, 1);
  settle(context);
  if (counts_are_exact())
    BOOST_CHECK_EQUAL(context.run_one_for(10ms), 0u);
  else
    context.run_one_for(10ms);
  BOOST_CHECK_EQUAL(r.calls, 0);
}

BOOST_AUTO_TEST_CASE(stop_with_operations_in_flight)
{
  asio::io_context context;
  readers r(context, 2);
  asio::post(context, [&] { context.stop(); });
  context.run();
  BOOST_CHECK(context.stopped());
  r.feed();
  BOOST_CHECK_EQUAL(context.run(), 0u);
  BOOST_CHECK_EQUAL(r.calls, 0);
}

BOOST_AUTO_TEST_CASE(restart_after_stop_delivers_what_was_in_flight)
{
  asio::io_context context;
  readers r(context, 2);
  asio::post(context, [&] { context.stop(); });
  context.run();
  r.feed();
  context.restart();
  context.run();
  BOOST_CHECK_EQUAL(r.calls, 2);
}

BOOST_AUTO_TEST_CASE(stop_in_a_handler_of_a_batch_keeps_the_rest)
{
  asio::io_context context;
  readers r(context, 5);
  pair<> stopping(context);
  char byte;
  stopping.server.async_read_some(asio::buffer(&byte, 1), [&](error_code, std::size_t) { context.stop(); });
  settle(context);
  write_text(stopping.client, "x");
  r.feed();
  context.run();
  context.restart();
  context.run();
  BOOST_CHECK_EQUAL(r.calls, 5);
}

BOOST_AUTO_TEST_CASE(stop_from_another_thread_wakes_run)
{
  asio::io_context context;
  readers r(context, 1);
  std::thread other([&] {
    std::this_thread::sleep_for(10ms);
    context.stop();
  });
  context.run();
  other.join();
  BOOST_CHECK(context.stopped());
  BOOST_CHECK_EQUAL(r.calls, 0);
}

BOOST_AUTO_TEST_CASE(post_from_another_thread_wakes_run)
{
  asio::io_context context;
  readers r(context, 1);
  std::thread other([&] {
    std::this_thread::sleep_for(10ms);
    asio::post(context, [&] { r.feed(); });
  });
  context.run();
  other.join();
  BOOST_CHECK_EQUAL(r.calls, 1);
}

BOOST_AUTO_TEST_CASE(initiation_from_another_thread_wakes_run)
{
  asio::io_context context;
  pair<> p(context);
  auto work = asio::make_work_guard(context);
  std::array<char, 8> data;
  write_text(p.client, "abc");
  outcome read;
  std::thread other([&] {
    std::this_thread::sleep_for(10ms);
    p.server.async_read_some(asio::buffer(data), [&](error_code e, std::size_t n) {
      read.record()(e, n);
      work.reset();
    });
  });
  context.run_for(60s);
  other.join();
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(work_guard_keeps_run_running)
{
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  readers r(context, 1);
  r.feed();
  run_until(context, [&] { return r.calls == 1; });
  context.poll();
  BOOST_CHECK(!context.stopped());
  work.reset();
  context.run();
  BOOST_CHECK(context.stopped());
}

BOOST_AUTO_TEST_CASE(nested_poll_in_a_handler)
{
  asio::io_context context;
  readers r(context, 3);
  int seen_inside = 0;
  asio::post(context, [&] {
    r.feed();
    while (r.calls != 3)
      context.poll();
    seen_inside = r.calls;
  });
  context.run();
  BOOST_CHECK_EQUAL(seen_inside, 3);
}

BOOST_AUTO_TEST_CASE(nested_poll_in_the_handler_of_an_operation)
{
  asio::io_context context;
  readers r(context, 2);
  pair<> outer(context);
  char byte;
  int seen_inside = 0;
  outer.server.async_read_some(asio::buffer(&byte, 1), [&](error_code, std::size_t) {
    r.feed();
    while (r.calls != 2)
      context.poll_one();
    seen_inside = r.calls;
  });
  write_text(outer.client, "x");
  context.run();
  BOOST_CHECK_EQUAL(seen_inside, 2);
}

BOOST_AUTO_TEST_CASE(two_contexts_talk_to_each_other)
{
  asio::io_context here, there;
  listener acceptor(here);
  tcp::socket client(there), server(here);
  std::array<char, 4> asked, answered;
  outcome answer;
  acceptor.async_accept(server, [&](error_code) {
    asio::async_read(server, asio::buffer(asked), [&](error_code, std::size_t) {
      asio::async_write(server, asio::buffer(asked), asio::detached);
    });
  });
  client.async_connect(acceptor.endpoint(), [&](error_code) {
    asio::async_write(client, asio::buffer("ping", 4), [&](error_code, std::size_t) {
      asio::async_read(client, asio::buffer(answered), answer.record());
    });
  });
  std::thread other([&] { here.run(); });
  finish(there);
  other.join();
  CHECK_SUCCEEDED(answer);
}

BOOST_AUTO_TEST_CASE(single_threaded_concurrency_hints)
{
  for (int hint : {1, BOOST_ASIO_CONCURRENCY_HINT_UNSAFE, BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO}) {
    asio::io_context context(hint);
    std::atomic<int> handlers = 0;
    echo e(context, 100, 20, handlers);
    e.serve();
    e.ask();
    context.run();
    BOOST_CHECK_EQUAL(handlers, echo::handlers_for(20));
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(run_returns_when_a_pipe_or_datagram_socket_has_no_work_left, Ends, other_ends)
{
  asio::io_context context;
  Ends ends(context);
  outcome read;
  ends.read(read.record());
  context.run_for(10ms);
  BOOST_CHECK(!read.done());
  BOOST_CHECK(!context.stopped());
  ends.write();
  finish(context);
  CHECK_SUCCEEDED(read);
  BOOST_CHECK_EQUAL(read.bytes, 3u);
  check_count(finish(context), 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(poll_of_a_pipe_or_datagram_socket_never_waits, Ends, other_ends)
{
  asio::io_context context;
  Ends ends(context);
  outcome read;
  ends.read(read.record());
  settle(context);
  BOOST_CHECK(!read.done());
  ends.write();
  run_until(context, [&] { return read.done(); });
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(stop_and_restart_with_a_pipe_or_datagram_socket, Ends, other_ends)
{
  asio::io_context context;
  Ends ends(context);
  outcome read;
  ends.read(read.record());
  asio::post(context, [&] { context.stop(); });
  context.run();
  BOOST_CHECK(context.stopped());
  BOOST_CHECK(!read.done());
  ends.write();
  BOOST_CHECK_EQUAL(context.run(), 0u);
  finish(context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(write_to_a_pipe_or_datagram_socket_from_another_thread_wakes_run, Ends,
                              other_ends)
{
  asio::io_context context;
  Ends ends(context);
  auto guard = asio::make_work_guard(context);
  outcome read;
  ends.read([&](error_code e, std::size_t n) {
    read.record()(e, n);
    guard.reset();
  });
  std::thread writer([&] {
    std::this_thread::sleep_for(20ms);
    ends.write();
  });
  finish(context);
  writer.join();
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(destroy_the_context_of_a_pipe_or_datagram_socket_with_a_read_pending, Ends,
                              other_ends)
{
  auto handler_state = std::make_shared<int>();
  outcome read;
  {
    asio::io_context context;
    auto ends = std::make_unique<Ends>(context);
    ends->read(
        [handler_state, record = read.record()](error_code e, std::size_t n) mutable { record(e, n); });
    settle(context);
    BOOST_CHECK_EQUAL(handler_state.use_count(), 2);
    ends.reset();
  }
  BOOST_CHECK(!read.done());
  BOOST_CHECK_EQUAL(handler_state.use_count(), 1);
}

BOOST_AUTO_TEST_SUITE_END()
