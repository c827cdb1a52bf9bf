// test/use_uring_streams.cpp: stock sockets as streams on io_uring: in Beast, in TLS, with threads.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "stock_pair.hpp"
#include "tls.hpp"

#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <thread>

namespace beast = boost::beast;
using namespace test;
using asio_uring::use_uring;
using asio_uring::via;

namespace {

/// A server's TLS context with a certificate made at run time.
asio::ssl::context certified() { return tls::presenting(tls::identity(), asio::ssl::context::tls_server); }

} // namespace

BOOST_AUTO_TEST_SUITE(use_uring_streams)

BOOST_AUTO_TEST_CASE(counts_of_run)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.pump = asio_uring::pump_kind::ring});
  pair<> p(context);
  std::array<char, 8> data;
  outcome read, aborted;
  p.server.async_read_some(asio::buffer(data), use_uring(read.record()));
  write_text(p.client, "abc");
  // The fallback may be later than the reactor, which counts an event even if no operation waits for it.
  const auto is_count = [](std::size_t n, std::size_t handlers) {
    return n == handlers || (with_fallback() && n == handlers + 1);
  };
  BOOST_CHECK_PREDICATE(is_count, (finish(context))(1));
  p.server.async_read_some(asio::buffer(data), use_uring(aborted.record()));
  settle(context);
  p.server.close();
  BOOST_CHECK_PREDICATE(is_count, (finish(context))(2)); // the handler, and what close() aborted
}

BOOST_AUTO_TEST_CASE(stock_operations_beside_those_of_the_token)
{
  stock_pair p;
  std::array<char, 1> data;
  std::string seen;
  for (int i = 0; i != 200; ++i) {
    outcome read;
    const char c = static_cast<char>('a' + i % 26);
    if (i % 2)
      p.server.async_read_some(asio::buffer(data), use_uring(read.record()));
    else
      p.server.async_read_some(asio::buffer(data), read.record());
    outcome wait; // pending while the stock operations run
    p.server.async_wait(tcp::socket::wait_error, use_uring(wait.record()));
    outcome written;
    if (i % 3)
      p.client.async_write_some(asio::buffer(&c, 1), use_uring(written.record()));
    else
      p.client.async_write_some(asio::buffer(&c, 1), written.record());
    run_until(p.context, [&] { return read.done() && written.done(); });
    seen += data[0];
    p.server.cancel();
    finish(p.context);
    CHECK_FAILED(wait, asio::error::operation_aborted);
  }
  for (int i = 0; i != 200; ++i)
    BOOST_REQUIRE_EQUAL(seen[static_cast<std::size_t>(i)], static_cast<char>('a' + i % 26));
}

BOOST_AUTO_TEST_CASE(sixteen_megabytes_both_ways_at_once)
{
  stock_pair p;
  constexpr std::size_t size = 16 << 20;
  const pattern there(1), back(2);
  auto flow = [&](tcp::socket& socket, const pattern& out) {
    asio::co_spawn(
        p.context,
        [&]() -> asio::awaitable<void> {
          asio_uring::view stream(socket);
          for (std::size_t done = 0; done != size;)
            done += co_await asio::async_write(stream, out.at(done, size - done), asio::use_awaitable);
        },
        asio::detached);
  };
  bool right[2] = {};
  auto check = [&](tcp::socket& socket, const pattern& in, bool& ok) {
    asio::co_spawn(
        p.context,
        [&]() -> asio::awaitable<void> {
          std::vector<char> data(size);
          asio_uring::view stream(socket);
          const std::size_t n = co_await asio::async_read(stream, asio::buffer(data), asio::use_awaitable);
          ok = n == size && in.matches(0, data.data(), n);
        },
        asio::detached);
  };
  flow(p.client, there);
  flow(p.server, back);
  check(p.server, there, right[0]);
  check(p.client, back, right[1]);
  finish(p.context);
  BOOST_CHECK(right[0] && right[1]);
}

BOOST_AUTO_TEST_CASE(lines_by_async_read_until_and_synchronous_calls_of_the_view)
{
  stock_pair p;
  asio_uring::view<tcp::socket> client = via(p.client), server = via(p.server);
  std::string buffer;
  outcome line;
  asio::async_read_until(server, asio::dynamic_buffer(buffer), '\n', line.record());
  write_text(p.client, "one ");
  settle(p.context);
  asio::write(client, asio::buffer("line\nrest", 9));
  finish(p.context);
  CHECK_SUCCEEDED(line);
  BOOST_CHECK_EQUAL(buffer.substr(0, line.bytes), "one line\n");
  error_code error;
  p.client.close();
  buffer.clear();
  std::array<char, 8> data;
  while (!error)
    buffer.append(data.data(), server.read_some(asio::buffer(data), error));
  BOOST_CHECK(error == asio::error::eof);
}

