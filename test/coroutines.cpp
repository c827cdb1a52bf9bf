// test/coroutines.cpp: coroutines of every kind, and operations that run in parallel in them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/spawn.hpp>

#include <exception>

using namespace test;

namespace {

template <class Coroutine>
void run_coroutine(asio::io_context& context, Coroutine coroutine)
{
  std::exception_ptr failure;
  bool ended = false;
  asio::co_spawn(context, std::move(coroutine), [&](std::exception_ptr e) {
    failure = e;
    ended = true;
  });
  finish(context);
  BOOST_REQUIRE(ended);
  if (failure) std::rethrow_exception(failure);
}

} // namespace

BOOST_AUTO_TEST_SUITE(coroutines)

BOOST_AUTO_TEST_CASE(coroutine)
{
  asio::io_context context;
  listener acceptor(context);
  std::string received;
  auto serve = [&]() -> asio::awaitable<void> {
    tcp::socket server = co_await acceptor.async_accept(asio::use_awaitable);
    co_await server.async_wait(tcp::socket::wait_read, asio::use_awaitable);
    std::array<char, 8> data;
    auto size = co_await server.async_read_some(asio::buffer(data), asio::use_awaitable);
    received.assign(data.data(), size);
  };
  auto send = [&]() -> asio::awaitable<void> {
    tcp::socket client(context);
    co_await client.async_connect(acceptor.endpoint(), asio::use_awaitable);
    co_await client.async_wait(tcp::socket::wait_write, asio::use_awaitable);
    co_await client.async_write_some(asio::buffer("hello", 5), asio::use_awaitable);
  };
  asio::co_spawn(context, send, asio::detached);
  run_coroutine(context, serve);
  BOOST_CHECK_EQUAL(received, "hello");
}

BOOST_AUTO_TEST_CASE(coroutine_gets_errors_as_exceptions)
{
  connection c;
  c.client.close();
  std::array<char, 8> data;
  BOOST_CHECK_THROW(run_coroutine(c.context,
                                  [&]() -> asio::awaitable<void> {
                                    co_await c.server.async_read_some(asio::buffer(data),
                                                                      asio::use_awaitable);
                                  }),
                    boost::system::system_error);
}

BOOST_AUTO_TEST_CASE(use_awaitable_as_default_token_of_the_socket)
{
  connection c;
  auto server = asio::use_awaitable.as_default_on(std::move(c.server));
  std::size_t size = 0;
  write_text(c.client, "abc");
  run_coroutine(c.context, [&]() -> asio::awaitable<void> {
    std::array<char, 8> data;
    size = co_await server.async_read_some(asio::buffer(data));
  });
  BOOST_CHECK_EQUAL(size, 3u);
}

BOOST_AUTO_TEST_CASE(as_tuple_gives_the_error_as_a_value)
{
  connection c;
  c.client.close();
  error_code error;
  run_coroutine(c.context, [&]() -> asio::awaitable<void> {
    std::array<char, 8> data;
    auto [e, n] = co_await c.server.async_read_some(asio::buffer(data), asio::as_tuple(asio::use_awaitable));
    error = e;
  });
  BOOST_CHECK_EQUAL(error, asio::error::eof);
}

BOOST_AUTO_TEST_CASE(redirect_error_stores_the_error)
{
  connection c;
  c.client.close();
  error_code error;
  run_coroutine(c.context, [&]() -> asio::awaitable<void> {
    std::array<char, 8> data;
    co_await c.server.async_read_some(asio::buffer(data), asio::redirect_error(asio::use_awaitable, error));
  });
  BOOST_CHECK_EQUAL(error, asio::error::eof);
}

BOOST_AUTO_TEST_CASE(stackful_coroutine)
{
  asio::io_context context;
  listener acceptor(context);
  std::string received;
  asio::spawn(
      context,
      [&](asio::yield_context yield) {
        tcp::socket server(context);
        acceptor.async_accept(server, yield);
        server.async_wait(tcp::socket::wait_read, yield);
        std::array<char, 8> data;
        auto size = server.async_read_some(asio::buffer(data), yield);
        received.assign(data.data(), size);
        error_code error;
        server.async_read_some(asio::buffer(data), yield[error]);
        received += error == asio::error::eof ? " eof" : error.message();
      },
      asio::detached);
  asio::spawn(
      context,
      [&](asio::yield_context yield) {
        tcp::socket client(context);
        client.async_connect(acceptor.endpoint(), yield);
        client.async_write_some(asio::buffer("hello", 5), yield);
      },
      asio::detached);
  finish(context);
  BOOST_CHECK_EQUAL(received, "hello eof");
}

BOOST_AUTO_TEST_CASE(awaitable_operator_and)
{
  using namespace asio::experimental::awaitable_operators;
  connection c;
  std::array<char, 8> data;
  std::tuple<std::size_t, std::size_t> sizes;
  run_coroutine(c.context, [&]() -> asio::awaitable<void> {
    sizes = co_await (c.server.async_read_some(asio::buffer(data), asio::use_awaitable) &&
                      c.client.async_write_some(asio::buffer("abc", 3), asio::use_awaitable));
  });
  BOOST_CHECK(sizes == std::tuple(3u, 3u));
}

BOOST_AUTO_TEST_CASE(awaitable_operator_or_cancels_the_loser)
{
  using namespace asio::experimental::awaitable_operators;
  connection c;
  std::array<char, 8> data;
  asio::steady_timer timer(c.context, 1ms);
  std::size_t winner = 9;
  run_coroutine(c.context, [&]() -> asio::awaitable<void> {
    auto result = co_await (c.server.async_read_some(asio::buffer(data), asio::use_awaitable) ||
                            timer.async_wait(asio::use_awaitable));
    winner = result.index();
  });
  BOOST_CHECK_EQUAL(winner, 1u);
}

BOOST_AUTO_TEST_CASE(parallel_group_wait_for_one)
{
  connection c;
  std::array<char, 8> data;
  asio::steady_timer timer(c.context, 1h);
  std::array<std::size_t, 2> order{};
  error_code read_error, timer_error;
  asio::experimental::make_parallel_group(c.server.async_read_some(asio::buffer(data), asio::deferred),
                                          timer.async_wait(asio::deferred))
      .async_wait(asio::experimental::wait_for_one(),
                  [&](std::array<std::size_t, 2> o, error_code e1, std::size_t, error_code e2) {
                    order = o;
                    read_error = e1;
                    timer_error = e2;
                  });
  write_text(c.client, "abc");
  finish(c.context);
  BOOST_CHECK_EQUAL(order[0], 0u);
  BOOST_CHECK_EQUAL(read_error, error_code());
  BOOST_CHECK_EQUAL(timer_error, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(parallel_group_wait_for_all)
{
  connection c;
  std::array<char, 8> data;
  bool ended = false;
  asio::experimental::make_parallel_group(c.server.async_read_some(asio::buffer(data), asio::deferred),
                                          c.client.async_write_some(asio::buffer("abc", 3), asio::deferred))
      .async_wait(asio::experimental::wait_for_all(),
                  [&](std::array<std::size_t, 2>, error_code e1, std::size_t n1, error_code e2,
                      std::size_t n2) { ended = !e1 && !e2 && n1 == 3 && n2 == 3; });
  finish(c.context);
  BOOST_CHECK(ended);
}

BOOST_AUTO_TEST_SUITE_END()
