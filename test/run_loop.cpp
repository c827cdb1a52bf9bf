// test/run_loop.cpp: run() and its sisters, threads, fork.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"
#include "threads.hpp"

#include <atomic>
#include <csignal>
#include <functional>
#include <future>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>

using namespace test;

namespace {

/// Pairs of sockets whose servers each wait for a byte.
struct readers
{
  asio::io_context& context;
  std::vector<std::unique_ptr<pair<>>> pairs;
  int calls = 0;

  readers(asio::io_context& c, std::size_t count) : context(c)
  {
    for (std::size_t i = 0; i != count; ++i) {
      pairs.push_back(std::make_unique<pair<>>(context));
      start(i);
    }
  }
  void start(std::size_t i)
  {
    auto byte = std::make_unique<char>(); // some tests leave reads behind
    auto buffer = asio::buffer(byte.get(), 1);
    pairs[i]->server.async_read_some(buffer,
                                     [this, byte = std::move(byte)](error_code, std::size_t) { ++calls; });
  }
  void feed(std::size_t i) { write_text(pairs[i]->client, "x"); }
  void feed()
  {
    for (std::size_t i = 0; i != pairs.size(); ++i)
      feed(i);
  }
};

/// Bounces a message of `size` bytes `rounds` times; counts the handlers that ran.
struct echo
{
  std::string there, back; // outlive the sockets: some tests leave operations behind
  pair<> sockets;
  int rounds;
  std::atomic<int>& handlers;
  bool intact = true;

  echo(asio::io_context& context, std::size_t size, int count, std::atomic<int>& h)
      : there(size, 'x'), back(size, '\0'), sockets(context), rounds(count), handlers(h)
  {}

