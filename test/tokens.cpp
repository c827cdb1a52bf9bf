// test/tokens.cpp: completion tokens other than coroutines, and when and where handlers run.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <future>
#include <stdexcept>
#include <thread>

using namespace test;

namespace {

/// Runs accept, connect, write, wait and read, each with the handler that `wrap` makes of a plain one.
struct every_operation
{
  asio::io_context context;
  listener acceptor{context};
  tcp::socket client{context}, server{context};
  std::array<char, 16> data;
  outcome accepted, connected, written, waited, read;

  template <class Wrap>
  void start(Wrap wrap)
  {
    acceptor.async_accept(server, wrap(accepted.record()));
    client.async_connect(acceptor.endpoint(), wrap(connected.record()));
    finish(context);
    client.async_write_some(asio::buffer("hello", 5), wrap(written.record()));
    server.async_wait(tcp::socket::wait_read, wrap(waited.record()));
    finish(context);
    server.async_read_some(asio::buffer(data), wrap(read.record()));
    finish(context);
  }

  void check()
  {
    CHECK_SUCCEEDED(accepted);
    CHECK_SUCCEEDED(connected);
    CHECK_SUCCEEDED(written);
    CHECK_SUCCEEDED(waited);
    CHECK_SUCCEEDED(read);
    BOOST_CHECK_EQUAL(read.bytes, 5u);
  }
};

/// Forwards to an io_context and counts what it was given.
struct counting_executor
{
  asio::io_context::executor_type inner;
  int* executed;

  asio::execution_context& query(asio::execution::context_t) const noexcept { return inner.context(); }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept
  {
    return asio::execution::blocking.never;
  }
  template <class F>
  void execute(F f) const
  {
    ++*executed;
    asio::require(inner, asio::execution::blocking.never).execute(std::move(f));
  }
  bool operator==(const counting_executor&) const noexcept = default;
};

template <class T>
struct counting_allocator
{
  using value_type = T;
  struct counts
  {
    std::atomic<int> allocations = 0;
    std::atomic<int> alive = 0;
  };
  counts* count;

