// test/own_streams.cpp: TLS, Beast's streams and WebSocket over the types of asio_uring, together with stock
// types.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "environment.hpp"
#include "tls.hpp"

#include <asio_uring/asio_uring.hpp>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <string>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
namespace websocket = beast::websocket;
using namespace std::chrono_literals;
using boost::system::error_code;
using tcp = asio_uring::ip::tcp;

namespace {

using our_stream = beast::basic_stream<asio::ip::tcp, asio_uring::any_io_executor>;
constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

/// A context with a connected pair of sockets on io_uring.
struct connection
{
  asio::io_context context;
  tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), 0}};
  tcp::socket client{context}, server{context};

  connection()
  {
    client.connect(acceptor.local_endpoint());
    acceptor.accept(server);
    BOOST_REQUIRE_EQUAL(asio_uring::backend(context).io_uring, !with_fallback());
  }

  /// Runs both until no work is left.
  void run(std::function<asio::awaitable<void>()> first, std::function<asio::awaitable<void>()> second)
  {
    int ended = 0;
    for (const auto& c : {first, second})
      asio::co_spawn(context, c, [&](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
        ++ended;
      });
    context.run_for(60s);
    BOOST_REQUIRE_EQUAL(ended, 2);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(own_streams)

BOOST_AUTO_TEST_CASE(timeout_of_a_beast_stream_fires_and_the_next_connection_works)
{
  connection c;
  our_stream stream(c.context);
  std::array<char, 8> data;
  error_code timed_out;
  std::size_t received = 0;
  asio::co_spawn(
      c.context,
      [&]() -> asio::awaitable<void> {
        stream.expires_after(30s);
        co_await stream.async_connect(c.acceptor.local_endpoint(), asio::use_awaitable);
        tcp::socket first = co_await c.acceptor.async_accept(asio::use_awaitable);
        stream.expires_after(20ms);
        auto [e, n] = co_await stream.async_read_some(asio::buffer(data), as_values);
        timed_out = e;

        stream.expires_after(30s);
        co_await stream.async_connect(c.acceptor.local_endpoint(), asio::use_awaitable);
        tcp::socket second = co_await c.acceptor.async_accept(asio::use_awaitable);
        co_await asio::async_write(second, asio::buffer("again", 5), asio::use_awaitable);
        received = co_await stream.async_read_some(asio::buffer(data), asio::use_awaitable);
      },
      [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
      });
  c.context.run_for(60s);
  BOOST_CHECK_MESSAGE(timed_out == beast::error::timeout, timed_out.message());
  BOOST_CHECK_EQUAL(received, 5u);
}

BOOST_AUTO_TEST_CASE(http_over_beast_streams)
{
  connection c;
  our_stream client(std::move(c.client)), server(std::move(c.server));
  std::string answer;
  c.run(
      [&]() -> asio::awaitable<void> {
        beast::flat_buffer buffer;
        http::request<http::string_body> asked;
        co_await http::async_read(server, buffer, asked, asio::use_awaitable);
        http::response<http::string_body> response(http::status::ok, 11, asked.body() + asked.body());
        response.prepare_payload();
        co_await http::async_write(server, response, asio::use_awaitable);
      },
      [&]() -> asio::awaitable<void> {
        http::request<http::string_body> asked(http::verb::post, "/", 11, "twice ");
        asked.prepare_payload();
        co_await http::async_write(client, asked, asio::use_awaitable);
        beast::flat_buffer buffer;
        http::response<http::string_body> response;
        co_await http::async_read(client, buffer, response, asio::use_awaitable);
        answer = response.body();
      });
  BOOST_CHECK_EQUAL(answer, "twice twice ");
}

BOOST_AUTO_TEST_CASE(tls_from_handshake_to_shutdown)
{
  const test::tls::identity own;
  ssl::context server_settings = test::tls::presenting(own), client_settings(ssl::context::tls);
  test::tls::trust_only(client_settings, own);
  connection c;
  ssl::stream<tcp::socket> client(std::move(c.client), client_settings);
  ssl::stream<tcp::socket> server(std::move(c.server), server_settings);
  const std::string sent(300'000, 't');
  std::string received;
  c.run(
      [&]() -> asio::awaitable<void> {
        co_await server.async_handshake(ssl::stream_base::server, asio::use_awaitable);
        auto [e, n] = co_await asio::async_read(server, asio::dynamic_buffer(received), as_values);
        BOOST_CHECK_MESSAGE(e == asio::error::eof, e.message());
        co_await server.async_shutdown(asio::use_awaitable);
      },
      [&]() -> asio::awaitable<void> {
        co_await client.async_handshake(ssl::stream_base::client, asio::use_awaitable);
        co_await asio::async_write(client, asio::buffer(sent), asio::use_awaitable);
        co_await client.async_shutdown(asio::use_awaitable);
      });
  BOOST_CHECK(received == sent);
}

BOOST_AUTO_TEST_CASE(websocket_over_a_socket)
{
  connection c;
  websocket::stream<tcp::socket> client(std::move(c.client)), server(std::move(c.server));
  const std::string sent(500'000, 'w');
  std::string received;
  error_code at_end;
  c.run(
      [&]() -> asio::awaitable<void> {
        co_await server.async_accept(asio::use_awaitable);
        beast::flat_buffer buffer;
        co_await server.async_read(buffer, asio::use_awaitable);
        received = beast::buffers_to_string(buffer.data());
        auto [e, n] = co_await server.async_read(buffer, as_values);
        at_end = e;
      },
      [&]() -> asio::awaitable<void> {
        co_await client.async_handshake("localhost", "/", asio::use_awaitable);
        client.binary(true);
        co_await client.async_write(asio::buffer(sent), asio::use_awaitable);
        co_await client.async_close(websocket::close_code::normal, asio::use_awaitable);
      });
  BOOST_CHECK(received == sent);
  BOOST_CHECK_MESSAGE(at_end == websocket::error::closed, at_end.message());
}

BOOST_AUTO_TEST_SUITE_END()
