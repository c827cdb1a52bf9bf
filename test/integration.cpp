// test/integration.cpp: what Asio builds on its sockets: composed operations, adaptors, iostreams,
// coroutines, channels, groups.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "coroutines.hpp"

#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/spawn.hpp>

#include <functional>
#include <future>
#include <thread>

using namespace test;
namespace experimental = asio::experimental;

namespace {

/// Results of a resolver: the endpoints in this order.
tcp::resolver::results_type results(std::vector<tcp::endpoint> endpoints)
{
  return tcp::resolver::results_type::create(endpoints.begin(), endpoints.end(), "localhost", "test");
}

/// Reads from `stream` until `delimiter`, which is included.
template <class Stream, class Delimiter>
asio::awaitable<std::string> line(Stream& stream, std::string& buffered, Delimiter delimiter)
{
  const auto size =
      co_await asio::async_read_until(stream, asio::dynamic_buffer(buffered), delimiter, asio::use_awaitable);
  std::string result = buffered.substr(0, size);
  buffered.erase(0, size);
  co_return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(integration)

BOOST_AUTO_TEST_CASE(connect_to_the_second_result_after_the_first_has_refused)
{
  asio::io_context context;
  listener acceptor(context);
  const refusing_port port(context);
  const tcp::endpoint refused = port.endpoint();
  tcp::socket client(context);
  const auto found = results({refused, acceptor.endpoint()});
  std::vector<tcp::endpoint> tried;
  tcp::endpoint connected;
  run_coroutines(context, {[&]() -> asio::awaitable<void> {
                   connected = co_await asio::async_connect(
                       client, found,
                       [&](error_code, const tcp::endpoint& next) {
                         tried.push_back(next);
                         return true;
                       },
                       asio::use_awaitable);
                 }});
  BOOST_CHECK_EQUAL(connected, acceptor.endpoint());
  BOOST_CHECK_EQUAL(client.remote_endpoint(), acceptor.endpoint());
  BOOST_CHECK((tried == std::vector{refused, acceptor.endpoint()}));
}

BOOST_AUTO_TEST_CASE(connect_when_every_result_refuses)
{
  asio::io_context context;
  const refusing_port port(context);
  const tcp::endpoint refused = port.endpoint();
  tcp::socket client(context);
  error_code error;
  asio::async_connect(client, results({refused, refused}),
                      [&](error_code e, const tcp::endpoint&) { error = e; });
  finish(context);
  BOOST_CHECK_EQUAL(error, asio::error::connection_refused);
}

BOOST_AUTO_TEST_CASE(connect_to_no_result_at_all)
{
  asio::io_context context;
  tcp::socket client(context);
  error_code error;
  asio::async_connect(client, results({}), [&](error_code e, const tcp::endpoint&) { error = e; });
  finish(context);
  BOOST_CHECK_EQUAL(error, asio::error::not_found);
}

BOOST_AUTO_TEST_CASE(connect_to_what_the_resolver_found)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context);
  tcp::resolver resolver(context);
  run_coroutines(context, {[&]() -> asio::awaitable<void> {
                   const auto found = co_await resolver.async_resolve(
                       "127.0.0.1", std::to_string(acceptor.endpoint().port()), asio::use_awaitable);
                   co_await asio::async_connect(client, found, asio::use_awaitable);
                 }});
  BOOST_CHECK_EQUAL(client.remote_endpoint(), acceptor.endpoint());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(read_until_a_character_a_string_and_a_condition, Protocol, stream_protocols)
{
  connection<Protocol> c;
  write_text(c.client, "one\ntwo\r\n\r\n3;rest");
  std::vector<std::string> lines;
  run_coroutines(
      c.context, {[&]() -> asio::awaitable<void> {
        std::string buffered;
        lines.push_back(co_await line(c.server, buffered, '\n'));
        lines.push_back(co_await line(c.server, buffered, "\r\n\r\n"));
        using iterator = asio::buffers_iterator<asio::streambuf::const_buffers_type>;
        const std::function<std::pair<iterator, bool>(iterator, iterator)> semicolon = [](iterator first,
                                                                                          iterator last) {
          const auto found = std::find(first, last, ';');
          return found == last ? std::pair(last, false) : std::pair(std::next(found), true);
        };
        asio::streambuf rest;
        std::ostream(&rest) << buffered;
        const auto size = co_await asio::async_read_until(c.server, rest, semicolon, asio::use_awaitable);
        lines.emplace_back(asio::buffers_begin(rest.data()), asio::buffers_begin(rest.data()) + size);
      }});
  BOOST_CHECK((lines == std::vector<std::string>{"one\n", "two\r\n\r\n", "3;"}));
}

BOOST_AUTO_TEST_CASE(read_until_a_delimiter_that_comes_in_two_halves)
{
  connection c;
  std::string buffered, received;
  run_coroutines(c.context,
                 {[&]() -> asio::awaitable<void> { received = co_await line(c.server, buffered, "\r\n"); },
                  [&]() -> asio::awaitable<void> {
                    co_await asio::async_write(c.client, asio::buffer("half\r", 5), asio::use_awaitable);
                    asio::steady_timer pause(c.context, 20ms);
                    co_await pause.async_wait(asio::use_awaitable);
                    co_await asio::async_write(c.client, asio::buffer("\nmore", 5), asio::use_awaitable);
                  }});
  BOOST_CHECK_EQUAL(received, "half\r\n");
}

BOOST_AUTO_TEST_CASE(read_until_the_limit_or_the_end)
{
  connection c;
  write_text(c.client, "0123456789");
  std::string limited, unlimited;
  outcome full, ended;
  asio::async_read_until(c.server, asio::dynamic_buffer(limited, 8), '\n', full.record());
  finish(c.context);
  CHECK_FAILED(full, asio::error::not_found);
  BOOST_CHECK_EQUAL(limited, "01234567");
  c.client.close();
  asio::async_read_until(c.server, asio::dynamic_buffer(unlimited), '\n', ended.record());
  finish(c.context);
  CHECK_FAILED(ended, asio::error::eof);
  BOOST_CHECK_EQUAL(unlimited, "89");
}

BOOST_AUTO_TEST_CASE(buffered_read_stream_over_a_socket)
{
  connection c;
  asio::buffered_read_stream<tcp::socket&> reader(c.server, 16);
  write_text(c.client, "0123456789");
  std::string first(3, '\0'), rest(7, '\0');
  run_coroutines(c.context, {[&]() -> asio::awaitable<void> {
                   co_await asio::async_read(reader, asio::buffer(first), asio::use_awaitable);
                   BOOST_CHECK_EQUAL(reader.in_avail(), 7u);
                   co_await asio::async_read(reader, asio::buffer(rest), asio::use_awaitable);
                   co_await asio::async_write(reader, asio::buffer("back", 4), asio::use_awaitable);
                 }});
  BOOST_CHECK_EQUAL(first + rest, "0123456789");
  BOOST_CHECK_EQUAL(read_text(c.client, 4), "back");
}

BOOST_AUTO_TEST_CASE(buffered_stream_over_a_socket)
{
  connection c;
  asio::buffered_stream<tcp::socket&> stream(c.server, 64, 64);
  std::string asked, answer;
  bool early = true;
  run_coroutines(c.context, {[&]() -> asio::awaitable<void> {
                   write_text(c.client, "ask");
                   asked.resize(3);
                   co_await asio::async_read(stream, asio::buffer(asked), asio::use_awaitable);
                   co_await asio::async_write(stream, asio::buffer("answer", 6), asio::use_awaitable);
                   early = readable(c.client, 50ms);
                   co_await stream.async_flush(asio::use_awaitable);
                   answer = read_text(c.client, 6);
                 }});
  BOOST_CHECK_EQUAL(asked, "ask");
  BOOST_CHECK(!early);
  BOOST_CHECK_EQUAL(answer, "answer");
}

BOOST_AUTO_TEST_CASE(iostream_talks_to_an_asynchronous_server_until_it_expires)
{
  asio::io_context context;
  listener acceptor(context);
  auto client = std::async(std::launch::async, [&, endpoint = acceptor.endpoint()] {
    tcp::iostream stream;
    stream.expires_after(30s);
    stream.connect(endpoint);
    stream << "hello\n" << std::flush;
    std::string answer, more;
    std::getline(stream, answer);
    const bool fine = stream.good();
    stream.expires_after(50ms);
    std::getline(stream, more);
    const error_code expired = stream.error();
    return std::tuple(fine, answer, expired);
  });
  run_coroutines(context, {[&]() -> asio::awaitable<void> {
                   tcp::socket server = co_await acceptor.async_accept(asio::use_awaitable);
                   std::string buffered;
                   const std::string text = co_await line(server, buffered, '\n');
                   co_await asio::async_write(server, asio::buffer(text), asio::use_awaitable);
                   char data[1];
                   auto [e, n] =
                       co_await server.async_read_some(asio::buffer(data), as_values); // the client's end
                   BOOST_CHECK_EQUAL(e, asio::error::eof);
                 }});
  const auto [fine, answer, expired] = client.get();
  BOOST_CHECK(fine);
  BOOST_CHECK_EQUAL(answer, "hello");
  BOOST_CHECK_EQUAL(expired, asio::error::timed_out);
}

BOOST_AUTO_TEST_CASE(stackful_coroutines_with_composed_operations)
{
  connection c;
  std::string received;
  error_code at_end, cancelled;
  asio::spawn(
      c.context,
      [&](asio::yield_context yield) {
        std::string text;
        const auto size = asio::async_read_until(c.server, asio::dynamic_buffer(text), '\n', yield);
        asio::async_write(c.server, asio::buffer(text, size), yield);
        char data[8];
        asio::async_read(c.server, asio::buffer(data), yield[at_end]);
      },
      asio::detached);
  asio::spawn(
      c.context,
      [&](asio::yield_context yield) {
        asio::async_write(c.client, asio::buffer("line\n", 5), yield);
        received.resize(5);
        asio::async_read(c.client, asio::buffer(received), yield);
        asio::steady_timer timer(c.context, 5ms);
        timer.async_wait([&](error_code) { c.client.cancel(); });
        char data[8];
        c.client.async_read_some(asio::buffer(data), yield[cancelled]);
        c.client.close();
      },
      asio::detached);
  finish(c.context);
  BOOST_CHECK_EQUAL(received, "line\n");
  BOOST_CHECK_EQUAL(cancelled, asio::error::operation_aborted);
  BOOST_CHECK_EQUAL(at_end, asio::error::eof);
}

BOOST_AUTO_TEST_CASE(a_coroutine_per_connection_and_a_hundred_clients)
{
  asio::io_context context;
  listener acceptor(context);
  int right = 0;
  auto session = [](tcp::socket socket) -> asio::awaitable<void> {
    char data[64];
    for (;;) {
      auto [e, n] = co_await socket.async_read_some(asio::buffer(data), as_values);
      if (e) co_return;
      co_await asio::async_write(socket, asio::buffer(data, n), asio::use_awaitable);
    }
  };
  auto client = [&](int number) -> asio::awaitable<void> {
    tcp::socket socket(context);
    co_await socket.async_connect(acceptor.endpoint(), asio::use_awaitable);
    for (int round = 0; round != 10; ++round) {
      const std::string there = std::to_string(number) + "." + std::to_string(round);
      std::string back(there.size(), '\0');
      co_await asio::async_write(socket, asio::buffer(there), asio::use_awaitable);
      co_await asio::async_read(socket, asio::buffer(back), asio::use_awaitable);
      right += there == back;
    }
  };
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        for (int i = 0; i != 100; ++i)
          asio::co_spawn(context, session(co_await acceptor.async_accept(asio::use_awaitable)),
                         asio::detached);
      },
      asio::detached);
  for (int i = 0; i != 100; ++i)
    asio::co_spawn(context, client(i), asio::detached);
  finish(context);
  BOOST_CHECK_EQUAL(right, 1000);
}