  explicit counting_allocator(counts& c) : count(&c) {}
  template <class U>
  counting_allocator(const counting_allocator<U>& other) : count(reinterpret_cast<counts*>(other.count))
  {}
  T* allocate(std::size_t n)
  {
    ++count->allocations;
    ++count->alive;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n)
  {
    --count->alive;
    std::allocator<T>().deallocate(p, n);
  }
  template <class U>
  bool operator==(const counting_allocator<U>& other) const
  {
    return static_cast<void*>(count) == static_cast<void*>(other.count);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(tokens)

BOOST_AUTO_TEST_CASE(callback)
{
  every_operation all;
  all.start([](auto handler) { return handler; });
  all.check();
}

BOOST_AUTO_TEST_CASE(move_only_handler)
{
  every_operation all;
  all.start([](auto handler) {
    return [handler, unique = std::make_unique<int>(1)](error_code error,
                                                        std::same_as<std::size_t> auto... size) mutable {
      if (unique) handler(error, size...);
    };
  });
  all.check();
}

BOOST_AUTO_TEST_CASE(handler_bound_to_a_strand_runs_in_it)
{
  every_operation all;
  auto strand = asio::make_strand(all.context);
  int inside = 0;
  all.start([&](auto handler) {
    return asio::bind_executor(
        strand, [&, handler](error_code error, std::same_as<std::size_t> auto... size) mutable {
          inside += strand.running_in_this_thread();
          handler(error, size...);
        });
  });
  all.check();
  BOOST_CHECK_EQUAL(inside, 5);
}

BOOST_AUTO_TEST_CASE(handler_bound_to_a_thread_pool_runs_there)
{
  every_operation all;
  asio::thread_pool pool(1);
  int inside = 0;
  all.start([&](auto handler) {
    return asio::bind_executor(
        pool, [&, handler](error_code error, std::same_as<std::size_t> auto... size) mutable {
          inside += pool.get_executor().running_in_this_thread();
          handler(error, size...);
        });
  });
  pool.join();
  all.check();
  BOOST_CHECK_EQUAL(inside, 5);
}

BOOST_AUTO_TEST_CASE(handler_bound_to_another_io_context_runs_there)
{
  every_operation all;
  asio::io_context other;
  all.start([&](auto handler) { return asio::bind_executor(other, handler); });
  BOOST_CHECK_EQUAL(all.read.calls, 0);
  BOOST_CHECK_EQUAL(other.run(), 5u);
  all.check();
}

BOOST_AUTO_TEST_CASE(work_is_outstanding_on_the_handlers_executor_meanwhile)
{
  connection c;
  asio::io_context other;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), asio::bind_executor(other, read.record()));
  other.poll();
  BOOST_CHECK(!other.stopped());
  write_text(c.client, "x");
  finish(c.context);
  finish(other);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(associated_executor_of_ones_own)
{
  every_operation all;
  int executed = 0;
  counting_executor executor{all.context.get_executor(), &executed};
  all.start([&](auto handler) { return asio::bind_executor(executor, handler); });
  all.check();
  BOOST_CHECK_GE(executed, 5);
}

BOOST_AUTO_TEST_CASE(associated_allocator_is_used_and_balanced)
{
  every_operation all;
  counting_allocator<void>::counts counts;
  all.start([&](auto handler) { return asio::bind_allocator(counting_allocator<void>(counts), handler); });
  all.check();
  BOOST_CHECK_GE(counts.allocations, 5);
  BOOST_CHECK_EQUAL(counts.alive, 0);
}

BOOST_AUTO_TEST_CASE(operation_memory_is_released_before_the_handler_runs)
{
  connection c;
  counting_allocator<void>::counts counts;
  std::array<char, 8> data;
  int alive = -1;
  c.server.async_read_some(asio::buffer(data),
                           asio::bind_allocator(counting_allocator<void>(counts),
                                                [&](error_code, std::size_t) { alive = counts.alive; }));
  write_text(c.client, "x");
  finish(c.context);
  BOOST_CHECK_EQUAL(alive, 0);
}

BOOST_AUTO_TEST_CASE(cancellation_slot_that_never_fires)
{
  every_operation all;
  std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
  all.start([&](auto handler) {
    signals.push_back(std::make_unique<asio::cancellation_signal>());
    return asio::bind_cancellation_slot(signals.back()->slot(), handler);
  });
  all.check();
}

BOOST_AUTO_TEST_CASE(append_and_prepend)
{
  connection c;
  write_text(c.client, "abc");
  std::array<char, 8> data;
  int sum = 0;
  c.server.async_read_some(
      asio::buffer(data),
      asio::prepend(asio::append([&](int a, error_code, std::size_t n, int b) { sum = a + int(n) + b; }, 10),
                    100));
  finish(c.context);
  BOOST_CHECK_EQUAL(sum, 113);
}

// Asio's system context starts threads when it is first used: no test before this one may use it.
BOOST_AUTO_TEST_CASE(future_starts_no_threads)
{
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
  };
  connection c;
  const auto before = threads();
  auto written = c.client.async_write_some(asio::buffer("abc", 3), asio::use_future);
  finish(c.context);
  BOOST_CHECK_EQUAL(written.get(), 3u);
  BOOST_CHECK_EQUAL(threads(), before);
}

BOOST_AUTO_TEST_CASE(future)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context);
  std::array<char, 8> data;

  auto accepted = acceptor.async_accept(asio::use_future);
  auto connected = client.async_connect(acceptor.endpoint(), asio::use_future);
  finish(context);
  connected.get();
  auto server = accepted.get();

  auto written = client.async_write_some(asio::buffer("abc", 3), asio::use_future);
  auto waited = server.async_wait(tcp::socket::wait_read, asio::use_future);
  finish(context);
  waited.get();
  auto read = server.async_read_some(asio::buffer(data), asio::use_future);
  finish(context);
  BOOST_CHECK_EQUAL(written.get(), 3u);
  BOOST_CHECK_EQUAL(read.get(), 3u);
}

BOOST_AUTO_TEST_CASE(future_waited_for_in_another_thread)
{
  connection c;
  auto work = asio::make_work_guard(c.context);
  std::thread thread([&] { c.context.run(); });
  std::array<char, 8> data;
  auto read = c.server.async_read_some(asio::buffer(data), asio::use_future);
  auto written = c.client.async_write_some(asio::buffer("abc", 3), asio::use_future);
  bool ready =
      read.wait_for(30s) == std::future_status::ready && written.wait_for(30s) == std::future_status::ready;
  work.reset();
  if (!ready) c.context.stop();
  thread.join();
  BOOST_REQUIRE(ready);
  BOOST_CHECK_EQUAL(read.get(), 3u);
}

BOOST_AUTO_TEST_CASE(future_carries_the_error)
{
  connection c;
  std::array<char, 8> data;
  c.client.close();
  auto read = c.server.async_read_some(asio::buffer(data), asio::use_future);
  finish(c.context);
  BOOST_CHECK_EXCEPTION(read.get(), boost::system::system_error,
                        [](auto& e) { return e.code() == asio::error::eof; });
}

