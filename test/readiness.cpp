// test/readiness.cpp: readiness of sockets, and events that nobody asked for.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <linux/net_tstamp.h>

using namespace test;

namespace {

using streams = std::tuple<tcp, local>;

void check_sleeps(asio::io_context& context) { BOOST_CHECK(sleeps(context)); }

std::size_t threads()
{
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/task"), {}));
}

/// A connection whose client does not read, filled by its server.
template <class Protocol>
struct full_connection : connection<Protocol>
{
  std::size_t written = 0;

  full_connection()
  {
    auto& server = this->server;
    server.set_option(asio::socket_base::send_buffer_size(4096));
    this->client.set_option(asio::socket_base::receive_buffer_size(4096));
    error_code error;
    // The kernel still moves data from the socket to the peer, so there may be room again for a moment.
    for (int quiet = 0; quiet < 5; quiet = error ? quiet + 1 : 0) {
      if (error) ::usleep(20'000);
      const std::string much(1 << 20, '.');
      server.non_blocking(true);
      written += server.write_some(asio::buffer(much), error);
    }
    server.non_blocking(false);
    server.native_non_blocking(false);
  }
};

/// Sends a byte whose transmission leaves a message in the error queue: POLLERR until it is read.
void leave_message_in_error_queue(tcp::socket& socket)
{
  const int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  const int fd = socket.native_handle();
  BOOST_REQUIRE_EQUAL(::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)), 0);
  write_text(socket, "x");
  pollfd p{fd, 0, 0};
  BOOST_REQUIRE(::poll(&p, 1, 20'000) == 1 && p.revents & POLLERR);
  const int none = 0;
  BOOST_REQUIRE_EQUAL(::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &none, sizeof(none)), 0);
}

/// Runs the loop until everything that is ready has been handled.
void turn(asio::io_context& context)
{
  for (int i = 0; i < 5; ++i)
    settle(context);
}

} // namespace

