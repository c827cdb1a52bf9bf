// test/threads.cpp: a context run by several threads, and by threads that come and go.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "threads.hpp"
#include "coroutines.hpp"
#include "loop_fixture.hpp"

#include <atomic>
#include <functional>
#include <future>
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(threads)

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
  std::string text(16 << 20, 'x'); // more than the buffers in between hold
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

// A socket that falls silent after a short read is looked at again 20 to 40 ms later, in a round over all
// such sockets.
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

BOOST_AUTO_TEST_CASE(connections_in_strands_by_several_threads)
{
  asio::io_context context;
  listener acceptor(context);
  constexpr int connections = 20, rounds = 50;
  std::atomic<int> right = 0, failures = 0;
  auto counted = [&](std::exception_ptr e) { failures += e != nullptr; };
  auto session = [](tcp::socket socket) -> asio::awaitable<void> {
    char data[64];
    for (;;) {
      auto [e, n] = co_await socket.async_read_some(asio::buffer(data), as_values);
      if (e) co_return;
      co_await asio::async_write(socket, asio::buffer(data, n), asio::use_awaitable);
    }
  };
  asio::co_spawn(
      asio::make_strand(context),
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i != connections; ++i) {
          const auto strand = asio::make_strand(context);
          asio::co_spawn(strand, session(co_await acceptor.async_accept(strand, asio::use_awaitable)),
                         counted);
        }
      },
      counted);
  for (int i = 0; i != connections; ++i)
    asio::co_spawn(
        asio::make_strand(context),
        [&, i]() -> asio::awaitable<void> {
          tcp::socket socket(co_await asio::this_coro::executor);
          co_await socket.async_connect(acceptor.endpoint(), asio::use_awaitable);
          for (int round = 0; round != rounds; ++round) {
            const std::string there = std::to_string(i * rounds + round);
            std::string back(there.size(), '\0');
            co_await asio::async_write(socket, asio::buffer(there), asio::use_awaitable);
            co_await asio::async_read(socket, asio::buffer(back), asio::use_awaitable);
            right += there == back;
          }
        },
        counted);
  std::vector<std::thread> threads;
  for (int i = 0; i != 4; ++i)
    threads.emplace_back([&] { context.run_for(60s); });
  for (auto& t : threads)
    t.join();
  BOOST_CHECK(context.stopped());
  BOOST_CHECK_EQUAL(failures, 0);
  BOOST_CHECK_EQUAL(right, connections * rounds);
}

BOOST_AUTO_TEST_SUITE_END()
