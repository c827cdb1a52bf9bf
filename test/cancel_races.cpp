// test/cancel_races.cpp: cancellation that wins, loses or comes too late; no byte is lost in any case.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <thread>

using namespace test;

namespace {

/// Reads `text`, which a cancelled read of up to 16 bytes may have received, or which may still be in the
/// socket.
template <class Protocol>
struct cancelled_read : connection<Protocol>
{
  std::array<char, 16> data;
  outcome read;

  enum moment
  {
    before_the_kernel_knows,
    after_the_kernel_knows,
    after_the_kernel_may_have_received
  };

  cancelled_read(std::string_view text, moment when)
  {
    asio::cancellation_signal signal;
    this->server.async_read_some(asio::buffer(data),
                                 asio::bind_cancellation_slot(signal.slot(), read.record()));
    if (when != before_the_kernel_knows) settle(this->context);
    write_text(this->client, text);
    if (when == after_the_kernel_may_have_received) std::this_thread::yield();
    signal.emit(asio::cancellation_type::terminal);
    finish(this->context);
    BOOST_REQUIRE(read.calls == 1);
    BOOST_REQUIRE(read.error ? read.error == asio::error::operation_aborted && read.bytes == 0
                             : read.bytes != 0);
  }

  std::string delivered() const { return {data.data(), read.bytes}; }
  static constexpr auto moments = {before_the_kernel_knows, after_the_kernel_knows,
                                   after_the_kernel_may_have_received};
};

/// Sends a pattern in pieces of all sizes, with pauses, until told to stop.
asio::awaitable<void> send_until(tcp::socket& socket, const pattern& data, const bool& stop,
                                 std::size_t& sent)
{
  std::mt19937 random(5);
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (!stop) {
    sent += co_await socket.async_write_some(data.at(sent, 1 + random() % 3000), asio::use_awaitable);
    if (random() % 2) {
      pause.expires_after(std::chrono::microseconds(random() % 60));
      co_await pause.async_wait(asio::use_awaitable);
    }
  }
  socket.shutdown(tcp::socket::shutdown_send);
}

/// Reads 10 000 times against a timer, then to the end of the stream.
template <class Delay>
asio::awaitable<void> race(tcp::socket& socket, const pattern& data, Delay delay, bool& stop,
                           std::size_t& received, bool& intact, std::array<int, 2>& wins)
{
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  std::array<char, 2000> space;
  auto take = [&](std::size_t n) {
    intact = intact && data.matches(received, space.data(), n);
    received += n;
  };
  for (int i = 0, end = rounds(10000); i != end; ++i) {
    timer.expires_after(delay());
    auto winner = co_await (socket.async_read_some(asio::buffer(space), asio::use_awaitable) ||
                            timer.async_wait(asio::use_awaitable));
    ++wins[winner.index()];
    if (winner.index() == 0) take(std::get<0>(winner));
  }
  stop = true;
  for (;;) {
    auto [error, n] =
        co_await socket.async_read_some(asio::buffer(space), asio::as_tuple(asio::use_awaitable));
    take(n);
    if (error) co_return;
  }
}

template <class Delay>
void check_race(Delay delay)
{
  connection c;
  pattern data;
  bool stop = false, intact = true;
  std::size_t sent = 0, received = 0;
  std::array<int, 2> wins{};
  asio::co_spawn(c.context, send_until(c.client, data, stop, sent), asio::detached);
  asio::co_spawn(c.context, race(c.server, data, delay, stop, received, intact, wins), asio::detached);
  finish(c.context);
  BOOST_TEST_MESSAGE("the read won " << wins[0] << " times, the timer " << wins[1] << " times");
  BOOST_CHECK(intact);
  BOOST_CHECK_EQUAL(received, sent);
}

/// The order of a round's two events, and how much of the loop runs in between.
template <typename First, typename Second>
void in_any_order(asio::io_context& context, std::mt19937& random, First first, Second second)
{
  const auto run_a_little = [&] {
    switch (random() % 3) {
    case 0:
      context.poll();
      break;
    case 1:
      context.poll_one();
      break;
    }
    context.restart();
  };
  run_a_little();
  if (random() % 2) {
    first();
    run_a_little();
    second();
  } else {
    second();
    run_a_little();
    first();
  }
}

const int race_rounds = rounds(20000);

} // namespace

