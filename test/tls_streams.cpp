// test/tls_streams.cpp: TLS from handshake to shutdown, and failures in between.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "coroutines.hpp"
#include "tls.hpp"

#include <boost/asio/ssl.hpp>

#include <openssl/ssl.h>

#include <atomic>
#include <functional>
#include <future>
#include <optional>
#include <thread>

using namespace test;
namespace ssl = asio::ssl;

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

/// Two TLS streams over a connection.
struct secure_pair
{
  using stream = ssl::stream<tcp::socket>;
  static inline const tls::identity own;

  asio::io_context context;
  ssl::context server_settings = tls::presenting(own);
  ssl::context client_settings{ssl::context::tls};
  std::optional<stream> client, server;

  secure_pair() { tls::trust_only(client_settings, own); }

  /// Makes the streams; to be called when the TLS contexts are configured.
  template <class Executor>
  void connect(const Executor& client_executor, const Executor& server_executor)
  {
    listener acceptor(context);
    client.emplace(client_executor, client_settings);
    client->next_layer().connect(acceptor.endpoint());
    server.emplace(tcp::socket(server_executor), server_settings);
    acceptor.accept(server->next_layer());
  }
  void connect() { connect(context.get_executor(), context.get_executor()); }

  asio::awaitable<void> handshake_server()
  {
    co_await server->async_handshake(stream::server, asio::use_awaitable);
  }
  asio::awaitable<void> handshake_client()
  {
    co_await client->async_handshake(stream::client, asio::use_awaitable);
  }
};

int reason(error_code e) { return ERR_GET_REASON(static_cast<unsigned long>(e.value())); }

#define CHECK_TLS_ERROR(code, expected)                                                                      \
  BOOST_CHECK_MESSAGE(&(code).category() == &asio::error::get_ssl_category() && reason(code) == (expected),  \
                      #code ": " << (code).message())

} // namespace

BOOST_AUTO_TEST_SUITE(tls_streams)