  void serve()
  {
    asio::async_read(sockets.server, asio::buffer(back), [this](error_code e, std::size_t) {
      ++handlers;
      if (!e)
        asio::async_write(sockets.server, asio::buffer(back), [this](error_code e, std::size_t) {
          ++handlers;
          if (!e) serve();
        });
    });
  }
  void ask()
  {
    if (rounds-- == 0) {
      sockets.client.shutdown(tcp::socket::shutdown_send);
      return;
    }
    there.front() = static_cast<char>(rounds);
    asio::async_write(sockets.client, asio::buffer(there), [this](error_code, std::size_t) {
      ++handlers;
      asio::async_read(sockets.client, asio::buffer(there), [this](error_code e, std::size_t n) {
        ++handlers;
        intact = intact && !e && n == there.size() && there.front() == static_cast<char>(rounds);
        ask();
      });
    });
  }
  static constexpr int handlers_for(int rounds) { return 4 * rounds + 1; }
};

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

BOOST_AUTO_TEST_CASE(run_in_one_thread_and_later_in_another)
{
  asio::io_context context;
  readers r(context, 2);
  r.feed(0);
  std::thread([&] { run_until(context, [&] { return r.calls == 1; }); }).join();
  r.feed(1);
  std::thread([&] { context.run(); }).join();
  BOOST_CHECK_EQUAL(r.calls, 2);
}

BOOST_AUTO_TEST_CASE(initiating_thread_exits_before_completion)
{
  asio::io_context context;
  pair<> p(context);
  std::array<char, 8> data;
  outcome read;
  std::thread([&] {
    p.server.async_read_some(asio::buffer(data), read.record());
    context.poll();
  }).join();
  write_text(p.client, "abc");
  finish(context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(running_thread_exits_before_completion)
{
  asio::io_context context;
  pair<> p(context);
  listener acceptor(context);
  std::array<char, 8> data;
  outcome read, written, accepted;
  std::string text(32 << 20, 'x');
  tcp::socket peer(context);
  std::thread([&] {
    asio::post(context, [&] {
      p.server.async_read_some(asio::buffer(data), read.record());
      asio::async_write(p.server, asio::buffer(text), written.record());
      acceptor.async_accept(peer, accepted.record());
    });
    context.run_for(20ms);
  }).join();
  tcp::socket client(context);
  client.connect(acceptor.endpoint());
  write_text(p.client, "abc");
  std::thread reader([&] { read_text(p.client, text.size()); });
  finish(context);
  reader.join();
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(written);
  CHECK_SUCCEEDED(accepted);
}

BOOST_AUTO_TEST_CASE(echo_of_64_connections_in_several_threads)
{
  for (int threads : {1, 2, 4}) {
    asio::io_context context;
    std::atomic<int> handlers = 0;
    constexpr int rounds = 100;
    std::vector<std::unique_ptr<echo>> echoes;
    for (int i = 0; i != 64; ++i)
      echoes.push_back(std::make_unique<echo>(context, 1 + i * 100, rounds, handlers));
    for (auto& e : echoes) {
      e->serve();
      e->ask();
    }
    runners r(context, threads);
    BOOST_REQUIRE(r.join());
    BOOST_CHECK_EQUAL(handlers, 64 * echo::handlers_for(rounds));
    BOOST_CHECK(std::all_of(echoes.begin(), echoes.end(), [](auto& e) { return e->intact; }));
  }
}

BOOST_AUTO_TEST_CASE(initiations_from_running_threads_and_a_foreign_one)
{
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  std::atomic<int> handlers = 0;
  constexpr int rounds = 50;
  std::vector<std::unique_ptr<echo>> echoes;
  for (int i = 0; i != 64; ++i)
    echoes.push_back(std::make_unique<echo>(context, 100, rounds, handlers));
  runners r(context, 3);
  for (std::size_t i = 0; i != echoes.size(); ++i) {
    auto start = [&e = *echoes[i]] {
      e.serve();
      e.ask();
    };
    if (i % 2)
      start();
    else
      asio::post(context, start);
  }
  work.reset();
  BOOST_REQUIRE(r.join());
  BOOST_CHECK_EQUAL(handlers, 64 * echo::handlers_for(rounds));
}

BOOST_AUTO_TEST_CASE(coroutines_on_strands_in_several_threads)
{
  asio::io_context context;
  std::atomic<int> echoed = 0;
  std::vector<std::unique_ptr<pair<>>> pairs;
  auto serve = [](tcp::socket& socket) -> asio::awaitable<void> {
    std::array<char, 100> data;
    for (;;) {
      auto [error, n] =
          co_await socket.async_read_some(asio::buffer(data), asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
      co_await asio::async_write(socket, asio::buffer(data, n), asio::use_awaitable);
    }
  };
  auto ask = [&](tcp::socket& socket) -> asio::awaitable<void> {
    std::array<char, 100> data{};
    for (int i = 0; i != 100; ++i) {
      co_await asio::async_write(socket, asio::buffer(data), asio::use_awaitable);
      co_await asio::async_read(socket, asio::buffer(data), asio::use_awaitable);
      ++echoed;
    }
    socket.shutdown(tcp::socket::shutdown_send);
  };
  for (int i = 0; i != 32; ++i) {
    pairs.push_back(std::make_unique<pair<>>(context));
    asio::co_spawn(asio::make_strand(context), serve(pairs.back()->server), asio::detached);
    asio::co_spawn(asio::make_strand(context), ask(pairs.back()->client), asio::detached);
  }
  runners r(context, 3);
  BOOST_REQUIRE(r.join());
  BOOST_CHECK_EQUAL(echoed, 3200);
}

BOOST_AUTO_TEST_CASE(connections_come_and_go_in_several_threads)
{
  asio::io_context context;
  listener acceptor(context);
  std::atomic<int> accepted = 0, served = 0;
  constexpr int count = 500;
  auto client = [&]() -> asio::awaitable<void> {
    for (int i = 0; i != count / 10; ++i) {
      tcp::socket socket(context);
      co_await socket.async_connect(acceptor.endpoint(), asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer("ping", 4), asio::use_awaitable);
      std::array<char, 4> data;
      co_await asio::async_read(socket, asio::buffer(data), asio::use_awaitable);
      ++served;
    }
  };
  auto session = [](tcp::socket socket) -> asio::awaitable<void> {
    std::array<char, 4> data;
    co_await asio::async_read(socket, asio::buffer(data), asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(data), asio::use_awaitable);
  };
  auto serve = [&]() -> asio::awaitable<void> {
    for (; accepted != count; ++accepted)
      asio::co_spawn(context, session(co_await acceptor.async_accept(asio::use_awaitable)), asio::detached);
  };
  asio::co_spawn(context, serve, asio::detached);
  for (int i = 0; i != 10; ++i)
    asio::co_spawn(context, client, asio::detached);
  runners r(context, 3);
  BOOST_REQUIRE(r.join());
  BOOST_CHECK_EQUAL(accepted, count);
  BOOST_CHECK_EQUAL(served, count);
}

// A socket that falls silent after a short read is looked at again 20 to 40 ms later, in a round over all.
BOOST_AUTO_TEST_CASE(sockets_come_and_go_in_one_thread_while_others_fall_silent_in_another)
{
  asio::io_context context;
  pair<> p(context);
  std::array<char, 64> data;
  std::size_t bytes = 0;
  std::function<void()> read = [&] {
    p.server.async_read_some(asio::buffer(data), [&](error_code e, std::size_t n) {
      bytes += n;
      if (!e) read();
    });
  };
  read();
  runners r(context, 1);
  constexpr std::size_t rounds = 30;
  for (std::size_t i = 0; i != rounds; ++i) {
    write_text(p.client, "x");
    const auto until = std::chrono::steady_clock::now() + 10ms;
    while (std::chrono::steady_clock::now() < until)
      pair<local> passing(context);
  }
  p.client.shutdown(tcp::socket::shutdown_send);
  BOOST_REQUIRE(r.join());
  BOOST_CHECK_EQUAL(bytes, rounds);
}

BOOST_AUTO_TEST_CASE(blocking_handler_does_not_stop_the_io_of_others)
{
  asio::io_context context;
  pair<> blocking(context), releasing(context);
  std::array<char, 8> data, more;
  std::promise<void> released;
  std::atomic<bool> in_time = false;
  blocking.server.async_read_some(asio::buffer(data), [&](error_code, std::size_t) {
    asio::post(context, [&] { write_text(releasing.client, "x"); });
    in_time = released.get_future().wait_for(30s) == std::future_status::ready;
  });
  releasing.server.async_read_some(asio::buffer(more),
                                   [&](error_code, std::size_t) { released.set_value(); });
  runners r(context, 2);
  write_text(blocking.client, "x");
  BOOST_REQUIRE(r.join());
  BOOST_CHECK(in_time);
}

BOOST_AUTO_TEST_CASE(blocking_handler_whose_own_initiation_releases_it)
{
  asio::io_context context;
  pair<> blocking(context), releasing(context);
  std::array<char, 8> data, more;
  std::promise<void> released;
  std::atomic<bool> in_time = false;
  blocking.server.async_read_some(asio::buffer(data), [&](error_code, std::size_t) {
    releasing.server.async_read_some(asio::buffer(more),
                                     [&](error_code, std::size_t) { released.set_value(); });
    releasing.client.async_write_some(asio::buffer("x", 1), asio::detached);
    in_time = released.get_future().wait_for(30s) == std::future_status::ready;
  });
  runners r(context, 2);
  write_text(blocking.client, "x");
  BOOST_REQUIRE(r.join());
  BOOST_CHECK(in_time);
}

BOOST_AUTO_TEST_CASE(operations_started_by_foreign_threads_at_a_time_are_work_from_their_start)
{
  asio::io_context context;
  pair<local> p(context), other(context);
  check_that_operations_are_work_from_their_start(
      context, [&](auto handler) { p.server.async_wait(tcp::socket::wait_write, handler); },
      [&](auto handler) { other.server.async_wait(tcp::socket::wait_write, handler); });
}

BOOST_AUTO_TEST_CASE(a_handler_that_still_runs_is_work_when_the_last_operation_ends_elsewhere)
{
  asio::io_context context;
  pair<local> p(context);
  check_that_a_running_handler_is_work(
      context, [&](auto handler) { p.server.async_wait(tcp::socket::wait_write, handler); },
      [&](auto handler) { p.server.async_wait(tcp::socket::wait_read, handler); },
      [&] { write_text(p.client, "x"); });
}

BOOST_AUTO_TEST_CASE(blocking_handlers_of_one_batch_release_each_other)
{
  asio::io_context context;
  pair<> first(context), second(context);
  std::array<char, 8> data, more;
  std::promise<void> promise1, promise2;
  std::atomic<int> in_time = 0;
  first.server.async_read_some(asio::buffer(data), [&](error_code, std::size_t) {
    promise1.set_value();
    in_time += promise2.get_future().wait_for(30s) == std::future_status::ready;
  });
  second.server.async_read_some(asio::buffer(more), [&](error_code, std::size_t) {
    promise2.set_value();
    in_time += promise1.get_future().wait_for(30s) == std::future_status::ready;
  });
  settle(context);
  write_text(first.client, "x");
  write_text(second.client, "x");
  runners r(context, 2);
  BOOST_REQUIRE(r.join());
  BOOST_CHECK_EQUAL(in_time, 2);
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

BOOST_AUTO_TEST_CASE(fork_with_notify_fork_in_parent_and_child)
{
  asio::io_context context;
  readers r(context, 1);
  context.poll();
  context.notify_fork(asio::io_context::fork_prepare);
  pid_t child = ::fork();
  BOOST_REQUIRE(child != -1);
  if (child == 0) {
    ::alarm(30);
    context.notify_fork(asio::io_context::fork_child);
    context.restart();
    pair<> p(context);
    std::array<char, 8> data;
    bool received = false;
    p.server.async_read_some(asio::buffer(data), [&](error_code e, std::size_t n) {
      received = !e && n == 3;
      context.stop();
    });
    error_code error;
    p.client.write_some(asio::buffer("abc", 3), error);
    context.run_for(20s);
    ::_exit(received ? 0 : 1);
  }
  context.notify_fork(asio::io_context::fork_parent);
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_CHECK_EQUAL(status, 0);
  r.feed();
  finish(context);
  BOOST_CHECK_EQUAL(r.calls, 1);
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
