// test/cancel.cpp: what a cancellation by slot or by socket ends, and what it leaves alone.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <thread>

using namespace test;

namespace {

constexpr auto every_type = {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                             asio::cancellation_type::total};

} // namespace

BOOST_AUTO_TEST_SUITE(cancel)

BOOST_AUTO_TEST_CASE_TEMPLATE(socket_cancel, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read, read_too, waited;
  c.server.async_read_some(asio::buffer(data), read.record());
  c.server.async_read_some(asio::buffer(data), read_too.record());
  c.server.async_wait(Protocol::socket::wait_error, waited.record());
  settle(c.context);
  c.server.cancel();
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  CHECK_FAILED(read_too, asio::error::operation_aborted);
  CHECK_FAILED(waited, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancel_before_run, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  c.server.cancel();
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(cancel_without_operations)
{
  connection c;
  std::array<char, 8> data;
  c.server.cancel();
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(operation_initiated_after_the_cancel_is_not_cancelled)
{
  connection c;
  std::array<char, 8> data;
  outcome first, second;
  c.server.async_read_some(asio::buffer(data), first.record());
  c.server.cancel();
  c.server.async_read_some(asio::buffer(data), second.record());
  write_text(c.client, "abc");
  finish(c.context);
  BOOST_CHECK(first.error == asio::error::operation_aborted || first.succeeded());
  if (first.error) CHECK_SUCCEEDED(second);
}

BOOST_AUTO_TEST_CASE(slot_of_each_type_cancels_a_read)
{
  for (auto type : every_type) {
    connection c;
    std::array<char, 8> data;
    outcome read;
    asio::cancellation_signal signal;
    c.server.async_read_some(asio::buffer(data), asio::bind_cancellation_slot(signal.slot(), read.record()));
    settle(c.context);
    signal.emit(type);
    finish(c.context);
    CHECK_FAILED(read, asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_CASE(slot_of_each_type_cancels_wait_accept_and_write)
{
  for (auto type : every_type) {
    connection c;
    listener acceptor(c.context);
    tcp::socket peer(c.context);
    std::string text(64 << 20, 'x');
    outcome waited, accepted, written;
    std::array<asio::cancellation_signal, 3> signals;
    c.server.async_wait(tcp::socket::wait_read,
                        asio::bind_cancellation_slot(signals[0].slot(), waited.record()));
    acceptor.async_accept(peer, asio::bind_cancellation_slot(signals[1].slot(), accepted.record()));
    asio::async_write(c.server, asio::buffer(text),
                      asio::bind_cancellation_slot(signals[2].slot(), written.record()));
    settle(c.context);
    for (auto& signal : signals)
      signal.emit(type);
    if (type == asio::cancellation_type::total) // the composed write cannot promise that
      c.server.cancel();
    finish(c.context);
    CHECK_FAILED(waited, asio::error::operation_aborted);
    CHECK_FAILED(accepted, asio::error::operation_aborted);
    CHECK_FAILED(written, asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_CASE(slot_with_no_type_cancels_nothing)
{
  connection c;
  std::array<char, 8> data;
  outcome read;
  asio::cancellation_signal signal;
  c.server.async_read_some(asio::buffer(data), asio::bind_cancellation_slot(signal.slot(), read.record()));
  settle(c.context);
  signal.emit(asio::cancellation_type::none);
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(partially_done_write_tells_how_much_was_sent)
{
  connection c;
  pattern data;
  std::string text(32 << 20, 'x');
  outcome written;
  asio::cancellation_signal signal;
  asio::async_write(c.client, asio::buffer(text),
                    asio::bind_cancellation_slot(signal.slot(), written.record()));
  settle(c.context);
  signal.emit(asio::cancellation_type::partial);
  finish(c.context);
  CHECK_FAILED(written, asio::error::operation_aborted);
  c.client.close();
  BOOST_CHECK_EQUAL(read_to_end(c.server).size(), written.bytes);
}

BOOST_AUTO_TEST_CASE(cancel_of_one_queued_read_leaves_the_others)
{
  connection c;
  std::array<std::array<char, 4>, 3> data;
  std::array<outcome, 3> reads;
  std::array<asio::cancellation_signal, 3> signals;
  for (int i = 0; i != 3; ++i)
    c.server.async_read_some(asio::buffer(data[i]),
                             asio::bind_cancellation_slot(signals[i].slot(), reads[i].record()));
  settle(c.context);
  signals[1].emit(asio::cancellation_type::terminal);
  settle(c.context);
  write_text(c.client, "aaaabbbb");
  finish(c.context);
  CHECK_FAILED(reads[1], asio::error::operation_aborted);
  BOOST_CHECK_EQUAL(std::string(data[0].data(), 4) + std::string(data[2].data(), 4), "aaaabbbb");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancel_of_the_read_leaves_the_write_alone, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  std::string text(16 << 20, 'x');
  outcome read, written;
  asio::cancellation_signal signal;
  c.server.async_read_some(asio::buffer(data), asio::bind_cancellation_slot(signal.slot(), read.record()));
  asio::async_write(c.server, asio::buffer(text), written.record());
  settle(c.context);
  signal.emit(asio::cancellation_type::terminal);
  settle(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  BOOST_CHECK_EQUAL(written.calls, 0);
  std::thread reader([&] { read_text(c.client, text.size()); });
  finish(c.context);
  reader.join();
  CHECK_SUCCEEDED(written);
}

BOOST_AUTO_TEST_CASE(cancel_of_the_write_leaves_the_read_alone)
{
  connection c;
  std::array<char, 8> data;
  std::string text(64 << 20, 'x');
  outcome read, written;
  asio::cancellation_signal signal;
  c.server.async_read_some(asio::buffer(data), read.record());
  asio::async_write(c.server, asio::buffer(text),
                    asio::bind_cancellation_slot(signal.slot(), written.record()));
  settle(c.context);
  signal.emit(asio::cancellation_type::terminal);
  settle(c.context);
  CHECK_FAILED(written, asio::error::operation_aborted);
  BOOST_CHECK_EQUAL(read.calls, 0);
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(cancel_after_completion_but_before_the_handler_ran)
{
  asio::io_context context;
  pair<> first(context), second(context);
  std::array<char, 8> data, more;
  outcome read;
  first.server.async_read_some(asio::buffer(data), [&](error_code, std::size_t) { second.server.cancel(); });
  second.server.async_read_some(asio::buffer(more), read.record());
  settle(context);
  write_text(first.client, "abc");
  write_text(second.client, "abc");
  finish(context);
  BOOST_CHECK_EQUAL(read.calls, 1);
  BOOST_CHECK_EQUAL(read.error ? second.server.available() : read.bytes, 3u);
}

BOOST_AUTO_TEST_CASE(cancel_through_the_slot_after_the_handler_ran)
{
  connection c;
  std::array<char, 8> data;
  outcome first, second;
  asio::cancellation_signal signal, other;
  c.server.async_read_some(asio::buffer(data), asio::bind_cancellation_slot(signal.slot(), first.record()));
  write_text(c.client, "abc");
  finish(c.context);
  c.server.async_read_some(asio::buffer(data), asio::bind_cancellation_slot(other.slot(), second.record()));
  settle(c.context);
  signal.emit(asio::cancellation_type::terminal);
  write_text(c.client, "def");
  finish(c.context);
  CHECK_SUCCEEDED(first);
  CHECK_SUCCEEDED(second);
}

BOOST_AUTO_TEST_CASE(slot_does_nothing_once_the_handler_runs)
{
  connection c;
  std::array<char, 8> data;
  asio::cancellation_signal signal;
  outcome second;
  c.server.async_read_some(asio::buffer(data),
                           asio::bind_cancellation_slot(signal.slot(), [&](error_code, std::size_t) {
                             c.server.async_read_some(asio::buffer(data), second.record());
                             signal.emit(asio::cancellation_type::terminal);
                           }));
  write_text(c.client, "abc");
  settle(c.context);
  write_text(c.client, "def");
  finish(c.context);
  CHECK_SUCCEEDED(second);
}

BOOST_AUTO_TEST_CASE(signal_is_reused_inside_the_handler)
{
  connection c;
  std::array<char, 8> data;
  outcome second;
  asio::cancellation_signal signal;
  c.server.async_read_some(
      asio::buffer(data), asio::bind_cancellation_slot(signal.slot(), [&](error_code, std::size_t) {
        c.server.async_read_some(asio::buffer(data),
                                 asio::bind_cancellation_slot(signal.slot(), second.record()));
        asio::post(c.context, [&] { signal.emit(asio::cancellation_type::terminal); });
      }));
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_FAILED(second, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(socket_is_destroyed_before_the_signal_fires)
{
  asio::io_context context;
  std::array<char, 8> data;
  outcome read;
  asio::cancellation_signal signal;
  {
    pair<> p(context);
    p.server.async_read_some(asio::buffer(data), asio::bind_cancellation_slot(signal.slot(), read.record()));
    settle(context);
  }
  finish(context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  if (on_uring) // stock Asio would look into the destroyed socket
    signal.emit(asio::cancellation_type::terminal);
}

// The memory of a socket's state serves the next socket; a late signal must not reach that one.
BOOST_AUTO_TEST_CASE(signals_after_the_close_do_nothing_to_the_sockets_that_come_next)
{
  asio::io_context context;
  asio::cancellation_signal signal;
  outcome read;
  pair<tcp> closed(context);
  char byte;
  closed.client.async_read_some(asio::buffer(&byte, 1),
                                asio::bind_cancellation_slot(signal.slot(), read.record()));
  write_text(closed.server, "x");
  finish(context);
  CHECK_SUCCEEDED(read);
  closed.client.close();
  finish(context);
  for (int i = 0; i != 2; ++i)
    signal.emit(asio::cancellation_type::terminal);

  std::vector<std::unique_ptr<pair<tcp>>> next;
  std::vector<outcome> reads(4);
  std::array<char, 4> data{};
  for (std::size_t i = 0; i != reads.size(); ++i) {
    next.push_back(std::make_unique<pair<tcp>>(context));
    next[i]->server.async_read_some(asio::buffer(&data[i], 1), reads[i].record());
  }
  for (std::size_t i = 0; i != reads.size(); ++i)
    asio::async_write(next[i]->client, asio::buffer(&"abcd"[i], 1), [](error_code, std::size_t) {});
  finish(context);
  for (auto& r : reads)
    CHECK_SUCCEEDED(r);
  BOOST_CHECK_EQUAL(std::string(data.data(), data.size()), "abcd");
}

BOOST_AUTO_TEST_CASE(cancel_from_another_thread_by_post)
{
  connection c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  std::thread other([&] {
    std::this_thread::sleep_for(10ms);
    asio::post(c.context, [&] { c.server.cancel(); });
  });
  finish(c.context);
  other.join();
  CHECK_FAILED(read, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(cancelled_accept)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket peer(context);
  outcome accepted, again;
  acceptor.async_accept(peer, accepted.record());
  settle(context);
  acceptor.cancel();
  finish(context);
  CHECK_FAILED(accepted, asio::error::operation_aborted);
  BOOST_CHECK(!peer.is_open());
  acceptor.async_accept(peer, again.record());
  tcp::socket client(context);
  client.connect(acceptor.endpoint());
  finish(context);
  CHECK_SUCCEEDED(again);
}

BOOST_AUTO_TEST_CASE(cancelled_accept_that_had_connected_loses_no_connection)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context), server(context), next(context);
  outcome accepted, again;
  acceptor.async_accept(server, accepted.record());
  settle(context);
  client.connect(acceptor.endpoint());
  acceptor.cancel();
  finish(context);
  if (accepted.error) {
    acceptor.async_accept(server, again.record());
    finish(context);
  }
  write_text(client, "abc");
  BOOST_CHECK_EQUAL(read_text(server, 3), "abc");
}

BOOST_AUTO_TEST_CASE(cancelled_connect)
{
  asio::io_context context;
  // No connection is accepted and the backlog is full, so the last connect stays pending.
  tcp::acceptor acceptor(context, tcp::v4());
  acceptor.bind(loopback());
  acceptor.listen(0);
  tcp::socket first(context), pending(context);
  first.connect(acceptor.local_endpoint());
  outcome connected;
  pending.async_connect(acceptor.local_endpoint(), connected.record());
  settle(context);
  pending.cancel();
  finish(context);
  CHECK_FAILED(connected, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(cancelled_connect_through_the_slot)
{
  asio::io_context context;
  tcp::acceptor acceptor(context, tcp::v4());
  acceptor.bind(loopback());
  acceptor.listen(0);
  tcp::socket first(context), pending(context);
  first.connect(acceptor.local_endpoint());
  outcome connected;
  asio::cancellation_signal signal;
  pending.async_connect(acceptor.local_endpoint(),
                        asio::bind_cancellation_slot(signal.slot(), connected.record()));
  settle(context);
  signal.emit(asio::cancellation_type::terminal);
  finish(context);
  CHECK_FAILED(connected, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(cancelled_peek_duplicates_nothing)
{
  connection c;
  std::array<char, 8> data;
  outcome peeked;
  c.server.async_receive(asio::buffer(data), tcp::socket::message_peek, peeked.record());
  settle(c.context);
  write_text(c.client, "abc");
  c.server.cancel();
  finish(c.context);
  c.client.close();
  BOOST_CHECK_EQUAL(read_to_end(c.server), "abc");
}

BOOST_AUTO_TEST_CASE(read_cancelled_while_others_queue_behind_it_keeps_the_order)
{
  connection c;
  std::array<char, 4> first, second;
  outcome read, next;
  asio::cancellation_signal signal;
  c.server.async_read_some(asio::buffer(first), asio::bind_cancellation_slot(signal.slot(), read.record()));
  c.server.async_read_some(asio::buffer(second), next.record());
  settle(c.context);
  write_text(c.client, "abcdefgh");
  signal.emit(asio::cancellation_type::terminal);
  finish(c.context);
  std::string text = std::string(first.data(), read.bytes) + std::string(second.data(), next.bytes);
  c.client.close();
  BOOST_CHECK_EQUAL(text + read_to_end(c.server), "abcdefgh");
}

BOOST_AUTO_TEST_SUITE_END()
