// test/use_uring_token.cpp: single operations of stock objects on io_uring, by token and by via().
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "stock_pair.hpp"

#include <fcntl.h>
#include <future>
#include <optional>
#include <thread>

using namespace test;
using asio_uring::use_uring;
using asio_uring::via;

BOOST_AUTO_TEST_SUITE(use_uring_token)

// --- which operations, which tokens

BOOST_AUTO_TEST_CASE(an_operation_with_the_token_brings_the_ring_and_one_without_does_not)
{
  asio::io_context context;
  pair<> p(context);
  outcome stock, ours;
  std::array<char, 3> data;
  write_text(p.client, "abcdef");
  p.server.async_read_some(asio::buffer(data), stock.record());
  finish(context);
  BOOST_CHECK(!asio_uring::backend(context).io_uring);
  p.server.async_read_some(asio::buffer(data), use_uring(ours.record()));
  BOOST_CHECK_EQUAL(asio_uring::backend(context).io_uring, !with_fallback());
  finish(context);
  CHECK_SUCCEEDED(stock);
  CHECK_SUCCEEDED(ours);
  BOOST_CHECK_EQUAL(std::string_view(data.data(), 3), "def");
}

BOOST_AUTO_TEST_CASE(callbacks_with_every_form_of_read_and_write)
{
  stock_pair p;
  std::array<char, 4> data[3];
  outcome read, received, flagged, written, sent, sent_flagged;
  p.client.async_write_some(asio::buffer("abcd", 4), use_uring(written.record()));
  p.client.async_send(asio::buffer("efgh", 4), use_uring(sent.record()));
  p.client.async_send(asio::buffer("ijkl", 4), 0, use_uring(p.client, sent_flagged.record()));
  finish(p.context);
  p.server.async_receive(asio::buffer(data[0]), tcp::socket::message_peek, use_uring(flagged.record()));
  finish(p.context);
  p.server.async_read_some(asio::buffer(data[1]), use_uring(read.record()));
  finish(p.context);
  std::vector<asio::mutable_buffer> two{asio::buffer(data[2].data(), 1), asio::buffer(data[2].data() + 1, 3)};
  p.server.async_receive(two, use_uring(p.server, received.record()));
  finish(p.context);
  for (const outcome* o : {&read, &received, &flagged, &written, &sent, &sent_flagged}) {
    CHECK_SUCCEEDED(*o);
    BOOST_CHECK_EQUAL(o->bytes, 4u);
  }
  BOOST_CHECK_EQUAL(std::string_view(data[0].data(), 4), "abcd");
  BOOST_CHECK_EQUAL(std::string_view(data[1].data(), 4), "abcd");
  BOOST_CHECK_EQUAL(std::string_view(data[2].data(), 4), "efgh");
}

BOOST_AUTO_TEST_CASE(a_mutable_buffer_that_is_sent_is_sent)
{
  stock_pair p;
  std::array<char, 2> data{'h', 'i'};
  outcome sent;
  p.client.async_send(asio::buffer(data), use_uring(sent.record()));
  finish(p.context);
  CHECK_SUCCEEDED(sent);
  BOOST_CHECK_EQUAL(read_text(p.server, 2), "hi");
}

