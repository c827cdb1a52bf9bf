// test/use_wait_token.cpp: use_wait, the token that blocks the calling thread.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <atomic>
#include <future>
#include <thread>

using namespace test;
using asio_uring::use_wait;

namespace {

struct wait_fixture : scratch_directory
{
  asio::io_context context;
};

/// A context that is run by a thread of its own until it is destroyed.
struct running
{
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  std::thread thread{[this] { context.run(); }};
  ~running() { stop(); }
  void stop()
  {
    guard.reset();
    context.stop();
    if (thread.joinable()) thread.join();
  }
};

template <class Executor>
struct echoing_pair
{
  asio::basic_stream_socket<local, Executor> a, b;
  explicit echoing_pair(const Executor& ex) : a(ex), b(ex) { asio::local::connect_pair(a, b); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(use_wait_token, wait_fixture)

// --- no thread runs the context

BOOST_AUTO_TEST_CASE(without_a_loop_the_calling_thread_runs_the_context)
{
  asio_uring::random_access_file file(context, write_file("file", "0123456789"), asio::file_base::read_only);
  char text[4];
  for (int i = 0; i != 100; ++i) {
    BOOST_TEST(file.async_read_some_at(3, asio::buffer(text), use_wait) == 4u);
    BOOST_TEST(std::string_view(text, 4) == "3456");
  }
}

// Every overload of async_accept is asked first what the token would return.
BOOST_AUTO_TEST_CASE(a_connection_is_accepted_into_an_existing_socket_or_a_new_one)
{
  tcp::acceptor acceptor(context, loopback());
  tcp::socket clients[] = {tcp::socket(context), tcp::socket(context), tcp::socket(context)},
              accepted(context);
  for (auto& c : clients)
    c.connect(acceptor.local_endpoint());
  tcp::endpoint peer;
  acceptor.async_accept(accepted, peer, use_wait);
  BOOST_CHECK_EQUAL(peer, clients[0].local_endpoint());
  BOOST_CHECK_EQUAL(acceptor.async_accept(use_wait).remote_endpoint(), clients[1].local_endpoint());
  accepted.close();
  acceptor.async_accept(accepted, use_wait);
  BOOST_CHECK_EQUAL(accepted.remote_endpoint(), clients[2].local_endpoint());
}

BOOST_AUTO_TEST_CASE(composed_operations_timers_sockets_and_coroutines)
{
  asio_uring::stream_file file(context, path("new"), asio::file_base::read_write | asio::file_base::create);
  const std::string text(300'000, 'x');
  BOOST_TEST(asio::async_write(file, asio::buffer(text), use_wait) == text.size());
  BOOST_TEST(read_file(path("new")) == text);

  asio::steady_timer timer(context, 5ms);
  timer.async_wait(use_wait);
  BOOST_CHECK(timer.expiry() <= std::chrono::steady_clock::now());

  pair<tcp> sockets(context);
  BOOST_TEST(asio::async_write(sockets.client, asio::buffer("hello", 5), use_wait) == 5u);
  std::string got(5, '\0');
  BOOST_TEST(asio::async_read(sockets.server, asio::buffer(got), use_wait) == 5u);
  BOOST_TEST(got == "hello");

  BOOST_TEST(asio::co_spawn(
                 context, []() -> asio::awaitable<int> { co_return 7; }, use_wait) == 7);
  BOOST_CHECK_THROW(
      asio::co_spawn(
          context, []() -> asio::awaitable<int> { throw std::out_of_range("its own"); }, use_wait),
      std::out_of_range);
}

BOOST_AUTO_TEST_CASE(values_come_back_as_nothing_one_or_a_tuple)
{
  const auto with = [&](auto signature, auto... values) {
    return asio::async_initiate<const asio_uring::use_wait_t, typename decltype(signature)::type>(
        [](auto handler, auto... v) { std::move(handler)(v...); }, use_wait, values...);
  };
  static_assert(std::is_void_v<decltype(with(std::type_identity<void()>()))>);
  with(std::type_identity<void()>());
  BOOST_TEST(with(std::type_identity<void(int)>(), 5) == 5);
  BOOST_CHECK((with(std::type_identity<void(error_code, int, char)>(), error_code(), 5, 'c') ==
               std::tuple<int, char>(5, 'c')));
}

BOOST_AUTO_TEST_CASE(the_context_is_left_as_it_was_found)
{
  asio::steady_timer timer(context, 1ms);
  timer.async_wait(use_wait);
  BOOST_TEST(!context.stopped());
  outcome later;
  asio::post(context, [&] { later.record()({}); });
  check_count(context.run(), 1);
  BOOST_TEST(later.done());

  BOOST_TEST(context.stopped());
  timer.expires_after(1ms);
  timer.async_wait(use_wait);
  BOOST_TEST(context.stopped());
}

BOOST_AUTO_TEST_CASE(a_stop_by_a_handler_does_not_end_the_wait_and_is_kept)
{
  asio::steady_timer timer(context, 20ms);
  asio::post(context, [&] { context.stop(); });
  timer.async_wait(use_wait);
  BOOST_CHECK(timer.expiry() <= std::chrono::steady_clock::now());
  BOOST_TEST(context.stopped());
}

BOOST_AUTO_TEST_CASE(what_a_handler_of_others_throws_leaves_the_call_when_the_operation_has_ended)
{
  asio::steady_timer timer(context, 20ms);
  asio::post(context, [] { throw std::out_of_range("another's"); });
  BOOST_CHECK_THROW(timer.async_wait(use_wait), std::out_of_range);
  BOOST_CHECK(timer.expiry() <= std::chrono::steady_clock::now());
}

BOOST_AUTO_TEST_CASE(an_operation_that_another_thread_completes_wakes_the_waiting_one)
{
  std::thread helper;
  const auto started = std::chrono::steady_clock::now();
  const int value = asio::async_compose<const asio_uring::use_wait_t, void(error_code, int)>(
      [&](auto& self) {
        helper = std::thread([self = std::make_shared<std::decay_t<decltype(self)>>(std::move(self))] {
          std::this_thread::sleep_for(100ms);
          self->complete(error_code(), 42);
        });
      },
      use_wait, context);
  BOOST_TEST(value == 42);
  BOOST_CHECK(std::chrono::steady_clock::now() - started < 10s);
  helper.join();
}

BOOST_AUTO_TEST_CASE(an_operation_that_hides_its_executor_is_run_all_the_same)
{
  asio::steady_timer timer(context, 5ms);
  asio::async_initiate<const asio_uring::use_wait_t, void(error_code)>(
      [&](auto handler) { timer.async_wait(std::move(handler)); }, use_wait);
  BOOST_CHECK(timer.expiry() <= std::chrono::steady_clock::now());
}

// --- errors

BOOST_AUTO_TEST_CASE(a_leading_error_is_thrown_or_reported)
{
  asio_uring::random_access_file file(context, write_file("file", "0123"), asio::file_base::read_only);
  char text[4];
  BOOST_CHECK_EXCEPTION(file.async_read_some_at(100, asio::buffer(text), use_wait),
                        boost::system::system_error,
                        [](const auto& e) { return e.code() == asio::error::eof; });

  error_code ec = asio::error::fault;
  BOOST_TEST(file.async_read_some_at(0, asio::buffer(text), use_wait(ec)) == 4u);
  BOOST_TEST(!ec);
  BOOST_TEST(file.async_read_some_at(100, asio::buffer(text), use_wait(ec)) == 0u);
  BOOST_TEST(ec == asio::error::eof);

  auto [error, n] = file.async_read_some_at(2, asio::buffer(text), asio::as_tuple(use_wait));
  BOOST_TEST(!error);
  BOOST_TEST(n == 2u);
  std::tie(error, n) = asio::async_read_at(file, 0, asio::buffer(text), asio::as_tuple(use_wait));
  BOOST_TEST(n == 4u);
  n = file.async_read_some_at(100, asio::buffer(text), asio::redirect_error(use_wait, ec));
  BOOST_TEST(ec == asio::error::eof);
}

BOOST_AUTO_TEST_CASE(a_cancelled_operation_says_so)
{
  echoing_pair sockets(context.get_executor());
  asio::post(context, [&] { sockets.a.cancel(); });
  char c;
  error_code ec;
  sockets.a.async_read_some(asio::buffer(&c, 1), use_wait(ec));
  BOOST_TEST(ec == asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(a_handler_destroyed_unused_ends_the_wait)
{
  BOOST_CHECK_EXCEPTION(
      (asio::async_initiate<const asio_uring::use_wait_t, void(int)>([](auto) {}, use_wait)),
      boost::system::system_error, [](const auto& e) { return e.code() == asio::error::operation_aborted; });
}

// --- inside the loop

BOOST_AUTO_TEST_CASE(inside_the_loop_it_is_an_error_and_nothing_is_started)
{
  const auto strand = asio::make_strand(context);
  asio::steady_timer plain(context, 1h), in_strand(asio::any_io_executor(strand), 1h);
  int refused = 0;
  const auto attempt = [&] {
    for (auto* timer : {&plain, &in_strand}) {
      BOOST_CHECK_THROW(timer->async_wait(use_wait), std::logic_error);
      BOOST_CHECK_THROW(timer->async_wait(asio::as_tuple(use_wait)), std::logic_error);
      BOOST_TEST(timer->cancel() == 0u);
      ++refused;
    }
  };
  asio::post(context, attempt);
  asio::post(strand, attempt);
  finish(context);
  BOOST_TEST(refused == 4);
}

BOOST_AUTO_TEST_CASE(inside_the_loop_of_a_wait_it_is_an_error)
{
  asio::steady_timer timer(context, 5ms), other(context, 1h);
  bool refused = false;
  asio::post(context, [&] {
    BOOST_CHECK_THROW(other.async_wait(use_wait), std::logic_error);
    refused = true;
  });
  timer.async_wait(use_wait);
  BOOST_TEST(refused);
}

BOOST_AUTO_TEST_CASE(inside_the_loop_an_operation_that_hides_its_executor_is_cancelled)
{
  asio::steady_timer timer(context, 1h);
  bool refused = false;
  asio::post(context, [&] {
    BOOST_CHECK_THROW((asio::async_initiate<const asio_uring::use_wait_t, void(error_code)>(
                          [&](auto handler) { timer.async_wait(std::move(handler)); }, use_wait)),
                      std::logic_error);
    refused = true;
  });
  finish(context);
  BOOST_TEST(refused);
}

BOOST_AUTO_TEST_CASE(inside_a_thread_pool_it_is_an_error)
{
  asio::thread_pool pool(2);
  asio::steady_timer timer(pool, 1h);
  std::promise<bool> refused;
  asio::post(pool, [&] {
    try {
      timer.async_wait(use_wait);
      refused.set_value(false);
    } catch (const std::logic_error&) {
      refused.set_value(true);
    }
  });
  BOOST_TEST(refused.get_future().get());
}

BOOST_AUTO_TEST_CASE(inside_the_loop_of_another_context_it_waits)
{
  asio::io_context other;
  asio::steady_timer timer(other, 5ms);
  bool waited = false;
  asio::post(context, [&] {
    timer.async_wait(use_wait);
    waited = true;
  });
  finish(context);
  BOOST_TEST(waited);
}

// --- another thread runs the context

BOOST_AUTO_TEST_CASE(with_a_loop_in_another_thread_no_handler_runs_here)
{
  running loop;
  asio_uring::random_access_file file(loop.context, write_file("file", "0123456789"),
                                      asio::file_base::read_only);
  const auto here = std::this_thread::get_id();
  std::atomic<int> ran = 0, ran_here = 0;
  char text[10];
  for (int i = 0; i != 1000; ++i) {
    asio::post(loop.context, [&] {
      ++ran;
      if (std::this_thread::get_id() == here) ++ran_here;
    });
    BOOST_TEST(file.async_read_some_at(0, asio::buffer(text), use_wait) == 10u);
  }
  asio::post(loop.context, use_wait); // behind the last one posted, which may run after a read has ended
  loop.stop();
  BOOST_TEST(ran == 1000);
  BOOST_TEST(ran_here == 0);
}

BOOST_AUTO_TEST_CASE(a_loop_whose_handler_takes_its_time_is_waited_for)
{
  running loop;
  asio::steady_timer timer(loop.context, 1ms);
  timer.async_wait(use_wait);
  const auto here = std::this_thread::get_id();
  std::atomic<int> ran_here = 0;
  std::promise<void> busy;
  asio::post(loop.context, [&] {
    busy.set_value();
    std::this_thread::sleep_for(300ms);
  });
  busy.get_future().wait();
  if (!counts_are_exact()) return; // with Asio's own reactor, a busy loop looks like none
  asio::post(loop.context, [&] { ran_here += std::this_thread::get_id() == here; });
  timer.expires_after(1ms);
  timer.async_wait(use_wait);
  BOOST_TEST(ran_here == 0);
}

BOOST_AUTO_TEST_CASE(a_long_wait_with_a_loop_in_another_thread)
{
  running loop;
  asio::steady_timer timer(loop.context, 2500ms);
  const auto here = std::this_thread::get_id();
  std::atomic<int> ran_here = 0;
  asio::steady_timer other(loop.context, 1500ms);
  other.async_wait([&](error_code) { ran_here += std::this_thread::get_id() == here; });
  timer.async_wait(use_wait);
  BOOST_TEST(ran_here == 0);
}

BOOST_AUTO_TEST_CASE(a_loop_that_has_ended_is_not_waited_for)
{
  asio::steady_timer timer(context, 1ms);
  timer.async_wait([](error_code) {});
  std::thread([&] { context.run(); }).join();
  context.restart();
  timer.expires_after(1ms);
  timer.async_wait(use_wait); // the thread that ran the context has exited

  timer.expires_after(1ms);
  timer.async_wait([](error_code) {});
  std::promise<void> ran, leave;
  std::thread idle([&] {
    context.run();
    ran.set_value();
    leave.get_future().wait();
  });
  ran.get_future().wait();
  context.restart();
  timer.expires_after(1ms);
  timer.async_wait(use_wait); // the thread that ran the context does something else
  leave.set_value();
  idle.join();
}

BOOST_AUTO_TEST_CASE(a_loop_that_is_stopped_during_the_wait_is_replaced)
{
  running loop;
  asio::steady_timer timer(loop.context, 300ms);
  asio::post(loop.context, [&] { loop.context.stop(); });
  timer.async_wait(use_wait);
  BOOST_CHECK(timer.expiry() <= std::chrono::steady_clock::now());
  BOOST_TEST(loop.context.stopped());
}

BOOST_AUTO_TEST_CASE(objects_in_strands_and_many_waiting_threads)
{
  running loop;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t != 4; ++t)
    threads.emplace_back([&] {
      echoing_pair<asio::any_io_executor> sockets(asio::make_strand(loop.context));
      std::string text(20'000, 'a'), got(text.size(), '\0');
      for (int i = 0; i != 100; ++i) {
        failed += asio::async_write(sockets.a, asio::buffer(text), use_wait) != text.size();
        failed += asio::async_read(sockets.b, asio::buffer(got), use_wait) != got.size();
      }
      failed += got != text;
    });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(failed == 0);
}

BOOST_AUTO_TEST_CASE(an_object_on_a_thread_pool)
{
  asio::thread_pool pool(1);
  asio_uring::random_access_file file(pool, write_file("file", "0123456789"), asio::file_base::read_only);
  char text[10];
  for (int i = 0; i != 100; ++i)
    BOOST_TEST(file.async_read_some_at(0, asio::buffer(text), use_wait) == 10u);
}

BOOST_AUTO_TEST_CASE(a_pool_whose_threads_run_before_its_first_object_ends_at_once)
{
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i != 300; ++i) {
    asio::thread_pool pool(2);
    asio::steady_timer timer(pool, 1h);
  }
  BOOST_CHECK(std::chrono::steady_clock::now() - start < 60s);
}

BOOST_AUTO_TEST_SUITE_END()