BOOST_AUTO_TEST_CASE(http_by_beast)
{
  namespace http = beast::http;
  stock_pair p;
  asio_uring::view<tcp::socket> client = via(p.client), server = via(p.server);
  static_assert(beast::is_async_stream<decltype(client)>::value);
  static_assert(beast::is_sync_stream<decltype(client)>::value);
  std::string answer;
  asio::co_spawn(
      p.context,
      [&]() -> asio::awaitable<void> {
        beast::flat_buffer buffer;
        http::request<http::string_body> request;
        co_await http::async_read(server, buffer, request, asio::use_awaitable);
        http::response<http::string_body> response(http::status::ok, 11);
        response.body() = "you said " + request.body();
        response.prepare_payload();
        co_await http::async_write(server, response, asio::use_awaitable);
      },
      asio::detached);
  run(p.context, [&]() -> asio::awaitable<void> {
    http::request<http::string_body> request(http::verb::post, "/", 11);
    request.body() = std::string(100'000, 'x');
    request.prepare_payload();
    co_await http::async_write(client, request, asio::use_awaitable);
    beast::flat_buffer buffer;
    http::response<http::string_body> response;
    co_await http::async_read(client, buffer, response, asio::use_awaitable);
    answer = response.body();
  });
  BOOST_CHECK_EQUAL(answer, "you said " + std::string(100'000, 'x'));
}

BOOST_AUTO_TEST_CASE(websocket_by_beast)
{
  stock_pair p;
  beast::websocket::stream<asio_uring::view<tcp::socket>> client(p.client), server(p.server);
  std::string answer;
  asio::co_spawn(
      p.context,
      [&]() -> asio::awaitable<void> {
        beast::flat_buffer buffer;
        co_await server.async_accept(asio::use_awaitable);
        co_await server.async_read(buffer, asio::use_awaitable);
        co_await server.async_write(buffer.data(), asio::use_awaitable);
        error_code end;
        co_await server.async_read(buffer, asio::redirect_error(asio::use_awaitable, end));
        BOOST_CHECK(end == beast::websocket::error::closed);
      },
      asio::detached);
  run(p.context, [&]() -> asio::awaitable<void> {
    beast::flat_buffer buffer;
    co_await client.async_handshake("localhost", "/", asio::use_awaitable);
    co_await client.async_write(asio::buffer("echo", 4), asio::use_awaitable);
    co_await client.async_read(buffer, asio::use_awaitable);
    answer = beast::buffers_to_string(buffer.data());
    co_await client.async_close(beast::websocket::close_code::normal, asio::use_awaitable);
  });
  BOOST_CHECK_EQUAL(answer, "echo");
}

BOOST_AUTO_TEST_CASE(tls_over_a_view)
{
  stock_pair p;
  auto server_side = certified();
  asio::ssl::context client_side(asio::ssl::context::tls_client);
  using stream = asio::ssl::stream<asio_uring::view<tcp::socket>>;
  stream client(via(p.client), client_side), server(via(p.server), server_side);
  const pattern bytes;
  constexpr std::size_t size = 1 << 20;
  std::vector<char> data(size);
  asio::co_spawn(
      p.context,
      [&]() -> asio::awaitable<void> {
        co_await server.async_handshake(stream::server, asio::use_awaitable);
        for (std::size_t done = 0; done != size;)
          done += co_await asio::async_write(server, bytes.at(done, size - done), asio::use_awaitable);
        co_await server.async_shutdown(asio::use_awaitable);
      },
      asio::detached);
  run(p.context, [&]() -> asio::awaitable<void> {
    co_await client.async_handshake(stream::client, asio::use_awaitable);
    co_await asio::async_read(client, asio::buffer(data), asio::use_awaitable);
    co_await client.async_shutdown(asio::use_awaitable);
  });
  BOOST_CHECK(bytes.matches(0, data.data(), size));
}

BOOST_AUTO_TEST_CASE(threads_run_the_context_and_close_sockets)
{
  stock_context context;
  constexpr int pairs = 40;
  std::atomic<int> aborted{0}, rounds{0};
  auto guard = asio::make_work_guard(context);
  struct link
  {
    link(asio::io_context& c) : strand(asio::make_strand(c)), client(strand), server(strand) {}
    asio::strand<asio::io_context::executor_type> strand;
    tcp::socket client, server;
    std::array<char, 16> data;
  };
  std::vector<std::unique_ptr<link>> links;
  listener acceptor(context);
  for (int i = 0; i != pairs; ++i) {
    auto& l = *links.emplace_back(std::make_unique<link>(context));
    l.client.connect(acceptor.endpoint());
    acceptor.accept(l.server);
    asio::co_spawn(
        l.strand,
        [&]() -> asio::awaitable<void> {
          auto stream = via(l.server);
          for (int n = 0; n != 200; ++n) {
            co_await l.client.async_write_some(asio::buffer("ping", 4), use_uring);
            co_await asio::async_read(stream, asio::buffer(l.data, 4), asio::use_awaitable);
            ++rounds;
          }
          l.server.async_read_some(asio::buffer(l.data), use_uring([&](error_code e, std::size_t) {
                                     aborted += e == asio::error::operation_aborted;
                                   }));
          l.server.close();
        },
        asio::detached);
  }
  guard.reset();
  std::vector<std::thread> threads;
  for (int i = 0; i != 3; ++i)
    threads.emplace_back([&] { context.run(); });
  for (auto& t : threads)
    t.join();
  BOOST_CHECK_EQUAL(rounds.load(), pairs * 200);
  BOOST_CHECK_EQUAL(aborted.load(), pairs);
}

BOOST_AUTO_TEST_SUITE_END()