BOOST_AUTO_TEST_SUITE(cancel_races)

BOOST_AUTO_TEST_CASE_TEMPLATE(after_a_cancelled_read_available_counts_the_data, Protocol, stream_protocols)
{
  for (auto when : cancelled_read<Protocol>::moments) {
    cancelled_read<Protocol> c("abcdef", when);
    // On a busy machine, data sent over loopback may arrive a little after send(2) has returned.
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (c.read.bytes + c.server.available() == 0 && std::chrono::steady_clock::now() < limit)
      std::this_thread::yield();
    BOOST_CHECK_EQUAL(c.read.bytes + c.server.available(), 6u);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(after_a_cancelled_read_a_synchronous_one_sees_the_data, Protocol,
                              stream_protocols)
{
  for (auto when : cancelled_read<Protocol>::moments) {
    cancelled_read<Protocol> c("abc", when);
    write_text(c.client, "def");
    BOOST_CHECK_EQUAL(c.delivered() + read_text(c.server, 6 - c.read.bytes), "abcdef");
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(after_a_cancelled_read_the_next_sees_the_data, Protocol, stream_protocols)
{
  for (auto when : cancelled_read<Protocol>::moments) {
    cancelled_read<Protocol> c("abc", when);
    c.client.close();
    std::string rest;
    outcome read;
    asio::async_read(c.server, asio::dynamic_buffer(rest), read.record());
    finish(c.context);
    BOOST_CHECK_EQUAL(c.delivered() + rest, "abc");
    CHECK_FAILED(read, asio::error::eof);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(after_a_cancelled_read_small_reads_see_the_data, Protocol, stream_protocols)
{
  for (auto when : cancelled_read<Protocol>::moments) {
    cancelled_read<Protocol> c("abcdef", when);
    std::string text = c.delivered();
    while (text.size() < 6) {
      std::array<char, 2> small;
      outcome read;
      c.server.async_read_some(asio::buffer(small), read.record());
      finish(c.context);
      text.append(small.data(), read.bytes);
    }
    BOOST_CHECK_EQUAL(text, "abcdef");
  }
}

BOOST_AUTO_TEST_CASE(after_a_cancelled_read_waiting_and_peeking_see_the_data)
{
  for (auto when : cancelled_read<tcp>::moments) {
    cancelled_read<tcp> c("abcdef", when);
    if (!c.read.error) continue;
    std::array<char, 8> data;
    outcome waited, peeked;
    c.server.async_wait(tcp::socket::wait_read, waited.record());
    c.server.async_receive(asio::buffer(data), tcp::socket::message_peek, peeked.record());
    finish(c.context);
    c.server.wait(tcp::socket::wait_read);
    CHECK_SUCCEEDED(waited);
    BOOST_CHECK_EQUAL(std::string(data.data(), peeked.bytes), "abcdef");
    BOOST_CHECK_EQUAL(c.server.receive(asio::buffer(data), tcp::socket::message_peek), 6u);
    BOOST_CHECK_EQUAL(read_text(c.server, 6), "abcdef");
  }
}

BOOST_AUTO_TEST_CASE(after_a_cancelled_read_a_non_blocking_one_sees_the_data)
{
  for (auto when : cancelled_read<tcp>::moments) {
    cancelled_read<tcp> c("abc", when);
    std::array<char, 8> data;
    error_code error;
    c.server.non_blocking(true);
    auto size = c.server.read_some(asio::buffer(data), error);
    BOOST_CHECK_EQUAL(c.delivered() + std::string(data.data(), size), "abc");
  }
}

BOOST_AUTO_TEST_CASE(after_a_cancelled_read_the_moved_socket_sees_the_data)
{
  for (auto when : cancelled_read<tcp>::moments) {
    cancelled_read<tcp> c("abc", when);
    tcp::socket moved(std::move(c.server));
    generic::socket converted(std::move(moved));
    BOOST_CHECK_EQUAL(c.delivered() + read_text(converted, 3 - c.read.bytes), "abc");
  }
}

BOOST_AUTO_TEST_CASE(data_of_a_cancelled_read_is_not_seen_by_the_next_connection)
{
  for (auto when : cancelled_read<tcp>::moments) {
    cancelled_read<tcp> c("old", when);
    c.server.close();
    c.client.close();
    connect(c.client, c.server);
    write_text(c.client, "new");
    BOOST_CHECK_EQUAL(read_text(c.server, 3), "new");
  }
}

BOOST_AUTO_TEST_CASE(data_of_a_cancelled_read_survives_the_next_race_against_a_timer)
{
  using namespace asio::experimental::awaitable_operators;
  for (auto when : cancelled_read<tcp>::moments) {
    cancelled_read<tcp> c("abc", when);
    std::string text = c.delivered();
    asio::steady_timer expired(c.context, -1s);
    auto race = [&]() -> asio::awaitable<void> {
      std::array<char, 8> data;
      for (int i = 0; i != 20 && text.size() != 3; ++i) {
        auto winner = co_await (expired.async_wait(asio::use_awaitable) ||
                                c.server.async_read_some(asio::buffer(data), asio::use_awaitable));
        if (winner.index() == 1) text.append(data.data(), std::get<1>(winner));
      }
    };
    asio::co_spawn(c.context, race, asio::detached);
    finish(c.context);
    c.client.close();
    BOOST_CHECK_EQUAL(text + read_to_end(c.server), "abc");
  }
}

BOOST_AUTO_TEST_CASE(timer_beats_read_and_no_byte_is_lost)
{
  std::mt19937 random(6);
  check_race([&] { return std::chrono::microseconds(random() % 80); });
}

BOOST_AUTO_TEST_CASE(expired_timer_beats_read_and_no_byte_is_lost)
{
  check_race([] { return -1s; });
}

BOOST_AUTO_TEST_CASE(timer_of_zero_or_little_beats_read_and_no_byte_is_lost)
{
  std::mt19937 random(11);
  check_race([&] { return std::chrono::nanoseconds(random() % 2 ? 0 : random() % 5000); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(read_against_peer_against_cancel, Protocol, stream_protocols)
{
  connection<Protocol> c;
  pattern data;
  std::mt19937 random(12);
  std::size_t sent = 0, received = 0;
  bool intact = true, once = true;
  std::array<char, 500> space;
  c.client.non_blocking(true);
  for (int i = 0, end = rounds(20000); i != end; ++i) {
    outcome read;
    asio::cancellation_signal signal;
    auto send = [&] {
      error_code full;
      sent += c.client.write_some(data.at(sent, 1 + random() % 300), full);
    };
    auto cancel = [&] { signal.emit(asio::cancellation_type::terminal); };
    c.server.async_read_some(asio::buffer(space), asio::bind_cancellation_slot(signal.slot(), read.record()));
    switch (random() % 6) {
    case 0:
      send();
      cancel();
      break;
    case 1:
      cancel();
      send();
      break;
    case 2:
      c.context.poll();
      send();
      cancel();
      break;
    case 3:
      c.context.poll();
      cancel();
      send();
      break;
    case 4:
      send();
      c.context.poll_one();
      asio::post(c.context, cancel);
      break;
    case 5:
      asio::post(c.context, send);
      asio::post(c.context, cancel);
      break;
    }
    finish(c.context);
    once = once && read.calls == 1 && (!read.error || read.error == asio::error::operation_aborted);
    intact = intact && data.matches(received, space.data(), read.bytes);
    received += read.bytes;
  }
  c.client.close();
  std::string rest = read_to_end(c.server);
  BOOST_CHECK(once);
  BOOST_CHECK(intact && data.matches(received, rest.data(), rest.size()));
  BOOST_CHECK_EQUAL(received + rest.size(), sent);
}

BOOST_AUTO_TEST_CASE(read_and_write_against_cancel_in_both_directions)
{
  connection<local> c;
  const pattern data;
  std::mt19937 random(21);
  std::size_t sent[2] = {}, received[2] = {};
  int wrong = 0;
  local::socket* sockets[2] = {&c.client, &c.server};
  for (int i = 0; i != race_rounds; ++i) {
    const unsigned from = random() % 2, to = 1 - from;
    outcome read, write;
    std::array<char, 700> space;
    asio::cancellation_signal reading, writing;
    sockets[to]->async_read_some(asio::buffer(space),
                                 asio::bind_cancellation_slot(reading.slot(), read.record()));
    in_any_order(
        c.context, random,
        [&] {
          sockets[from]->async_write_some(data.at(sent[from], 1 + random() % 500),
                                          asio::bind_cancellation_slot(writing.slot(), write.record()));
        },
        [&] {
          switch (random() % 3) {
          case 0:
            reading.emit(asio::cancellation_type::total);
            break;
          case 1:
            sockets[to]->cancel();
            break;
          case 2:
            reading.emit(asio::cancellation_type::terminal);
            writing.emit(asio::cancellation_type::terminal);
          }
        });
    finish(c.context);
    wrong += read.calls != 1 || write.calls != 1;
    wrong += read.error && read.error != asio::error::operation_aborted;
    wrong += write.error && write.error != asio::error::operation_aborted;
    wrong += !data.matches(received[from], space.data(), read.bytes);
    sent[from] += write.bytes;
    received[from] += read.bytes;
    for (error_code ec; received[from] + 4096 < sent[from];) { // do not let it fill up
      const std::size_t n = sockets[to]->read_some(asio::buffer(space), ec);
      wrong += ec || !data.matches(received[from], space.data(), n);
      received[from] += n;
    }
  }
  BOOST_CHECK_EQUAL(wrong, 0);
  for (const unsigned from : {0u, 1u}) {
    const std::string rest = read_text(*sockets[1 - from], sent[from] - received[from]);
    BOOST_CHECK(data.matches(received[from], rest.data(), rest.size()));
  }
}

BOOST_AUTO_TEST_CASE(accept_against_cancel_loses_no_connection_and_no_descriptor)
{
  asio::io_context context;
  std::string path = std::filesystem::temp_directory_path().string();
  path.append("/asio_uring_race_").append(std::to_string(::getpid()));
  std::filesystem::remove(path);
  local::acceptor acceptor(context, local::endpoint(path));
  acceptor.non_blocking(true);
  std::mt19937 random(22);
  const std::size_t before = open_descriptors();
  std::size_t connected = 0, accepted = 0;
  int wrong = 0;
  for (int i = 0; i != race_rounds; ++i) {
    local::socket peer(context), client(context);
    outcome accept;
    asio::cancellation_signal signal;
    acceptor.async_accept(peer, asio::bind_cancellation_slot(signal.slot(), accept.record()));
    in_any_order(
        context, random,
        [&] {
          client.connect(local::endpoint(path));
          ++connected;
        },
        [&] { random() % 2 ? acceptor.cancel() : signal.emit(asio::cancellation_type::terminal); });
    finish(context);
    wrong += accept.calls != 1 || accept.succeeded() != peer.is_open();
    wrong += accept.error && accept.error != asio::error::operation_aborted;
    accepted += accept.succeeded();
    error_code none;
    while (!none) { // connections that were not accepted are still in the queue
      local::socket late(context);
      acceptor.accept(late, none);
      accepted += !none;
    }
  }
  std::filesystem::remove(path);
  BOOST_CHECK_EQUAL(wrong, 0);
  BOOST_CHECK_EQUAL(accepted, connected);
  BOOST_CHECK_EQUAL(open_descriptors(), before);
}

BOOST_AUTO_TEST_CASE(connect_against_cancel_completes_once_and_loses_no_descriptor)
{
  asio::io_context context;
  listener acceptor(context);
  acceptor.non_blocking(true);
  std::mt19937 random(23);
  const std::size_t before = open_descriptors();
  int wrong = 0;
  for (int i = 0; i != race_rounds; ++i) {
    tcp::socket client(context, tcp::v4());
    client.set_option(asio::socket_base::linger(true, 0)); // leaves no port in TIME_WAIT
    outcome connect;
    asio::cancellation_signal signal;
    client.async_connect(acceptor.endpoint(), asio::bind_cancellation_slot(signal.slot(), connect.record()));
    in_any_order(
        context, random, [] {},
        [&] { random() % 2 ? client.cancel() : signal.emit(asio::cancellation_type::terminal); });
    finish(context);
    wrong += connect.calls != 1 || (connect.error && connect.error != asio::error::operation_aborted);
    for (error_code none; !none;) {
      tcp::socket peer(context);
      acceptor.accept(peer, none);
    }
  }
  BOOST_CHECK_EQUAL(wrong, 0);
  BOOST_CHECK_EQUAL(open_descriptors(), before);
}

BOOST_AUTO_TEST_SUITE_END()
