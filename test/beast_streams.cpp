// test/beast_streams.cpp: HTTP and WebSocket of Boost.Beast, and the timeouts of its streams.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "coroutines.hpp"

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <future>
#include <optional>

using namespace test;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

namespace {

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

request ask(http::verb verb, std::string_view target, std::string body = {})
{
  request result(verb, {target.data(), target.size()}, 11, std::move(body));
  result.set(http::field::host, "localhost");
  if (!result.body().empty()) result.prepare_payload();
  return result;
}

/// Answers until the client ends the connection: GET /big in chunks, POST with the body it received, HEAD
/// without one.
asio::awaitable<int> serve_http(beast::tcp_stream stream)
{
  beast::flat_buffer buffer;
  int requests = 0;
  for (;;) {
    stream.expires_after(30s);
    request asked;
    auto [e, n] = co_await http::async_read(stream, buffer, asked, as_values);
    if (e == http::error::end_of_stream) break;
    REQUIRE_ERROR(e, error_code());
    ++requests;
    response answer(http::status::ok, asked.version());
    answer.keep_alive(asked.keep_alive());
    if (asked.method() == http::verb::post)
      answer.body() = asked.body();
    else if (asked.target() == "/big")
      answer.body().assign(300'000, 'b');
    else
      answer.body() = "hello";
    if (asked.method() == http::verb::head) {
      http::response<http::empty_body> head(answer.base());
      head.content_length(answer.body().size());
      co_await http::async_write(stream, head, asio::use_awaitable);
    } else if (asked.target() == "/big") {
      answer.chunked(true);
      http::response_serializer<http::string_body> chunks(answer);
      co_await http::async_write(stream, chunks, asio::use_awaitable);
    } else {
      answer.prepare_payload();
      co_await http::async_write(stream, answer, asio::use_awaitable);
    }
    if (!answer.keep_alive()) break;
  }
  error_code e;
  stream.socket().shutdown(tcp::socket::shutdown_send, e);
  co_return requests;
}

struct http_client
{
  beast::tcp_stream stream;
  beast::flat_buffer buffer;

  explicit http_client(asio::io_context& context) : stream(context) {}

  asio::awaitable<response> get(request asked)
  {
    stream.expires_after(30s);
    co_await http::async_write(stream, asked, asio::use_awaitable);
    http::response_parser<http::string_body> parser;
    parser.body_limit(mebibyte);
    if (asked.method() == http::verb::head) parser.skip(true);
    co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
    co_return parser.release();
  }

  static constexpr std::uint64_t mebibyte = 1024 * 1024;
};

/// A connected pair of beast's streams.
struct stream_pair
{
  asio::io_context context;
  beast::tcp_stream client{context}, server{context};
  stream_pair() { connect(client.socket(), server.socket()); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(beast_streams)

BOOST_AUTO_TEST_CASE(http_get_post_head_and_chunks_over_one_connection)
{
  asio::io_context context;
  listener acceptor(context);
  int served = 0;
  run_coroutines(context, {[&]() -> asio::awaitable<void> {
                             served = co_await serve_http(
                                 beast::tcp_stream(co_await acceptor.async_accept(asio::use_awaitable)));
                           },
                           [&]() -> asio::awaitable<void> {
                             http_client client(context);
                             co_await client.stream.async_connect(acceptor.endpoint(), asio::use_awaitable);
                             BOOST_CHECK_EQUAL(has_io_uring(), with_kernel_ring());
                             const response hello = co_await client.get(ask(http::verb::get, "/"));
                             BOOST_CHECK_EQUAL(hello.body(), "hello");
                             BOOST_CHECK(hello.keep_alive());

                             const std::string body(200'000, 'p');
                             const response echoed = co_await client.get(ask(http::verb::post, "/", body));
                             BOOST_CHECK(echoed.body() == body);

                             const response head = co_await client.get(ask(http::verb::head, "/"));
                             BOOST_CHECK_EQUAL(head[http::field::content_length], "5");
                             BOOST_CHECK(head.body().empty());

                             const response big = co_await client.get(ask(http::verb::get, "/big"));
                             BOOST_CHECK(big.chunked());
                             BOOST_CHECK_EQUAL(big.body().size(), 300'000u);

                             request last = ask(http::verb::get, "/");
                             last.keep_alive(false);
                             const response bye = co_await client.get(last);
                             BOOST_CHECK(!bye.keep_alive());
                             response nothing;
                             auto [e, n] =
                                 co_await http::async_read(client.stream, client.buffer, nothing, as_values);
                             CHECK_ERROR(e, http::error::end_of_stream);
                           }});
  BOOST_CHECK_EQUAL(served, 5);
}

BOOST_AUTO_TEST_CASE(http_of_fifty_clients_at_once)
{
  asio::io_context context;
  listener acceptor(context);
  int right = 0, served = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i != 50; ++i)
          asio::co_spawn(context,
                         serve_http(beast::tcp_stream(co_await acceptor.async_accept(asio::use_awaitable))),
                         [&](std::exception_ptr e, int requests) { served += e ? 0 : requests; });
      },
      asio::detached);
  for (int i = 0; i != 50; ++i)
    asio::co_spawn(
        context,
        [&, i]() -> asio::awaitable<void> {
          http_client client(context);
          co_await client.stream.async_connect(acceptor.endpoint(), asio::use_awaitable);
          for (int round = 0; round != 4; ++round) {
            const std::string body = std::to_string(i * 4 + round);
            const response answer = co_await client.get(ask(http::verb::post, "/", body));
            right += answer.body() == body;
          }
        },
        asio::detached);
  finish(context);
  BOOST_CHECK_EQUAL(right, 200);
  BOOST_CHECK_EQUAL(served, 200);
}

BOOST_AUTO_TEST_CASE(http_synchronous_client)
{
  asio::io_context context;
  listener acceptor(context);
  auto client = std::async(std::launch::async, [endpoint = acceptor.endpoint()] {
    asio::io_context own;
    beast::tcp_stream stream(own);
    stream.connect(endpoint);
    request asked = ask(http::verb::get, "/big");
    asked.keep_alive(false);
    http::write(stream, asked);
    beast::flat_buffer buffer;
    response answer;
    http::read(stream, buffer, answer);
    return answer.body().size();
  });
  run_coroutines(context, {[&]() -> asio::awaitable<void> {
                   co_await serve_http(
                       beast::tcp_stream(co_await acceptor.async_accept(asio::use_awaitable)));
                 }});
  BOOST_CHECK_EQUAL(client.get(), 300'000u);
}

BOOST_AUTO_TEST_CASE(timeout_during_a_read)
{
  stream_pair c;
  std::array<char, 8> data;
  outcome read;
  c.server.expires_after(20ms);
  c.server.async_read_some(asio::buffer(data), read.record());
  finish(c.context);
  CHECK_FAILED(read, beast::error::timeout);
  // Beast closes a stream that has timed out.
  BOOST_CHECK(!c.server.socket().is_open());
}

BOOST_AUTO_TEST_CASE(timeout_during_a_write)
{
  stream_pair c;
  const std::string data(64 * 1024 * 1024, 'x'); // more than the kernel's buffers hold
  outcome written;
  c.server.expires_after(50ms);
  asio::async_write(c.server, asio::buffer(data), written.record());
  finish(c.context);
  CHECK_FAILED(written, beast::error::timeout);
}

BOOST_AUTO_TEST_CASE(timeout_that_does_not_fire_then_the_stream_is_used_again)
{
  stream_pair c;
  std::array<char, 8> data;
  for (int round = 0; round != 20; ++round) {
    outcome read, written;
    c.server.expires_after(30s);
    c.server.async_read_some(asio::buffer(data), read.record());
    settle(c.context);
    c.client.async_write_some(asio::buffer("abc", 3), written.record());
    finish(c.context);
    CHECK_SUCCEEDED(read);
    CHECK_SUCCEEDED(written);
    BOOST_CHECK_EQUAL(read.bytes, 3u);
  }
  c.server.expires_never();
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  write_text(c.client, "x");
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(stream_connects_again_after_a_timeout)
{
  asio::io_context context;
  listener acceptor(context);
  beast::tcp_stream client(context);
  std::array<char, 8> data;
  outcome timed_out, read;
  client.connect(acceptor.endpoint());
  client.expires_after(10ms);
  client.async_read_some(asio::buffer(data), timed_out.record());
  finish(context);
  CHECK_FAILED(timed_out, beast::error::timeout);
  tcp::socket first = acceptor.accept();

  outcome connected;
  client.expires_after(30s);
  client.async_connect(acceptor.endpoint(), connected.record());
  finish(context);
  CHECK_SUCCEEDED(connected);
  tcp::socket second = acceptor.accept();
  write_text(second, "again");
  client.async_read_some(asio::buffer(data), read.record());
  finish(context);
  CHECK_SUCCEEDED(read);
  BOOST_CHECK_EQUAL(read.bytes, 5u);
}

BOOST_AUTO_TEST_CASE(cancel_of_a_stream)
{
  stream_pair c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  c.server.cancel();
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

namespace {

using websocket_stream = websocket::stream<beast::tcp_stream>;

/// Echoes messages, text as text and binary as binary, until the client closes.
asio::awaitable<websocket::close_reason> serve_websocket(beast::tcp_stream stream, bool compress)
{
  websocket_stream ws(std::move(stream));
  ws.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
  if (compress) {
    websocket::permessage_deflate deflate;
    deflate.server_enable = true;
    ws.set_option(deflate);
  }
  co_await ws.async_accept(asio::use_awaitable);
  for (;;) {
    beast::flat_buffer buffer;
    auto [e, n] = co_await ws.async_read(buffer, as_values);
    if (e == websocket::error::closed) co_return ws.reason();
    REQUIRE_ERROR(e, error_code());
    ws.text(ws.got_text());
    co_await ws.async_write(buffer.data(), asio::use_awaitable);
  }
}

/// A client and its server. When run() returns, both have ended without an error.
struct websocket_connection
{
  asio::io_context context;
  listener acceptor{context};
  websocket_stream client{context};
  bool compress = false;
  websocket::close_reason seen_by_server;

  void run(std::function<asio::awaitable<void>()> talk)
  {
    run_coroutines(context,
                   {[&]() -> asio::awaitable<void> {
                      seen_by_server = co_await serve_websocket(
                          beast::tcp_stream(co_await acceptor.async_accept(asio::use_awaitable)), compress);
                    },
                    [&]() -> asio::awaitable<void> {
                      co_await beast::get_lowest_layer(client).async_connect(acceptor.endpoint(),
                                                                             asio::use_awaitable);
                      if (compress) {
                        websocket::permessage_deflate deflate;
                        deflate.client_enable = true;
                        client.set_option(deflate);
                      }
                      co_await client.async_handshake("localhost", "/", asio::use_awaitable);
                      co_await talk();
                      co_await client.async_close(
                          websocket::close_reason(websocket::close_code::normal, "bye"), asio::use_awaitable);
                    }});
    BOOST_CHECK_EQUAL(seen_by_server.code, websocket::close_code::normal);
    BOOST_CHECK_EQUAL(seen_by_server.reason.c_str(), "bye");
  }

  asio::awaitable<std::string> receive()
  {
    beast::flat_buffer buffer;
    co_await client.async_read(buffer, asio::use_awaitable);
    co_return beast::buffers_to_string(buffer.data());
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(text_and_binary_messages)
{
  websocket_connection c;
  c.run([&]() -> asio::awaitable<void> {
    for (const bool text : {true, false}) {
      c.client.text(text);
      co_await c.client.async_write(asio::buffer("hello", 5), asio::use_awaitable);
      BOOST_CHECK_EQUAL(co_await c.receive(), "hello");
      BOOST_CHECK_EQUAL(c.client.got_text(), text);
    }
  });
}

BOOST_AUTO_TEST_CASE(message_in_fragments)
{
  websocket_connection c;
  c.run([&]() -> asio::awaitable<void> {
    co_await c.client.async_write_some(false, asio::buffer("one ", 4), asio::use_awaitable);
    co_await c.client.async_write_some(false, asio::buffer("two ", 4), asio::use_awaitable);
    co_await c.client.async_write_some(true, asio::buffer("three", 5), asio::use_awaitable);
    BOOST_CHECK_EQUAL(co_await c.receive(), "one two three");
  });
}

BOOST_AUTO_TEST_CASE(ping_is_answered_with_its_payload)
{
  websocket_connection c;
  std::vector<std::pair<websocket::frame_type, std::string>> frames;
  c.client.control_callback([&](websocket::frame_type kind, beast::string_view payload) {
    frames.emplace_back(kind, std::string(payload));
  });
  c.run([&]() -> asio::awaitable<void> {
    co_await c.client.async_ping("are you there", asio::use_awaitable);
    co_await c.client.async_write(asio::buffer("x", 1), asio::use_awaitable);
    BOOST_CHECK_EQUAL(co_await c.receive(), "x");
  });
  BOOST_REQUIRE_EQUAL(frames.size(), 1u);
  BOOST_CHECK(frames[0].first == websocket::frame_type::pong);
  BOOST_CHECK_EQUAL(frames[0].second, "are you there");
}

BOOST_AUTO_TEST_CASE(message_of_four_mebibytes)
{
  websocket_connection c;
  c.client.binary(true);
  const std::string sent(4 * 1024 * 1024, 'w');
  std::string received;
  c.run([&]() -> asio::awaitable<void> {
    // The server echoes a message when it has received all of it, so both directions are never full at once.
    co_await c.client.async_write(asio::buffer(sent), asio::use_awaitable);
    received = co_await c.receive();
  });
  BOOST_CHECK(received == sent);
}

BOOST_AUTO_TEST_CASE(compressed_messages)
{
  websocket_connection c;
  c.compress = true;
  const std::string sent(200'000, 'z');
  std::string received;
  c.run([&]() -> asio::awaitable<void> {
    co_await c.client.async_write(asio::buffer(sent), asio::use_awaitable);
    received = co_await c.receive();
  });
  BOOST_CHECK(received == sent);
}

BOOST_AUTO_TEST_CASE(connection_that_vanishes_without_a_close_frame)
{
  asio::io_context context;
  listener acceptor(context);
  error_code error;
  run_coroutines(context, {[&]() -> asio::awaitable<void> {
                             websocket_stream ws(
                                 beast::tcp_stream(co_await acceptor.async_accept(asio::use_awaitable)));
                             co_await ws.async_accept(asio::use_awaitable);
                             beast::flat_buffer buffer;
                             auto [e, n] = co_await ws.async_read(buffer, as_values);
                             error = e;
                           },
                           [&]() -> asio::awaitable<void> {
                             websocket_stream ws(context);
                             co_await beast::get_lowest_layer(ws).async_connect(acceptor.endpoint(),
                                                                                asio::use_awaitable);
                             co_await ws.async_handshake("localhost", "/", asio::use_awaitable);
                             beast::get_lowest_layer(ws).close();
                           }});
  CHECK_ERROR(error, asio::error::eof);
}

BOOST_AUTO_TEST_CASE(idle_timeout_of_a_silent_peer)
{
  asio::io_context context;
  listener acceptor(context);
  error_code error;
  asio::steady_timer ended(context, 30s);
  run_coroutines(context, {[&]() -> asio::awaitable<void> {
                             websocket_stream ws(
                                 beast::tcp_stream(co_await acceptor.async_accept(asio::use_awaitable)));
                             ws.set_option(websocket::stream_base::timeout{30s, 50ms, false});
                             co_await ws.async_accept(asio::use_awaitable);
                             beast::flat_buffer buffer;
                             auto [e, n] = co_await ws.async_read(buffer, as_values);
                             error = e;
                             ended.cancel();
                           },
                           [&]() -> asio::awaitable<void> {
                             websocket_stream ws(context);
                             co_await beast::get_lowest_layer(ws).async_connect(acceptor.endpoint(),
                                                                                asio::use_awaitable);
                             co_await ws.async_handshake("localhost", "/", asio::use_awaitable);
                             co_await ended.async_wait(as_values); // sends nothing meanwhile
                           }});
  CHECK_ERROR(error, beast::error::timeout);
}

BOOST_AUTO_TEST_SUITE_END()