BOOST_AUTO_TEST_CASE(lines_of_a_socket_through_a_channel_to_another_socket)
{
  asio::io_context context;
  pair<> in(context), out(context);
  experimental::channel<void(error_code, std::string)> lines(context, 2);
  std::string text;
  for (int i = 0; i != 100; ++i)
    text += "line " + std::to_string(i) + "\n";
  std::string received;
  run_coroutines(context,
                 {[&]() -> asio::awaitable<void> {
                    std::string buffered;
                    for (;;) {
                      auto [e, n] = co_await asio::async_read_until(in.server, asio::dynamic_buffer(buffered),
                                                                    '\n', as_values);
                      if (e) break;
                      co_await lines.async_send(error_code(), buffered.substr(0, n), asio::use_awaitable);
                      buffered.erase(0, n);
                    }
                    lines.close();
                  },
                  [&]() -> asio::awaitable<void> {
                    for (;;) {
                      auto [e, one] = co_await lines.async_receive(as_values);
                      if (e) break;
                      co_await asio::async_write(out.client, asio::buffer(one), asio::use_awaitable);
                    }
                    out.client.shutdown(tcp::socket::shutdown_send);
                  },
                  [&]() -> asio::awaitable<void> {
                    co_await asio::async_write(in.client, asio::buffer(text), asio::use_awaitable);
                    in.client.shutdown(tcp::socket::shutdown_send);
                    co_await asio::async_read(out.server, asio::dynamic_buffer(received), as_values);
                  }});
  BOOST_CHECK_EQUAL(received, text);
}

