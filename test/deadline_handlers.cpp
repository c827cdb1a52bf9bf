// deadline_handlers.cpp: deadlines with tokens, executors, slots, threads and forks.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "deadline_fixture.hpp"
#include "replaced_new.hpp"
#include <atomic>
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(deadline_handlers)

// --- tokens and executors

BOOST_FIXTURE_TEST_CASE(coroutines_futures_and_tuples, connection<>)
{
  int timed_out = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        char data[8];
        auto [ec, n] = co_await server.async_read_some(asio::buffer(data),
                                                       within(20ms, asio::as_tuple(asio::use_awaitable)));
        timed_out += ec == asio::error::timed_out && n == 0;
        try {
          co_await asio::async_read(server, asio::buffer(data), within(20ms, asio::use_awaitable));
        } catch (const boost::system::system_error& e) {
          timed_out += e.code() == asio::error::timed_out;
        }
      },
      asio::detached);
  finish(context);
  BOOST_TEST(timed_out == 2);

  char data[8];
  auto future = server.async_read_some(asio::buffer(data), within(20ms, asio::use_future));
  finish(context);
  BOOST_CHECK_EXCEPTION(future.get(), boost::system::system_error,
                        [](const auto& e) { return e.code() == asio::error::timed_out; });
}

BOOST_FIXTURE_TEST_CASE(a_limit_goes_with_other_tokens, connection<>)
{
  char data[8];
  const auto read = [&](auto&& token) {
    return server.async_read_some(asio::buffer(data), std::forward<decltype(token)>(token));
  };
  BOOST_CHECK_EXCEPTION(read(within(20ms, asio_uring::use_wait)), boost::system::system_error,
                        [](const auto& e) { return e.code() == asio::error::timed_out; });
  error_code waited, redirected, in_tuple, by_token;
  read(within(20ms, asio_uring::use_wait(waited)));
  BOOST_TEST(waited == asio::error::timed_out);
  read(asio::as_tuple(
      within(20ms, [&](std::tuple<error_code, std::size_t> result) { in_tuple = std::get<0>(result); })));
  finish(context);
  BOOST_TEST(in_tuple == asio::error::timed_out);
  read(within(20ms, asio::redirect_error(asio::detached, redirected)));
  finish(context);
  BOOST_TEST(redirected == asio::error::timed_out);
  read(asio_uring::use_uring(within(20ms, [&](error_code ec, std::size_t) { by_token = ec; })));
  finish(context);
  BOOST_TEST(by_token == asio::error::timed_out);
}

BOOST_FIXTURE_TEST_CASE(a_coroutine_has_its_time, connection<>)
{
  char data[8];
  const auto waits = [&]() -> asio::awaitable<int> {
    co_await server.async_read_some(asio::buffer(data), asio::use_awaitable);
    co_return 1;
  };
  const auto throws = [&]() -> asio::awaitable<int> {
    throw std::runtime_error("its own");
    co_return 1;
  };
  std::exception_ptr late, thrown;
  asio::co_spawn(context, waits(), within(20ms, [&](std::exception_ptr e, int) { late = e; }));
  asio::co_spawn(context, throws(), within(20s, [&](std::exception_ptr e, int) { thrown = e; }));
  finish(context);
  BOOST_REQUIRE(late);
  BOOST_CHECK_EXCEPTION(std::rethrow_exception(late), boost::system::system_error,
                        [](const auto& e) { return e.code() == asio::error::timed_out; });
  BOOST_REQUIRE(thrown);
  BOOST_CHECK_THROW(std::rethrow_exception(thrown), std::runtime_error);
}

BOOST_FIXTURE_TEST_CASE(on_a_strand_the_time_comes_there, connection<>)
{
  auto strand = asio::make_strand(context);
  char data[8];
  outcome o;
  bool there = false;
  server.async_read_some(asio::buffer(data),
                         within(20ms, asio::bind_executor(strand, [&](error_code ec, std::size_t n) {
                                  there = strand.running_in_this_thread();
                                  o.record()(ec, n);
                                })));
  finish(context);
  CHECK_FAILED(o, asio::error::timed_out);
  BOOST_TEST(there);
}

BOOST_AUTO_TEST_CASE(a_handler_of_another_context_gets_its_time_there)
{
  asio::io_context other;
  auto here = std::make_unique<connection<>>();
  auto work = asio::make_work_guard(other);
  char data[2][8];
  outcome o, lost;
  here->server.async_read_some(asio::buffer(data[0]),
                               within(20ms, asio::bind_executor(other.get_executor(), o.record())));
  const auto limit = steady_clock::now() + 60s * slowness();
  while (!o.done() && steady_clock::now() < limit) {
    here->context.restart();
    here->context.run_for(5ms);
    other.poll();
  }
  CHECK_FAILED(o, asio::error::timed_out);

  // The operation's context is destroyed first.
  here->server.async_read_some(asio::buffer(data[1]),
                               within(1ms, asio::bind_executor(other.get_executor(), lost.record())));
  here->context.restart();
  here->context.run_for(20ms);
  here.reset();
  work.reset();
  other.poll();
  BOOST_TEST(lost.calls <= 1);
}