BOOST_AUTO_TEST_SUITE(readiness)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_blocked_write_sleeps_beside_a_peer_that_has_half_closed, Protocol, streams)
{
  full_connection<Protocol> c;
  outcome written;
  const std::string much(64 << 10, '.');
  asio::async_write(c.server, asio::buffer(much), written.record());
  settle(c.context);
  c.client.shutdown(Protocol::socket::shutdown_send);
  const auto before = threads();
  check_sleeps(c.context);
  BOOST_CHECK(!written.done());
  BOOST_CHECK_LE(threads(), before); // and no kernel thread waits instead

  read_until(c.context, c.client, [&] { return written.done(); });
  CHECK_SUCCEEDED(written);
  BOOST_CHECK_EQUAL(written.bytes, much.size());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_that_begins_after_the_peer_has_half_closed_waits_for_room, Protocol,
                              streams)
{
  full_connection<Protocol> c;
  c.client.shutdown(Protocol::socket::shutdown_send);
  for (int i = 0; i < 3; ++i) {
    outcome written;
    const std::string much(16 << 10, '.');
    asio::async_write(c.server, asio::buffer(much), written.record());
    settle(c.context);
    read_until(c.context, c.client, [&] { return written.done(); });
    CHECK_SUCCEEDED(written);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_blocked_write_beside_a_peer_that_has_half_closed_is_cancelled, Protocol,
                              streams)
{
  full_connection<Protocol> c;
  c.client.shutdown(Protocol::socket::shutdown_send);
  for (int i = 0; i < 3; ++i) {
    outcome written;
    const std::string much(64 << 10, '.');
    c.server.async_write_some(asio::buffer(much), written.record());
    turn(c.context);
    c.server.cancel();
    finish(c.context);
    CHECK_FAILED(written, asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wait_for_room_ends_with_room_though_the_peer_has_half_closed, Protocol,
                              streams)
{
  full_connection<Protocol> c;
  outcome room;
  c.server.async_wait(asio::socket_base::wait_write, room.record());
  settle(c.context);
  c.client.shutdown(Protocol::socket::shutdown_send);
  check_sleeps(c.context);
  BOOST_CHECK(!room.done());

  read_until(c.context, c.client, [&] { return room.done(); });
  CHECK_SUCCEEDED(room);
}

BOOST_AUTO_TEST_CASE(a_wait_for_an_error_sleeps_beside_a_peer_that_has_half_closed)
{
  connection c;
  outcome failed;
  c.server.async_wait(tcp::socket::wait_error, failed.record());
  c.client.shutdown(tcp::socket::shutdown_send);
  check_sleeps(c.context);
  BOOST_CHECK(!failed.done());

  c.server.shutdown(tcp::socket::shutdown_send); // both directions are closed: a hang-up
  finish(c.context);
  CHECK_SUCCEEDED(failed);
}

BOOST_AUTO_TEST_CASE(a_wait_for_an_error_ends_with_a_reset)
{
  connection c;
  outcome failed;
  c.server.async_wait(tcp::socket::wait_error, failed.record());
  write_text(c.client, "data is no error");
  turn(c.context);
  BOOST_CHECK(!failed.done());
  c.client.set_option(tcp::socket::linger(true, 0));
  c.client.close();
  finish(c.context);
  CHECK_SUCCEEDED(failed);
}

BOOST_AUTO_TEST_CASE(waits_that_nothing_has_ended_are_cancelled_or_end_with_their_socket)
{
  for (const bool close : {false, true}) {
    full_connection<tcp> c;
    outcome ended[3];
    char byte;
    c.server.async_wait(tcp::socket::wait_error, ended[0].record());
    c.server.async_wait(tcp::socket::wait_write, ended[1].record());
    c.server.async_receive(asio::buffer(&byte, 1), tcp::socket::message_out_of_band, ended[2].record());
    settle(c.context);
    c.client.shutdown(tcp::socket::shutdown_send);
    turn(c.context);
    close ? c.server.close() : c.server.cancel();
    finish(c.context);
    for (const outcome& o : ended)
      CHECK_FAILED(o, asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_CASE(urgent_data_is_waited_for_beside_a_peer_that_has_half_closed)
{
  connection c;
  outcome received;
  char byte = 0;
  c.server.async_receive(asio::buffer(&byte, 1), tcp::socket::message_out_of_band, received.record());
  settle(c.context);
  c.client.shutdown(tcp::socket::shutdown_send);
  check_sleeps(c.context);
  BOOST_CHECK(!received.done());
  c.server.cancel();
  finish(c.context);
  CHECK_FAILED(received, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(urgent_data_comes_after_much_that_is_not)
{
  connection c;
  outcome received;
  char byte = 0;
  c.server.async_receive(asio::buffer(&byte, 1), tcp::socket::message_out_of_band, received.record());
  for (int i = 0; i < 5; ++i) {
    write_text(c.client, "usual");
    turn(c.context);
  }
  BOOST_CHECK(!received.done());
  c.client.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  finish(c.context);
  CHECK_SUCCEEDED(received);
  BOOST_CHECK_EQUAL(byte, '!');
}

BOOST_AUTO_TEST_CASE(reads_and_writes_sleep_beside_a_message_in_the_error_queue)
{
  connection c;
  leave_message_in_error_queue(c.server);
  outcome read, written;
  char byte;
  c.server.async_read_some(asio::buffer(&byte, 1), read.record());
  check_sleeps(c.context);
  BOOST_CHECK(!read.done());

  const std::string much(64 << 20, '.');
  asio::async_write(c.server, asio::buffer(much), written.record());
  check_sleeps(c.context);
  BOOST_CHECK(!read.done() && !written.done());
  write_text(c.client, "y");
  run_until(c.context, [&] { return read.done(); });
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peek_that_found_less_than_it_had_room_for_leaves_the_data_to_the_next_read,
                              Protocol, streams)
{
  connection<Protocol> c;
  char space[2][32];
  const std::array<asio::mutable_buffer, 2> several{asio::buffer(space[0]), asio::buffer(space[1])};
  for (int i = 0; i < 4; ++i) {
    write_text(c.client, "hello");
    outcome peeked, read;
    if (i % 2)
      c.server.async_receive(asio::buffer(space[0]), asio::socket_base::message_peek, peeked.record());
    else
      c.server.async_receive(several, asio::socket_base::message_peek, peeked.record());
    run_until(c.context, [&] { return peeked.done(); });
    c.server.async_receive(asio::buffer(space[0]), read.record());
    turn(c.context); // does not wait
    CHECK_SUCCEEDED(peeked);
    CHECK_SUCCEEDED(read);
    BOOST_CHECK_EQUAL(std::string(space[0], read.bytes), "hello");
  }
}

BOOST_AUTO_TEST_CASE(what_was_read_from_the_error_queue_says_nothing_of_the_data)
{
  connection c;
  leave_message_in_error_queue(c.server);
  write_text(c.client, "hello");
  BOOST_REQUIRE(readable(c.server));
  char space[64];
  outcome error, read;
  c.server.async_receive(asio::buffer(space), MSG_ERRQUEUE, error.record());
  run_until(c.context, [&] { return error.done(); });
  c.server.async_receive(asio::buffer(space), read.record());
  turn(c.context);
  CHECK_SUCCEEDED(error);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(silence_after_a_short_read_is_no_handler_in_the_count)
{
  connection c;
  char data[8];
  outcome first, second;
  c.server.async_read_some(asio::buffer(data), first.record());
  write_text(c.client, "x");
  std::size_t counted = c.context.run();
  CHECK_SUCCEEDED(first);
  check_count(counted, 1);

  c.context.restart();
  c.server.async_read_some(asio::buffer(data), second.record());
  check_count(c.context.run_for(100ms), 0);
  write_text(c.client, "y");
  check_count(finish(c.context), 1);
  CHECK_SUCCEEDED(second);
}

BOOST_AUTO_TEST_CASE(a_read_that_begins_after_the_silence_is_one_handler_in_the_count)
{
  connection c;
  char data[8];
  asio::steady_timer timer(c.context);
  for (int i = 0; i < 3; ++i) {
    outcome read, expired;
    c.server.async_read_some(asio::buffer(data), read.record());
    settle(c.context);
    write_text(c.client, "x");
    check_count(finish(c.context), 1);
    CHECK_SUCCEEDED(read);
    timer.expires_after(60ms);
    timer.async_wait(expired.record());
    check_count(finish(c.context), 1);
  }
}

BOOST_AUTO_TEST_CASE(a_read_takes_what_is_there_below_the_low_water_mark_and_does_not_wake_for_it)
{
  connection c;
  char data[64];
  c.server.set_option(tcp::socket::receive_low_watermark(10));
  write_text(c.client, "hello");
  BOOST_REQUIRE(!readable(c.server, 100ms));
  outcome there, below, above;
  c.server.async_read_some(asio::buffer(data), there.record());
  finish(c.context);
  CHECK_SUCCEEDED(there);
  BOOST_CHECK_EQUAL(there.bytes, 5u);

  c.server.async_read_some(asio::buffer(data), above.record());
  turn(c.context);
  write_text(c.client, "hello");
  c.context.restart();
  c.context.run_for(100ms); // the second look comes within 40 ms
  BOOST_CHECK(!above.done());
  write_text(c.client, "again");
  finish(c.context);
  CHECK_SUCCEEDED(above);
  BOOST_CHECK_EQUAL(above.bytes, 10u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_transfer_that_asks_for_all_gets_what_there_is, Protocol, streams)
{
  connection<Protocol> c;
  char space[2][32];
  const std::array<asio::mutable_buffer, 2> several{asio::buffer(space[0]), asio::buffer(space[1])};
  for (const bool one : {true, false}) {
    write_text(c.client, "hello");
    outcome received;
    if (one)
      c.server.async_receive(asio::buffer(space[0]), MSG_WAITALL, received.record());
    else
      c.server.async_receive(several, MSG_WAITALL, received.record());
    finish(c.context);
    CHECK_SUCCEEDED(received);
    BOOST_CHECK_EQUAL(received.bytes, 5u);
  }
  outcome sent;
  const std::string much(64 << 20, '.');
  c.server.async_send(asio::buffer(much), MSG_WAITALL, sent.record());
  finish(c.context);
  CHECK_SUCCEEDED(sent);
  BOOST_CHECK_LT(sent.bytes, much.size());
}

BOOST_AUTO_TEST_SUITE_END()