BOOST_AUTO_TEST_CASE(channel_between_the_threads_of_two_contexts)
{
  connection c;
  asio::io_context other;
  experimental::concurrent_channel<void(error_code, std::size_t)> sizes(other, 1);
  std::size_t total = 0;
  asio::co_spawn(
      other,
      [&]() -> asio::awaitable<void> {
        for (error_code e; !e;) {
          auto [error, n] = co_await sizes.async_receive(as_values);
          e = error;
          total += n;
        }
      },
      asio::detached);
  std::thread thread([&] { other.run_for(60s); });
  run_coroutines(c.context, {[&]() -> asio::awaitable<void> {
                               char data[1000];
                               for (error_code e; !e;) {
                                 auto [error, n] =
                                     co_await c.server.async_read_some(asio::buffer(data), as_values);
                                 co_await sizes.async_send(error, n, asio::use_awaitable);
                                 e = error;
                               }
                             },
                             [&]() -> asio::awaitable<void> {
                               const std::string data(50'000, 'x');
                               co_await asio::async_write(c.client, asio::buffer(data), asio::use_awaitable);
                               c.client.close();
                             }});
  thread.join();
  BOOST_CHECK_EQUAL(total, 50'000u);
}

BOOST_AUTO_TEST_CASE(group_of_composed_operations_and_a_timer)
{
  connection c;
  write_text(c.client, "abc");
  c.server.wait(tcp::socket::wait_read); // so that the time limit applies to reading them
  std::array<char, 8> data;
  asio::steady_timer timer(c.context, 100ms);
  std::array<std::size_t, 2> order{};
  outcome read;
  error_code timer_error;
  experimental::make_parallel_group(asio::async_read(c.server, asio::buffer(data), asio::deferred),
                                    timer.async_wait(asio::deferred))
      .async_wait(experimental::wait_for_one(),
                  [&](std::array<std::size_t, 2> o, error_code e, std::size_t n, error_code t) {
                    order = o;
                    read.record()(e, n);
                    timer_error = t;
                  });
  finish(c.context);
  BOOST_CHECK_EQUAL(order[0], 1u);
  BOOST_CHECK_EQUAL(timer_error, error_code());
  CHECK_FAILED(read, asio::error::operation_aborted);
  BOOST_CHECK_EQUAL(read.bytes, 3u);
}

BOOST_AUTO_TEST_CASE(group_with_as_many_reads_as_a_range_has)
{
  asio::io_context context;
  std::vector<std::unique_ptr<pair<>>> pairs;
  std::vector<std::array<char, 1>> data(20);
  using read_operation =
      decltype(std::declval<tcp::socket&>().async_read_some(asio::buffer(data[0]), asio::deferred));
  std::vector<read_operation> reads;
  for (std::size_t i = 0; i != data.size(); ++i) {
    pairs.push_back(std::make_unique<pair<>>(context));
    reads.push_back(pairs.back()->server.async_read_some(asio::buffer(data[i]), asio::deferred));
  }
  std::vector<std::size_t> order;
  std::size_t total = 0;
  experimental::make_parallel_group(std::move(reads))
      .async_wait(
          experimental::wait_for_all(),
          [&](std::vector<std::size_t> o, std::vector<error_code> errors, std::vector<std::size_t> sizes) {
            order = o;
            for (std::size_t i = 0; i != sizes.size(); ++i)
              total += errors[i] ? 0 : sizes[i];
          });
  settle(context);
  for (auto& p : pairs)
    write_text(p->client, "x");
  finish(context);
  BOOST_CHECK_EQUAL(order.size(), data.size());
  BOOST_CHECK_EQUAL(total, data.size());
}

BOOST_AUTO_TEST_SUITE_END()