BOOST_AUTO_TEST_CASE(deferred_starts_when_invoked)
{
  connection c;
  std::array<char, 8> data;
  outcome read;
  auto operation = c.server.async_read_some(asio::buffer(data), asio::deferred);
  write_text(c.client, "abc");
  BOOST_CHECK_EQUAL(finish(c.context), 0u);
  std::move(operation)(read.record());
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(deferred_chains_operations)
{
  connection c;
  std::array<char, 8> data;
  outcome echoed;
  auto echo =
      c.server.async_read_some(asio::buffer(data), asio::deferred([&](error_code, std::size_t n) {
                                 return c.server.async_write_some(asio::buffer(data, n), asio::deferred);
                               }));
  std::move(echo)(echoed.record());
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(echoed);
  BOOST_CHECK_EQUAL(read_text(c.client, 3), "abc");
}

BOOST_AUTO_TEST_CASE(detached_write_arrives)
{
  connection c;
  c.client.async_write_some(asio::buffer("abc", 3), asio::detached);
  finish(c.context);
  BOOST_CHECK_EQUAL(read_text(c.server, 3), "abc");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(handler_never_runs_inside_the_initiating_function, Protocol, stream_protocols)
{
  connection<Protocol> c;
  write_text(c.client, "abc");
  std::array<char, 8> data;
  outcome read, written, waited, nothing_read, nothing_written;
  bool nested = false;
  asio::post(c.context, [&] {
    c.server.async_wait(Protocol::socket::wait_read, waited.record());
    c.server.async_read_some(asio::buffer(data, 0), nothing_read.record());
    c.server.async_write_some(asio::buffer(data, 0), nothing_written.record());
    c.server.async_read_some(asio::buffer(data), read.record());
    c.server.async_write_some(asio::buffer("x", 1), written.record());
    nested = waited.done() || nothing_read.done() || nothing_written.done() || read.done() || written.done();
  });
  finish(c.context);
  BOOST_CHECK(!nested);
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(written);
  CHECK_SUCCEEDED(waited);
  CHECK_SUCCEEDED(nothing_read);
  CHECK_SUCCEEDED(nothing_written);
}

BOOST_AUTO_TEST_CASE(handler_of_connect_and_accept_never_runs_inside_the_initiating_function)
{
  asio::io_context context;
  socket_path path;
  local::acceptor acceptor(context, local::endpoint(path.name));
  local::socket client(context), server(context);
  outcome connected, accepted;
  bool nested = false;
  asio::post(context, [&] {
    client.async_connect(local::endpoint(path.name), connected.record());
    acceptor.async_accept(server, accepted.record());
    nested = connected.done() || accepted.done();
  });
  finish(context);
  BOOST_CHECK(!nested);
  CHECK_SUCCEEDED(connected);
  CHECK_SUCCEEDED(accepted);
}

BOOST_AUTO_TEST_CASE(handler_of_a_failing_initiation_never_runs_inside_it)
{
  asio::io_context context;
  tcp::socket closed(context);
  std::array<char, 8> data;
  outcome read;
  bool nested = false;
  asio::post(context, [&] {
    closed.async_read_some(asio::buffer(data), read.record());
    nested = read.done();
  });
  finish(context);
  BOOST_CHECK(!nested);
  CHECK_FAILED(read, asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(handler_throws_and_run_goes_on_afterwards)
{
  asio::io_context context;
  pair<> first(context), second(context);
  std::array<char, 8> data, more;
  outcome read;
  first.server.async_read_some(asio::buffer(data),
                               [](error_code, std::size_t) { throw std::runtime_error("from the handler"); });
  second.server.async_read_some(asio::buffer(more), read.record());
  write_text(first.client, "x");
  BOOST_CHECK_THROW(context.run(), std::runtime_error);
  write_text(second.client, "y");
  finish(context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(all_handlers_of_a_batch_throw_one_by_one)
{
  asio::io_context context;
  std::array<char, 8> data;
  std::vector<std::unique_ptr<pair<>>> pairs;
  for (int i = 0; i != 5; ++i) {
    pairs.push_back(std::make_unique<pair<>>(context));
    pairs.back()->server.async_read_some(asio::buffer(data), [](error_code, std::size_t) { throw 1; });
  }
  context.poll();
  for (auto& p : pairs)
    write_text(p->client, "x");
  int thrown = 0;
  for (bool ended = false; !ended;) {
    try {
      context.run();
      ended = true;
    } catch (int) {
      ++thrown;
    }
  }
  BOOST_CHECK_EQUAL(thrown, 5);
}

BOOST_AUTO_TEST_SUITE_END()