BOOST_FIXTURE_TEST_CASE(who_cancels_before_its_time_is_told_that_it_was_cancelled, connection<>)
{
  asio::cancellation_signal signal;
  char data[8], more[8];
  outcome o, closed;
  server.async_read_some(asio::buffer(data),
                         within(60s, asio::bind_cancellation_slot(signal.slot(), o.record())));
  context.poll();
  signal.emit(asio::cancellation_type::terminal);
  client.async_read_some(asio::buffer(more), within(60s, closed.record()));
  client.close();
  finish(context);
  CHECK_FAILED(o, asio::error::operation_aborted);
  CHECK_FAILED(closed, asio::error::operation_aborted);
  signal.emit(asio::cancellation_type::terminal); // an operation that has ended is not reached

  outcome in_time;
  server.async_read_some(asio::buffer(data),
                         within(20ms, asio::bind_cancellation_slot(signal.slot(), in_time.record())));
  finish(context);
  BOOST_TEST(in_time.calls == 1);
}

// --- lifetime, memory, threads, forks

BOOST_AUTO_TEST_CASE(a_context_ends_with_operations_that_have_time_left)
{
  const auto alive = std::make_shared<int>(0);
  asio::cancellation_signal signal;
  {
    connection<> c;
    char data[8];
    c.server.async_read_some(asio::buffer(data), within(1h, [alive](error_code, std::size_t) {}));
    c.client.async_read_some(
        asio::buffer(data),
        within(1ms, asio::bind_cancellation_slot(signal.slot(), [alive](error_code, std::size_t) {})));
    std::this_thread::sleep_for(5ms);
    c.context.run_one_for(0ms);
  }
  BOOST_TEST(alive.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(a_handler_that_outlives_its_context_gives_its_time_back)
{
  asio::io_context other;
  char data[8];
  const auto alive = std::make_shared<int>(0);
  {
    connection<> c;
    c.server.async_read_some(
        asio::buffer(data),
        within(1h, asio::bind_executor(other.get_executor(), [alive](error_code, std::size_t) {})));
    write_text(c.client, "x");
    c.context.run_for(50ms); // the handler waits in the other context
  }
  other.run();
  BOOST_TEST(alive.use_count() == 1);
}

BOOST_FIXTURE_TEST_CASE(the_steady_state_of_deadlines_allocates_nothing, connection<>)
{
  char c = 'x';
  int left = 50;
  struct relay
  {
    tcp::socket& read;
    tcp::socket& write;
    char& c;
    int& left;
    void operator()(error_code ec, std::size_t n)
    {
      if (ec || (n && --left <= 0)) return;
      ::send(write.native_handle(), &c, 1, 0);
      read.async_read_some(asio::buffer(&c, 1), within(60s, *this));
    }
  };
  relay{server, client, c, left}({}, 0);
  finish(context);
  left = 200;
  allocations_left = 5; // a few for the test itself; allocations per operation would be hundreds
  relay{server, client, c, left}({}, 0);
  context.restart();
  context.run();
  allocations_left = -1;
  BOOST_TEST(left <= 0);
}

BOOST_AUTO_TEST_CASE(threads_and_strands)
{
  asio::thread_pool pool(3);
  std::vector<std::unique_ptr<local::socket>> sockets;
  std::atomic<int> timed_out{0}, read{0};
  constexpr int pairs = 8;
  const int count = rounds(60);
  for (int i = 0; i != pairs; ++i) {
    sockets.push_back(std::make_unique<local::socket>(pool));
    sockets.push_back(std::make_unique<local::socket>(pool));
    local::socket &a = *sockets[2 * static_cast<unsigned>(i)],
                  &b = *sockets[2 * static_cast<unsigned>(i) + 1];
    asio::local::connect_pair(a, b);
    asio::co_spawn(
        asio::make_strand(pool),
        [&]() -> asio::awaitable<void> {
          for (int n = 0; n < count;) {
            char data[4];
            auto [ec, size] = co_await asio::async_read(a, asio::buffer(data, 1 + n % 2),
                                                        within(1ms, asio::as_tuple(asio::use_awaitable)));
            if (ec == asio::error::timed_out) ++timed_out;
            if (ec && ec != asio::error::timed_out) break;
            n += static_cast<int>(size);
            read += static_cast<int>(size);
          }
        },
        asio::detached);
    asio::co_spawn(
        asio::make_strand(pool),
        [&]() -> asio::awaitable<void> {
          asio::steady_timer timer(co_await asio::this_coro::executor);
          for (int n = 0; n != count + 1; ++n) {
            timer.expires_after(std::chrono::microseconds(300 * (n % 7)));
            co_await timer.async_wait(asio::use_awaitable);
            co_await asio::async_write(b, asio::buffer("x", 1), within(10s, asio::use_awaitable));
          }
        },
        asio::detached);
  }
  pool.join();
  BOOST_TEST(read >= pairs * count);
  BOOST_TEST(timed_out > 0);
}

BOOST_FIXTURE_TEST_CASE(after_a_fork_both_processes_end_in_time, connection<>)
{
  char data[8];
  outcome o;
  const auto start = steady_clock::now();
  server.async_read_some(asio::buffer(data), within(100ms, o.record()));
  context.poll();
  fork_and_finish(context, [&] { return o.error == asio::error::timed_out; });
  CHECK_FAILED(o, asio::error::timed_out);
  check_time(start, 100ms);
}

BOOST_AUTO_TEST_SUITE_END()