BOOST_AUTO_TEST_CASE(an_operation_of_a_stock_object_has_a_limited_time)
{
  stock_pair p;
  char data[4];
  outcome ours, stock, read;
  p.server.async_read_some(asio::buffer(data), use_uring(asio_uring::within(20ms, ours.record())));
  finish(p.context);
  CHECK_FAILED(ours, asio::error::timed_out);
  p.server.async_read_some(asio::buffer(data), asio_uring::within(20ms, stock.record()));
  finish(p.context);
  CHECK_FAILED(stock, asio::error::timed_out);
  write_text(p.client, "late");
  p.server.async_read_some(asio::buffer(data), use_uring(asio_uring::within(60s, read.record())));
  finish(p.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(futures)
{
  stock_pair p;
  std::array<char, 8> data;
  auto read = p.server.async_read_some(asio::buffer(data), use_uring(asio::use_future));
  auto written = p.client.async_write_some(asio::buffer("abc", 3), use_uring(asio::use_future));
  finish(p.context);
  BOOST_CHECK_EQUAL(read.get(), 3u);
  BOOST_CHECK_EQUAL(written.get(), 3u);
  p.client.close();
  auto end = p.server.async_read_some(asio::buffer(data), use_uring(asio::use_future));
  finish(p.context);
  BOOST_CHECK_EXCEPTION(end.get(), boost::system::system_error,
                        [](const auto& e) { return e.code() == asio::error::eof; });
}

BOOST_AUTO_TEST_CASE(coroutines_as_tuple_redirected_and_alone)
{
  stock_pair p;
  run(p.context, [&]() -> asio::awaitable<void> {
    std::array<char, 8> data;
    error_code error;
    BOOST_CHECK_EQUAL(
        co_await p.client.async_write_some(asio::buffer("abc", 3), use_uring(asio::use_awaitable)), 3u);
    BOOST_CHECK_EQUAL(co_await p.server.async_read_some(asio::buffer(data, 1), use_uring), 1u);
    auto [e, n] =
        co_await p.server.async_read_some(asio::buffer(data), use_uring(asio::as_tuple(asio::use_awaitable)));
    BOOST_CHECK(!e && n == 2);
    p.client.shutdown(tcp::socket::shutdown_send);
    co_await p.server.async_read_some(asio::buffer(data),
                                      use_uring(asio::redirect_error(asio::use_awaitable, error)));
    BOOST_CHECK(error == asio::error::eof);
    BOOST_CHECK_THROW(co_await p.server.async_read_some(asio::buffer(data), use_uring),
                      boost::system::system_error);
  });
}

BOOST_AUTO_TEST_CASE(deferred_starts_when_it_is_called)
{
  stock_pair p;
  std::array<char, 8> data;
  outcome read;
  auto operation = p.server.async_read_some(asio::buffer(data), use_uring(asio::deferred));
  write_text(p.client, "abc");
  finish(p.context);
  BOOST_CHECK_EQUAL(p.server.available(), 3u);
  std::move(operation)(read.record());
  finish(p.context);
  CHECK_SUCCEEDED(read);
  BOOST_CHECK_EQUAL(read.bytes, 3u);
}

BOOST_AUTO_TEST_CASE(default_of_an_object)
{
  stock_pair p;
  auto server = asio_uring::use_uring_t<>::as_default_on(std::move(p.server));
  asio_uring::use_uring_t<asio::as_tuple_t<asio::use_awaitable_t<>>>::as_default_on_t<tcp::socket> client(
      std::move(p.client));
  run(p.context, [&]() -> asio::awaitable<void> {
    std::array<char, 8> data;
    auto [e, n] = co_await client.async_write_some(asio::buffer("abc", 3));
    BOOST_CHECK(!e && n == 3);
    BOOST_CHECK_EQUAL(co_await server.async_read_some(asio::buffer(data)), 3u);
    co_await client.async_write_some(asio::buffer("de", 2));
    BOOST_CHECK_EQUAL(co_await server.async_read_some(asio::buffer(data), use_uring), 2u);
  });
  BOOST_CHECK_EQUAL(asio_uring::backend(p.context).io_uring, !with_fallback());
}

BOOST_AUTO_TEST_CASE(move_only_handler_allocator_and_executor)
{
  stock_pair p;
  auto strand = asio::make_strand(p.context);
  std::array<char, 8> data;
  bool in_strand = false;
  auto big = std::make_unique<int>(7);
  p.server.async_read_some(
      asio::buffer(data),
      use_uring(asio::bind_executor(strand, [&, big = std::move(big)](error_code, std::size_t) {
        in_strand = strand.running_in_this_thread() && *big == 7;
      })));
  write_text(p.client, "abc");
  finish(p.context);
  BOOST_CHECK(in_strand);
}

BOOST_AUTO_TEST_CASE(objects_with_other_executors_and_protocols)
{
  stock_context context;
  auto strand = asio::make_strand(context);
  using socket = asio::basic_stream_socket<tcp, asio::strand<asio::io_context::executor_type>>;
  asio::basic_socket_acceptor<tcp, asio::io_context::executor_type> acceptor(context.get_executor(),
                                                                             loopback());
  socket server(strand);
  asio::basic_stream_socket<tcp, asio::io_context::executor_type> client(context.get_executor());
  local::socket one(context), other(context);
  asio::local::connect_pair(one, other);
  outcome accepted, connected, read, read_local;
  std::array<char, 8> data, local_data;
  acceptor.async_accept(server, use_uring(accepted.record()));
  client.async_connect(acceptor.local_endpoint(), use_uring(connected.record()));
  finish(context);
  bool in_strand = false;
  server.async_read_some(asio::buffer(data), use_uring([&](error_code e, std::size_t n) {
                           in_strand = strand.running_in_this_thread();
                           read.record()(e, n);
                         }));
  other.async_read_some(asio::buffer(local_data), use_uring(read_local.record()));
  write_text(client, "abc");
  write_text(one, "de");
  finish(context);
  CHECK_SUCCEEDED(accepted);
  CHECK_SUCCEEDED(connected);
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(read_local);
  BOOST_CHECK(in_strand);
}

BOOST_AUTO_TEST_CASE(objects_on_io_uring_go_their_own_way)
{
  stock_context context;
  asio_uring::ip::tcp::acceptor acceptor(context, loopback());
  asio_uring::ip::tcp::socket client(context), server(context);
  client.connect(acceptor.local_endpoint());
  acceptor.accept(server);
  outcome read, all;
  std::array<char, 3> data, more;
  server.async_read_some(asio::buffer(data), use_uring(read.record()));
  write_text(client, "abcdef");
  finish(context);
  auto stream = via(server);
  asio::async_read(stream, asio::buffer(more), all.record());
  finish(context);
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(all);
  BOOST_CHECK_EQUAL(std::string_view(more.data(), 3), "def");
}

BOOST_AUTO_TEST_CASE(empty_buffers_and_closed_objects)
{
  stock_pair p;
  tcp::socket closed(p.context);
  std::array<char, 8> data;
  outcome nothing_read, nothing_written, on_closed;
  p.server.async_read_some(asio::mutable_buffer(), use_uring(nothing_read.record()));
  p.server.async_write_some(asio::const_buffer(), use_uring(nothing_written.record()));
  closed.async_read_some(asio::buffer(data), use_uring(on_closed.record()));
  BOOST_CHECK_EQUAL(nothing_read.calls + nothing_written.calls + on_closed.calls, 0);
  finish(p.context);
  CHECK_SUCCEEDED(nothing_read);
  CHECK_SUCCEEDED(nothing_written);
  CHECK_FAILED(on_closed, asio::error::bad_descriptor);
}

// --- connections

BOOST_AUTO_TEST_CASE(connect_and_accept)
{
  stock_context context;
  listener acceptor(context);
  tcp::socket client(context), into(context), second(context);
  tcp::endpoint peer;
  outcome accepted, connected;
  acceptor.async_accept(into, peer, use_uring(accepted.record()));
  client.async_connect(acceptor.endpoint(), use_uring(connected.record()));
  finish(context);
  CHECK_SUCCEEDED(accepted);
  CHECK_SUCCEEDED(connected);
  BOOST_CHECK(peer == client.local_endpoint());
  run(context, [&]() -> asio::awaitable<void> {
    second.async_connect(acceptor.endpoint(), use_uring(asio::detached));
    tcp::socket accepted_socket = co_await acceptor.async_accept(use_uring);
    write_text(accepted_socket, "hello");
    BOOST_CHECK_EQUAL(read_text(second, 5), "hello");
    tcp::socket third(context);
    third.async_connect(acceptor.endpoint(), use_uring(asio::detached));
    auto strand = asio::make_strand(context);
    auto on_strand = co_await acceptor.async_accept(strand, peer, use_uring(acceptor, asio::use_awaitable));
    BOOST_CHECK(peer == third.local_endpoint());
    BOOST_CHECK(on_strand.get_executor() == strand);
  });
}

BOOST_AUTO_TEST_CASE(connect_refused_and_accept_into_an_open_socket)
{
  stock_context context;
  tcp::endpoint nobody;
  {
    listener gone(context);
    nobody = gone.endpoint();
  }
  tcp::socket client(context);
  outcome refused, into_open;
  client.async_connect(nobody, use_uring(refused.record()));
  finish(context);
  CHECK_FAILED(refused, asio::error::connection_refused);
  listener acceptor(context);
  acceptor.async_accept(client, use_uring(into_open.record()));
  finish(context);
  CHECK_FAILED(into_open, asio::error::already_open);
}

BOOST_AUTO_TEST_CASE(a_connect_that_takes_its_time_can_be_cancelled)
{
  stock_context context;
  tcp::acceptor full(context);
  full.open(tcp::v4());
  full.bind(loopback());
  full.listen(0);
  std::vector<tcp::socket> queue;
  for (int i = 0; i != 3; ++i) {
    queue.emplace_back(context).open(tcp::v4());
    queue.back().native_non_blocking(true);
    const tcp::endpoint there = full.local_endpoint(); // the socket's connect() would wait
    [[maybe_unused]] const int pending = ::connect(queue.back().native_handle(), there.data(), there.size());
  }
  tcp::socket client(context);
  outcome cancelled;
  client.async_connect(full.local_endpoint(), use_uring(cancelled.record()));
  settle(context);
  BOOST_CHECK_EQUAL(cancelled.calls, 0);
  client.close();
  finish(context);
  CHECK_FAILED(cancelled, asio::error::operation_aborted);
}

// --- other objects

BOOST_AUTO_TEST_CASE(waits)
{
  stock_pair p;
  outcome read, write;
  p.server.async_wait(tcp::socket::wait_read, use_uring(read.record()));
  p.server.async_wait(tcp::socket::wait_write, use_uring(write.record()));
  settle(p.context);
  run_until(p.context, [&] { return write.done(); });
  BOOST_CHECK(!read.done());
  write_text(p.client, "x");
  finish(p.context);
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(write);
  BOOST_CHECK_EQUAL(p.server.available(), 1u);

  listener acceptor(p.context);
  outcome connection;
  acceptor.async_wait(tcp::acceptor::wait_read, use_uring(connection.record()));
  tcp::socket client(p.context);
  client.connect(acceptor.endpoint());
  finish(p.context);
  CHECK_SUCCEEDED(connection);
}

BOOST_AUTO_TEST_CASE(urgent_data)
{
  stock_pair p;
  outcome urgent;
  std::array<char, 1> data;
  p.server.async_receive(asio::buffer(data), tcp::socket::message_out_of_band, use_uring(urgent.record()));
  write_text(p.client, "plain");
  settle(p.context);
  BOOST_CHECK(!urgent.done());
  p.client.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  finish(p.context);
  CHECK_SUCCEEDED(urgent);
  BOOST_CHECK_EQUAL(data[0], '!');
}

// Every poll of the kernel's reports a half-closed peer, whether asked for or not.
BOOST_AUTO_TEST_CASE(what_waits_goes_on_waiting_beside_a_peer_that_has_half_closed)
{
  for (const bool close : {false, true}) {
    stock_pair p;
    const std::string much(64 << 20, '.');
    outcome written, failed, urgent;
    char byte;
    asio_uring::view stream(p.server);
    asio::async_write(stream, asio::buffer(much), written.record());
    p.server.async_wait(tcp::socket::wait_error, use_uring(failed.record()));
    p.server.async_receive(asio::buffer(&byte, 1), tcp::socket::message_out_of_band,
                           use_uring(urgent.record()));
    p.client.shutdown(tcp::socket::shutdown_send);
    p.context.run_for(100ms);
    BOOST_CHECK(!written.done() && !failed.done() && !urgent.done());
    if (close)
      p.server.close();
    else {
      read_until(p.context, p.client, [&] { return written.done(); });
      CHECK_SUCCEEDED(written);
      p.server.cancel();
    }
    finish(p.context);
    if (close) CHECK_FAILED(written, asio::error::operation_aborted);
    CHECK_FAILED(failed, asio::error::operation_aborted);
    CHECK_FAILED(urgent, asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_CASE(datagrams)
{
  stock_context context;
  using udp = asio::ip::udp;
  udp::socket a(context, {asio::ip::address_v4::loopback(), 0}),
      b(context, {asio::ip::address_v4::loopback(), 0});
  udp::endpoint sender;
  std::array<char, 16> data;
  outcome from, to, sent, received;
  b.async_receive_from(asio::buffer(data), sender, use_uring(from.record()));
  a.async_send_to(asio::buffer("abc", 3), b.local_endpoint(), use_uring(to.record()));
  finish(context);
  CHECK_SUCCEEDED(to);
  CHECK_SUCCEEDED(from);
  BOOST_CHECK_EQUAL(from.bytes, 3u);
  BOOST_CHECK(sender == a.local_endpoint());
  a.connect(b.local_endpoint());
  b.async_receive(asio::buffer(data), use_uring(b, received.record()));
  a.async_send(asio::const_buffer(), use_uring(sent.record()));
  finish(context);
  CHECK_SUCCEEDED(sent);
  CHECK_SUCCEEDED(received); // an empty one
  BOOST_CHECK_EQUAL(received.bytes, 0u);
}

BOOST_AUTO_TEST_CASE(pipes_and_descriptors)
{
  stock_context context;
  asio::readable_pipe in(context);
  asio::writable_pipe out(context);
  asio::connect_pipe(in, out);
  std::string text(100'000, '\0');
  outcome read, written;
  const pattern bytes;
  auto source = via(in);
  auto sink = via(out);
  asio::async_read(source, asio::buffer(text), read.record());
  asio::async_write(sink, bytes.at(0, text.size()), written.record());
  finish(context);
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(written);
  BOOST_CHECK(bytes.matches(0, text.data(), text.size()));

  asio::posix::stream_descriptor first(context, in.release()), last(context, out.release());
  outcome from, to, end;
  first.async_read_some(asio::buffer(text), use_uring(from.record()));
  last.async_write_some(asio::buffer("abc", 3), use_uring(last, to.record()));
  finish(context);
  CHECK_SUCCEEDED(to);
  CHECK_SUCCEEDED(from);
  BOOST_CHECK_EQUAL(text.substr(0, from.bytes), "abc");
  first.async_read_some(asio::buffer(text), use_uring(end.record()));
  settle(context);
  last.close();
  finish(context);
  CHECK_FAILED(end, asio::error::eof);
}

BOOST_AUTO_TEST_SUITE_END()
