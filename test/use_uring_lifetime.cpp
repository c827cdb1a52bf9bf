// test/use_uring_lifetime.cpp: stock objects cancelled, closed and destroyed with operations on the ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "stock_pair.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fcntl.h>

using namespace test;
using asio_uring::use_uring;
using asio_uring::via;

namespace {

/// Closes one socket, and gives its number to the other.
inline void close_and_reuse_number(tcp::socket& old, tcp::socket& fresh)
{
  const int number = old.native_handle();
  old.close();
  const int reused = ::fcntl(fresh.native_handle(), F_DUPFD, number);
  BOOST_REQUIRE_EQUAL(reused, number);
  fresh.close();
  fresh.assign(tcp::v4(), reused);
}

/// Whether the kernel has ended the connection, that is, has sent its FIN.
bool ended(tcp::socket& peer)
{
  char byte;
  return readable(peer) && ::recv(peer.native_handle(), &byte, 1, MSG_DONTWAIT) == 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(use_uring_lifetime)

BOOST_AUTO_TEST_CASE(cancel_by_slot_leaves_the_other_direction_and_loses_nothing)
{
  stock_pair p;
  asio::cancellation_signal signal;
  std::array<char, 8> data;
  outcome cancelled, again;
  p.server.async_read_some(asio::buffer(data),
                           use_uring(asio::bind_cancellation_slot(signal.slot(), cancelled.record())));
  settle(p.context);
  signal.emit(asio::cancellation_type::total);
  signal.emit(asio::cancellation_type::terminal);
  finish(p.context);
  CHECK_FAILED(cancelled, asio::error::operation_aborted);
  write_text(p.client, "abc");
  p.server.async_read_some(asio::buffer(data), use_uring(again.record()));
  finish(p.context);
  signal.emit(asio::cancellation_type::all); // the signal of an operation that has ended
  CHECK_SUCCEEDED(again);
  BOOST_CHECK_EQUAL(again.bytes, 3u);
}

BOOST_AUTO_TEST_CASE(cancel_and_close_of_the_object_abort_what_is_in_flight)
{
  for (const bool close : {false, true}) {
    stock_pair p;
    std::array<char, 8> data;
    outcome read, wait, stock;
    p.server.async_read_some(asio::buffer(data), use_uring(read.record()));
    p.server.async_wait(tcp::socket::wait_read, use_uring(wait.record()));
    p.server.async_wait(tcp::socket::wait_read, stock.record());
    settle(p.context);
    close ? p.server.close() : p.server.cancel();
    BOOST_CHECK(!read.done());
    finish(p.context);
    CHECK_FAILED(read, asio::error::operation_aborted);
    CHECK_FAILED(wait, asio::error::operation_aborted);
    CHECK_FAILED(stock, asio::error::operation_aborted);
    if (close)
      BOOST_CHECK(ended(p.client)); // the kernel has let go of the connection
    else {
      outcome after;
      write_text(p.client, "abc");
      p.server.async_read_some(asio::buffer(data), use_uring(after.record()));
      finish(p.context);
      CHECK_SUCCEEDED(after);
    }
  }
}

BOOST_AUTO_TEST_CASE(close_before_anything_was_submitted)
{
  stock_pair p;
  std::array<char, 8> data;
  outcome read;
  asio::post(p.context, [&] {
    p.server.async_read_some(asio::buffer(data), use_uring(read.record()));
    p.server.close();
  });
  finish(p.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  BOOST_CHECK(ended(p.client));
}

BOOST_AUTO_TEST_CASE(release_and_destruction_of_the_object)
{
  stock_pair p;
  std::array<char, 8> data;
  outcome released, destroyed;
  {
    tcp::socket socket(std::move(p.server)); // moved with no operation pending
    socket.async_read_some(asio::buffer(data), use_uring(released.record()));
    settle(p.context);
    tcp::socket moved(std::move(socket)); // moved with one pending
    settle(p.context);
    BOOST_CHECK(!released.done());
    p.server.assign(tcp::v4(), moved.release());
  }
  finish(p.context);
  CHECK_FAILED(released, asio::error::operation_aborted);
  {
    tcp::socket socket(std::move(p.server));
    socket.async_read_some(asio::buffer(data), use_uring(destroyed.record()));
    settle(p.context);
  }
  finish(p.context);
  CHECK_FAILED(destroyed, asio::error::operation_aborted);
  BOOST_CHECK(ended(p.client));
}

BOOST_AUTO_TEST_CASE(the_number_of_a_closed_socket_reused_at_once_loses_no_byte)
{
  stock_context context;
  pair<> old(context), fresh(context);
  std::array<char, 8> data;
  outcome read, next;
  old.server.async_read_some(asio::buffer(data), use_uring(read.record()));
  settle(context);
  asio::post(context, [&] {
    write_text(old.client, "old"); // there is something to read when the socket is closed
    close_and_reuse_number(old.server, fresh.server);
    write_text(fresh.client, "fresh");
    fresh.server.async_read_some(asio::buffer(data), use_uring(next.record()));
  });
  finish(context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  CHECK_SUCCEEDED(next);
  BOOST_CHECK_EQUAL(std::string_view(data.data(), next.bytes), "fresh");
}

BOOST_AUTO_TEST_CASE(the_number_of_a_closed_socket_reused_at_once_is_waited_for)
{
  stock_context context;
  pair<> old(context), fresh(context);
  std::array<char, 8> data;
  outcome read, next;
  old.server.async_read_some(asio::buffer(data), use_uring(read.record()));
  settle(context);
  asio::steady_timer later(context);
  asio::post(context, [&] {
    close_and_reuse_number(old.server, fresh.server);
    fresh.server.async_read_some(asio::buffer(data), use_uring(next.record()));
    later.expires_after(20ms);
    later.async_wait([&](error_code) { write_text(fresh.client, "fresh"); });
  });
  run_until(context, [&] { return next.done(); });
  CHECK_FAILED(read, asio::error::operation_aborted);
  CHECK_SUCCEEDED(next);
  BOOST_CHECK_EQUAL(std::string_view(data.data(), next.bytes), "fresh");
}

BOOST_AUTO_TEST_CASE(the_number_reused_while_the_old_read_is_about_to_be_performed)
{
  stock_context context;
  pair<> before(context), old(context), fresh(context);
  std::array<char, 8> first_data, old_data, data;
  outcome read, next;
  write_text(before.client, "x");
  write_text(old.client, "old");
  asio::post(context, [&] {
    // Both are ready in the same turn of the ring. The first handler closes the second socket.
    before.server.async_read_some(asio::buffer(first_data), use_uring([&](error_code, std::size_t) {
                                    close_and_reuse_number(old.server, fresh.server);
                                    write_text(fresh.client, "fresh");
                                    fresh.server.async_read_some(asio::buffer(data),
                                                                 use_uring(next.record()));
                                  }));
    old.server.async_read_some(asio::buffer(old_data), use_uring(read.record()));
  });
  finish(context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  CHECK_SUCCEEDED(next);
  BOOST_CHECK_EQUAL(std::string_view(data.data(), next.bytes), "fresh");
}

BOOST_AUTO_TEST_CASE(closed_opened_and_connected_again_in_one_go)
{
  stock_context context;
  listener acceptor(context);
  tcp::socket client(context), first(context);
  client.connect(acceptor.endpoint());
  acceptor.accept(first);
  std::array<char, 8> data;
  outcome aborted, connected, read;
  client.async_read_some(asio::buffer(data), use_uring(aborted.record()));
  settle(context);
  asio::post(context, [&] {
    client.close();
    client.async_connect(acceptor.endpoint(), use_uring([&](error_code e) {
                           connected.record()(e);
                           client.async_read_some(asio::buffer(data), use_uring(read.record()));
                         }));
  });
  acceptor.async_accept(use_uring([&](error_code, tcp::socket s) { write_text(s, "abc"); }));
  finish(context);
  CHECK_FAILED(aborted, asio::error::operation_aborted);
  CHECK_SUCCEEDED(connected);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(a_timer_that_beats_a_read_loses_no_byte)
{
  using namespace asio::experimental::awaitable_operators;
  stock_pair p;
  constexpr int count = 1000;
  std::string text;
  asio::co_spawn(
      p.context,
      [&]() -> asio::awaitable<void> {
        asio::steady_timer pause(p.context);
        for (int i = 0; i != count; ++i) {
          const char c = static_cast<char>('a' + i % 26);
          co_await p.client.async_write_some(asio::buffer(&c, 1), use_uring);
          if (i % 3 == 0) {
            pause.expires_after(std::chrono::microseconds(i % 50));
            co_await pause.async_wait(asio::use_awaitable);
          }
        }
        p.client.close();
      },
      asio::detached);
  run(p.context, [&]() -> asio::awaitable<void> {
    asio::steady_timer timer(p.context);
    std::mt19937 random(1);
    char c[4];
    for (;;) {
      timer.expires_after(std::chrono::microseconds(random() % 200));
      auto r = co_await (
          p.server.async_read_some(asio::buffer(c), use_uring(asio::as_tuple(asio::use_awaitable))) ||
          timer.async_wait(asio::use_awaitable));
      if (r.index() == 1) continue;
      auto [e, n] = std::get<0>(r);
      text.append(c, n);
      if (e) break;
    }
  });
  BOOST_CHECK_EQUAL(text.size(), count + 0u);
  bool right = true;
  for (std::size_t i = 0; i != text.size(); ++i)
    right &= text[i] == static_cast<char>('a' + i % 26);
  BOOST_CHECK(right);
}

BOOST_AUTO_TEST_CASE(context_destroyed_with_operations_in_flight)
{
  auto destroyed = std::make_shared<int>();
  std::array<char, 8> data;
  {
    stock_pair p;
    listener acceptor(p.context);
    p.server.async_read_some(asio::buffer(data), use_uring([destroyed](error_code, std::size_t) {}));
    p.server.async_wait(tcp::socket::wait_error, use_uring([destroyed](error_code) {}));
    acceptor.async_accept(use_uring([destroyed](error_code, tcp::socket) {}));
    settle(p.context);
    p.client.async_read_some(asio::buffer(data), use_uring([destroyed](error_code, std::size_t) {}));
    p.client.close(); // aborted, but its handler does not run
  }
  BOOST_CHECK_EQUAL(destroyed.use_count(), 1);
  {
    // The reverse: the handlers own the sockets.
    stock_context context;
    auto p = std::make_shared<pair<>>(context);
    p->server.async_read_some(asio::buffer(data), use_uring([p, destroyed](error_code, std::size_t) {}));
    p->client.async_read_some(asio::buffer(data), use_uring([p, destroyed](error_code, std::size_t) {}));
  }
  BOOST_CHECK_EQUAL(destroyed.use_count(), 1);
}

BOOST_AUTO_TEST_SUITE_END()