BOOST_AUTO_TEST_CASE(tls_echo_of_a_mebibyte_from_handshake_to_shutdown)
{
  secure_pair c;
  c.client_settings.set_verify_callback(ssl::host_name_verification("localhost"));
  c.connect();
  const pattern sent;
  bool client_ended = false, server_ended = false;
  run_coroutines(c.context,
                 {[&]() -> asio::awaitable<void> {
                    co_await c.handshake_server();
                    std::vector<char> data(10'000);
                    for (;;) {
                      auto [e, n] = co_await c.server->async_read_some(asio::buffer(data), as_values);
                      if (e == asio::error::eof) break; // the client's close_notify
                      BOOST_REQUIRE_EQUAL(e, error_code());
                      co_await asio::async_write(*c.server, asio::buffer(data, n), asio::use_awaitable);
                    }
                    co_await c.server->async_shutdown(asio::use_awaitable);
                    server_ended = true;
                  },
                  [&]() -> asio::awaitable<void> {
                    co_await c.handshake_client();
                    BOOST_CHECK_EQUAL(has_io_uring(), with_kernel_ring());
                    std::vector<char> data(mebibyte / 16);
                    for (std::size_t offset = 0; offset != mebibyte; offset += data.size()) {
                      std::size_t filled = 0;
                      while (filled != data.size()) {
                        const auto part = sent.at(offset + filled, data.size() - filled);
                        std::memcpy(data.data() + filled, part.data(), part.size());
                        filled += part.size();
                      }
                      co_await asio::async_write(*c.client, asio::buffer(data), asio::use_awaitable);
                      std::fill(data.begin(), data.end(), '\0');
                      co_await asio::async_read(*c.client, asio::buffer(data), asio::use_awaitable);
                      BOOST_REQUIRE(sent.matches(offset, data.data(), data.size()));
                    }
                    co_await c.client->async_shutdown(asio::use_awaitable);
                    client_ended = true;
                  }});
  BOOST_CHECK(client_ended);
  BOOST_CHECK(server_ended);
}

BOOST_AUTO_TEST_CASE(tls_certificate_that_the_client_does_not_trust)
{
  const tls::identity stranger;
  secure_pair c;
  c.server_settings = tls::presenting(stranger);
  c.connect();
  error_code client_error, server_error;
  run_coroutines(c.context,
                 {[&]() -> asio::awaitable<void> {
                    std::tie(client_error) = co_await c.client->async_handshake(c.client->client, as_values);
                  },
                  [&]() -> asio::awaitable<void> {
                    std::tie(server_error) = co_await c.server->async_handshake(c.server->server, as_values);
                  }});
  CHECK_TLS_ERROR(client_error, SSL_R_CERTIFICATE_VERIFY_FAILED);
  CHECK_TLS_ERROR(server_error, SSL_R_TLSV1_ALERT_UNKNOWN_CA);
}

BOOST_AUTO_TEST_CASE(tls_certificate_for_another_host)
{
  secure_pair c;
  c.client_settings.set_verify_callback(ssl::host_name_verification("example.org"));
  c.connect();
  error_code client_error;
  run_coroutines(
      c.context,
      {[&]() -> asio::awaitable<void> {
         std::tie(client_error) = co_await c.client->async_handshake(c.client->client, as_values);
       },
       [&]() -> asio::awaitable<void> { co_await c.server->async_handshake(c.server->server, as_values); }});
  CHECK_TLS_ERROR(client_error, SSL_R_CERTIFICATE_VERIFY_FAILED);
}

BOOST_AUTO_TEST_CASE(tls_client_without_the_certificate_that_the_server_wants)
{
  secure_pair c;
  tls::trust_only(c.server_settings, c.own);
  c.connect();
  error_code server_error, client_error;
  run_coroutines(c.context,
                 {[&]() -> asio::awaitable<void> {
                    std::tie(server_error) = co_await c.server->async_handshake(c.server->server, as_values);
                  },
                  [&]() -> asio::awaitable<void> {
                    co_await c.handshake_client(); // TLS 1.3: the server may refuse later
                    char data[1];
                    auto [e, n] = co_await c.client->async_read_some(asio::buffer(data), as_values);
                    client_error = e;
                  }});
  CHECK_TLS_ERROR(server_error, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
  CHECK_TLS_ERROR(client_error, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
}

BOOST_AUTO_TEST_CASE(tls_client_with_the_certificate_that_the_server_wants)
{
  secure_pair c;
  tls::trust_only(c.server_settings, c.own);
  c.client_settings = tls::presenting(c.own);
  tls::trust_only(c.client_settings, c.own);
  c.connect();
  std::string received;
  run_coroutines(c.context,
                 {[&]() -> asio::awaitable<void> {
                    co_await c.handshake_server();
                    co_await asio::async_write(*c.server, asio::buffer("welcome", 7), asio::use_awaitable);
                  },
                  [&]() -> asio::awaitable<void> {
                    co_await c.handshake_client();
                    received.resize(7);
                    co_await asio::async_read(*c.client, asio::buffer(received), asio::use_awaitable);
                  }});
  BOOST_CHECK_EQUAL(received, "welcome");
}

BOOST_AUTO_TEST_CASE(tls_connection_closed_without_notice_is_a_truncated_stream)
{
  secure_pair c;
  c.connect();
  error_code error;
  run_coroutines(c.context,
                 {[&]() -> asio::awaitable<void> {
                    co_await c.handshake_server();
                    co_await asio::async_write(*c.server, asio::buffer("x", 1), asio::use_awaitable);
                    c.server->lowest_layer().close();
                  },
                  [&]() -> asio::awaitable<void> {
                    co_await c.handshake_client();
                    char data[10];
                    auto [e, n] = co_await asio::async_read(*c.client, asio::buffer(data), as_values);
                    BOOST_CHECK_EQUAL(n, 1u);
                    error = e;
                  }});
  BOOST_CHECK_EQUAL(error, ssl::error::stream_truncated);
}

BOOST_AUTO_TEST_CASE(tls_handshake_cancelled)
{
  secure_pair c;
  c.connect();
  outcome handshake;
  c.client->async_handshake(c.client->client, handshake.record());
  settle(c.context);
  c.client->lowest_layer().cancel();
  finish(c.context);
  CHECK_FAILED(handshake, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(tls_synchronous_client_of_an_asynchronous_server)
{
  secure_pair c;
  c.connect();
  auto client = std::async(std::launch::async, [&] {
    c.client->handshake(c.client->client);
    write_text(*c.client, "hello");
    const std::string back = read_text(*c.client, 5);
    c.client->shutdown();
    return back;
  });
  run_coroutines(c.context, {[&]() -> asio::awaitable<void> {
                   co_await c.handshake_server();
                   char data[5];
                   co_await asio::async_read(*c.server, asio::buffer(data), asio::use_awaitable);
                   co_await asio::async_write(*c.server, asio::buffer(data), asio::use_awaitable);
                   auto [e, n] = co_await c.server->async_read_some(asio::buffer(data), as_values);
                   BOOST_CHECK_EQUAL(e, asio::error::eof);
                   co_await c.server->async_shutdown(asio::use_awaitable);
                 }});
  BOOST_CHECK_EQUAL(client.get(), "hello");
}

namespace {

/// Uses both directions of a TLS stream at once, in several threads; counts bytes sent, and bytes that came
/// back unchanged.
template <class Stream>
asio::awaitable<void> send_pattern(Stream& stream, const pattern& sent, std::size_t size)
{
  for (std::size_t offset = 0; offset != size;) {
    const auto part = sent.at(offset, std::min<std::size_t>(size - offset, 5'000));
    co_await asio::async_write(stream, part, asio::use_awaitable);
    offset += part.size();
  }
}

template <class Stream>
asio::awaitable<std::size_t> receive_pattern(Stream& stream, const pattern& sent, std::size_t size)
{
  std::vector<char> data(7'000);
  std::size_t right = 0;
  while (right != size) {
    const auto n = co_await stream.async_read_some(asio::buffer(data), asio::use_awaitable);
    if (!sent.matches(right, data.data(), n)) break;
    right += n;
  }
  co_return right;
}

} // namespace

BOOST_AUTO_TEST_CASE(one_tls_stream_in_its_strand_by_several_threads_in_both_directions)
{
  secure_pair c;
  const auto client_strand = asio::make_strand(c.context), server_strand = asio::make_strand(c.context);
  c.connect(asio::any_io_executor(client_strand), asio::any_io_executor(server_strand));
  const pattern upwards(1), downwards(2);
  std::atomic<std::size_t> up = 0, down = 0;
  std::atomic<int> failures = 0;
  auto counted = [&](std::exception_ptr e) { failures += e != nullptr; };
  auto both_ways = [&](auto& stream, auto& strand, auto handshake, const pattern& out, const pattern& in,
                       std::atomic<std::size_t>& received) -> asio::awaitable<void> {
    co_await stream.async_handshake(handshake, asio::use_awaitable);
    asio::co_spawn(
        strand, [&]() -> asio::awaitable<void> { co_await send_pattern(stream, out, mebibyte); }, counted);
    received = co_await receive_pattern(stream, in, mebibyte);
  };
  asio::co_spawn(
      client_strand,
      [&] { return both_ways(*c.client, client_strand, c.client->client, upwards, downwards, down); },
      counted);
  asio::co_spawn(
      server_strand,
      [&] { return both_ways(*c.server, server_strand, c.server->server, downwards, upwards, up); }, counted);
  std::vector<std::thread> threads;
  for (int i = 0; i != 4; ++i)
    threads.emplace_back([&] { c.context.run_for(60s); });
  for (auto& t : threads)
    t.join();
  BOOST_CHECK(c.context.stopped());
  BOOST_CHECK_EQUAL(failures, 0);
  BOOST_CHECK_EQUAL(up, mebibyte);
  BOOST_CHECK_EQUAL(down, mebibyte);
}

BOOST_AUTO_TEST_CASE(handlers_wrapped_in_an_io_context_strand_by_several_threads)
{
  secure_pair c;
  c.connect();
  asio::io_context::strand strand(c.context);
  run_coroutines(c.context, {[&] { return c.handshake_server(); }, [&] { return c.handshake_client(); }});
  // Reads and writes of both streams share one strand.
  std::atomic<int> inside = 0, overlaps = 0;
  int rounds = 0, pending = 0;
  std::function<void()> there_and_back;
  char there[100], here[100], back[100];
  auto step = [&](auto next) {
    ++pending;
    return asio::bind_executor(strand, [&, next](error_code e, std::size_t n) {
      overlaps += inside++ != 0;
      --pending;
      if (!e && n == sizeof(there)) next();
      // A stream may be written to again only when its last write has completed.
      if (!e && pending == 0 && ++rounds != 200) there_and_back();
      --inside;
    });
  };
  there_and_back = [&] {
    asio::async_read(*c.server, asio::buffer(here),
                     step([&] { asio::async_write(*c.server, asio::buffer(here), step([] {})); }));
    asio::async_read(*c.client, asio::buffer(back), step([] {}));
    asio::async_write(*c.client, asio::buffer(there), step([] {}));
  };
  c.context.restart();
  asio::post(strand, there_and_back);
  std::vector<std::thread> threads;
  for (int i = 0; i != 3; ++i)
    threads.emplace_back([&] { c.context.run_for(60s); });
  for (auto& t : threads)
    t.join();
  BOOST_CHECK_EQUAL(rounds, 200);
  BOOST_CHECK_EQUAL(overlaps, 0);
}

BOOST_AUTO_TEST_SUITE_END()
