// use_uring.cpp: single operations of stock objects on io_uring, by token and by view.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#define ASIO_URING_TEST_STOCK // the objects stay stock
#include "fixture.hpp"

#include <asio_uring/asio_uring.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <fcntl.h>
#include <future>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <optional>
#include <thread>

namespace asio = boost::asio;
namespace beast = boost::beast;
using namespace test;
using asio_uring::use_uring;
using asio_uring::via;

namespace {

/// A context whose ring is there before the stock objects, where the environment says so; otherwise their
/// reactor is there first.
struct stock_context : asio::io_context
{
  stock_context()
  {
    if (std::getenv("ASIO_URING_TEST_RING_FIRST"))
      asio_uring::use_io_uring(*this, {.pump = asio_uring::pump_kind::ring});
  }
};

/// A connected pair of stock sockets.
struct stock_pair
{
  stock_context context;
  tcp::socket client{context}, server{context};
  stock_pair() { test::connect(client, server); }
};

/// Closes one socket, and gives the other its number.
inline void close_and_reuse_number(tcp::socket& old, tcp::socket& fresh)
{
  const int number = old.native_handle();
  old.close();
  const int reused = ::fcntl(fresh.native_handle(), F_DUPFD, number);
  BOOST_REQUIRE_EQUAL(reused, number);
  fresh.close();
  fresh.assign(tcp::v4(), reused);
}

/// Runs a coroutine to its end, together with all else that the context has to do.
template <typename Coroutine>
void run(asio::io_context& context, Coroutine coroutine)
{
  std::exception_ptr failure;
  bool finished = false;
  asio::co_spawn(context, std::move(coroutine), [&](std::exception_ptr e) {
    failure = e;
    finished = true;
  });
  finish(context);
  BOOST_REQUIRE(finished);
  if (failure) std::rethrow_exception(failure);
}

/// A server's TLS context with a certificate made on the spot.
asio::ssl::context certified()
{
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  asio::ssl::context context(asio::ssl::context::tls_server);
  SSL_CTX_use_certificate(context.native_handle(), certificate);
  BOOST_REQUIRE(SSL_CTX_use_PrivateKey(context.native_handle(), key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return context;
}

/// That the kernel has ended the connection: its FIN has been sent.
bool ended(tcp::socket& peer)
{
  char byte;
  return readable(peer) && ::recv(peer.native_handle(), &byte, 1, MSG_DONTWAIT) == 0;
}

} // namespace

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
  BOOST_CHECK_EQUAL(asio_uring::backend(context).io_uring, !with_stand_in());
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
  BOOST_CHECK_EQUAL(asio_uring::backend(p.context).io_uring, !with_stand_in());
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
    const tcp::endpoint there = full.local_endpoint(); // connect() of the socket would wait
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

// The kernel reports a half-closed peer on every poll, asked or not.
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
      asio::steady_timer pause(p.context);
      std::string space(1 << 20, '\0');
      p.client.non_blocking(true);
      run_until(p.context, [&] {
        error_code ignored;
        while (p.client.read_some(asio::buffer(space), ignored) > 0) {
        }
        if (pause.expiry() < std::chrono::steady_clock::now()) {
          pause.expires_after(1ms);
          pause.async_wait([](error_code) {});
        }
        return written.done();
      });
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
  CHECK_SUCCEEDED(received); // of nothing
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

// --- cancelling

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
  signal.emit(asio::cancellation_type::all); // of one that has ended
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
    tcp::socket socket(std::move(p.server)); // moved with nothing pending
    socket.async_read_some(asio::buffer(data), use_uring(released.record()));
    settle(p.context);
    tcp::socket moved(std::move(socket)); // and with something
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
    // Both are ready in the same turn of the ring; the first one's handler closes the second one's socket.
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
    p.client.close(); // aborted, but not run any more
  }
  BOOST_CHECK_EQUAL(destroyed.use_count(), 1);
  {
    // The other way round: the sockets live in the handlers.
    stock_context context;
    auto p = std::make_shared<pair<>>(context);
    p->server.async_read_some(asio::buffer(data), use_uring([p, destroyed](error_code, std::size_t) {}));
    p->client.async_read_some(asio::buffer(data), use_uring([p, destroyed](error_code, std::size_t) {}));
  }
  BOOST_CHECK_EQUAL(destroyed.use_count(), 1);
}

BOOST_AUTO_TEST_CASE(counts_of_run)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.pump = asio_uring::pump_kind::ring});
  pair<> p(context);
  std::array<char, 8> data;
  outcome read, aborted;
  p.server.async_read_some(asio::buffer(data), use_uring(read.record()));
  write_text(p.client, "abc");
  // The stand-in may be later than the reactor, which counts an event though nobody waits for it.
  const auto is_count = [](std::size_t n, std::size_t handlers) {
    return n == handlers || (with_stand_in() && n == handlers + 1);
  };
  BOOST_CHECK_PREDICATE(is_count, (finish(context))(1));
  p.server.async_read_some(asio::buffer(data), use_uring(aborted.record()));
  settle(context);
  p.server.close();
  BOOST_CHECK_PREDICATE(is_count, (finish(context))(2)); // the handler, and what the object aborted
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

// --- streams

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
