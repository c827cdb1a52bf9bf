// test/own_api.cpp: the library's own interface: its types, the path it takes, statistics, the ring alone.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "own_fixture.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace test;

BOOST_AUTO_TEST_SUITE(own_api)

BOOST_AUTO_TEST_CASE(types_are_on_io_uring_and_stock_types_are_not)
{
  asio::io_context context;
  asio::ip::tcp::socket stock(context);
  BOOST_CHECK(!asio_uring::backend(context).io_uring);
  tcp::socket ours(context);
  BOOST_CHECK(asio_uring::backend(context).io_uring);
  static_assert(!std::is_same_v<asio::ip::tcp::socket, tcp::socket>);
}

BOOST_AUTO_TEST_CASE(cancel_while_the_submission_queue_is_full)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.entries = 2, .completions = 4, .path = path::completion});
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context), server(context);
  connect(acceptor, client, server);
  int aborted = 0;
  std::array<char, 1> data;
  asio::post(context, [&] {
    for (int i = 0; i != 30; ++i)
      server.async_wait(tcp::socket::wait_read,
                        [&](error_code e) { aborted += e == asio::error::operation_aborted; });
    server.async_read_some(asio::buffer(data), [&](error_code e, std::size_t) {
      aborted += e == asio::error::operation_aborted;
    });
    server.cancel();
  });
  context.run();
  BOOST_CHECK_EQUAL(aborted, 31);
}

BOOST_AUTO_TEST_CASE(thread_pool_and_strand_executors)
{
  asio::thread_pool pool(2);
  tcp::acceptor acceptor(pool, {asio::ip::address_v4::loopback(), 0});
  auto strand = asio::make_strand(pool);
  tcp::socket client(strand), server(strand);
  connect(acceptor, client, server);
  std::array<char, 5> data{};
  bool on_strand = false;
  server.async_read_some(asio::buffer(data),
                         [&](error_code, std::size_t) { on_strand = strand.running_in_this_thread(); });
  asio::async_write(client, asio::buffer("hello", 5), asio::detached);
  pool.join();
  BOOST_CHECK(on_strand);
  BOOST_CHECK_EQUAL(std::string(data.data(), 5), "hello");
}

BOOST_AUTO_TEST_CASE(a_strand_of_the_acceptors_executor_has_sockets_on_the_ring)
{
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket client(context);
  std::optional<tcp::socket> server;
  acceptor.async_accept(asio::make_strand(acceptor.get_executor()), [&](error_code e, auto peer) {
    static_assert(asio_uring::enable_io_uring<typename decltype(peer)::executor_type>);
    if (!e) server.emplace(std::move(peer));
  });
  client.connect(acceptor.local_endpoint());
  context.run();
  BOOST_REQUIRE(server);
  char byte;
  std::size_t received = 0;
  server->async_read_some(asio::buffer(&byte, 1), [&](error_code, std::size_t n) { received = n; });
  asio::write(client, asio::buffer("x", 1));
  context.restart();
  context.run();
  BOOST_TEST(received == 1U);
}

BOOST_AUTO_TEST_CASE(use_awaitable_as_default_token)
{
  using default_socket = asio::use_awaitable_t<>::as_default_on_t<tcp::socket>;
  static_assert(asio_uring::enable_io_uring<default_socket::executor_type>);
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  default_socket client(context), server(context);
  connect(acceptor, client, server);
  std::size_t n = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        std::array<char, 8> data;
        co_await asio::async_write(client, asio::buffer("abc", 3));
        n = co_await server.async_read_some(asio::buffer(data));
      },
      asio::detached);
  context.run();
  BOOST_CHECK_EQUAL(n, 3u);
}

BOOST_AUTO_TEST_CASE(a_stock_socket_is_taken_over_with_its_connection)
{
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket client(context), server(context);
  connect(acceptor, client, server);
  tcp::socket ours(std::move(server));
  BOOST_CHECK(!server.is_open() && ours.is_open());
  std::array<char, 8> data;
  std::size_t n = 0;
  ours.async_read_some(asio::buffer(data), [&](error_code, std::size_t size) { n = size; });
  asio::write(client, asio::buffer("abc", 3));
  context.run();
  BOOST_CHECK_EQUAL(n, 3u);
}

BOOST_AUTO_TEST_CASE(local_and_generic_streams)
{
  asio::io_context context;
  const std::string name = std::filesystem::temp_directory_path() / ("own_api_" + std::to_string(::getpid()));
  asio_uring::local::stream_protocol::acceptor acceptor(context,
                                                        asio::local::stream_protocol::endpoint(name));
  asio_uring::local::stream_protocol::socket client(context), server(context);
  connect(acceptor, client, server);
  std::filesystem::remove(name);
  asio_uring::generic::stream_protocol::socket generic(std::move(server));
  std::array<char, 8> data;
  std::size_t n = 0;
  generic.async_read_some(asio::buffer(data), [&](error_code, std::size_t size) { n = size; });
  asio::async_write(client, asio::buffer("abc", 3), asio::detached);
  context.run();
  BOOST_CHECK_EQUAL(n, 3u);
}

BOOST_AUTO_TEST_CASE(short_read_before_urgent_data_does_not_hide_what_is_behind_it)
{
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context), server(context);
  connect(acceptor, client, server);
  client.send(asio::buffer("before", 6));
  client.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  client.send(asio::buffer("behind", 6));
  std::array<char, 64> data;
  std::string seen;
  std::function<void()> read = [&] {
    server.async_read_some(asio::buffer(data), [&](error_code e, std::size_t n) {
      BOOST_CHECK(!e);
      seen.append(data.data(), n);
      if (seen.size() < 12) read();
    });
  };
  read();
  context.run_for(std::chrono::seconds(20));
  BOOST_CHECK_EQUAL(seen, "beforebehind");
}

BOOST_AUTO_TEST_CASE(short_read_by_one_thread_is_doubted_while_another_sleeps_in_the_kernel)
{
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context), server(context);
  connect(acceptor, client, server);
  std::array<char, 64> data;
  asio::steady_timer limit(context, std::chrono::seconds(10));
  std::string seen;
  std::function<void()> read = [&] {
    server.async_read_some(asio::buffer(data), [&](error_code e, std::size_t n) {
      BOOST_CHECK(!e);
      seen.append(data.data(), n);
      if (seen.size() < 12)
        read();
      else
        limit.cancel();
    });
  };
  limit.async_wait([&](error_code e) {
    if (!e) context.stop();
  });
  std::vector<std::thread> threads;
  for (int i = 0; i != 4; ++i)
    threads.emplace_back([&] { context.run(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50)); // all of them wait
  client.send(asio::buffer("before", 6));
  client.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  client.send(asio::buffer("behind", 6));
  asio::post(context, read);
  for (std::thread& t : threads)
    t.join();
  BOOST_CHECK_EQUAL(seen, "beforebehind");
}

BOOST_AUTO_TEST_CASE(started_sends_come_before_a_synchronous_read_of_the_answer)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.path = path::completion});
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context), server(context);
  connect(acceptor, client, server);
  std::array<char, 4> data{};
  asio::post(context, [&] {
    asio::async_write(client, asio::buffer("ping", 4), asio::detached);
    asio::read(server, asio::buffer(data)); // within the handler, before the loop turns again
  });
  context.run();
  BOOST_CHECK_EQUAL(std::string(data.data(), 4), "ping");
}

/// How many of a thousand reads, out of one second of them, took that path, in a context whose clock is told
/// what each path costs.
int reads_by(path counted, std::chrono::microseconds by_calls, std::chrono::microseconds submitted)
{
  asio::io_context context(1);
  std::chrono::nanoseconds spent{0};
  asio_uring::use_io_uring(context, {.processor_time = [&] { return spent; }});
  asio_uring::local::stream_protocol::socket client(context), server(context);
  asio_uring::local::connect_pair(client, server);
  int all = 0, right = 0;
  char byte = 'x';
  std::function<void()> exchange = [&] {
    server.async_receive(asio::buffer(&byte, 1), [&](error_code e, std::size_t) {
      BOOST_REQUIRE(!e);
      const path now = asio_uring::backend(context).path;
      spent += now == path::completion ? submitted : by_calls;
      ++all;
      right += now == counted;
      if (spent < std::chrono::seconds(1)) exchange();
    });
    BOOST_REQUIRE(::send(client.native_handle(), "x", 1, 0) == 1);
  };
  exchange();
  context.run();
  return right * 1000 / all;
}

BOOST_AUTO_TEST_CASE(the_path_that_costs_less_is_taken_and_the_reason_told)
{
  BOOST_TEST(reads_by(path::completion, std::chrono::microseconds(20), std::chrono::microseconds(10)) > 800);
  BOOST_TEST(reads_by(path::readiness, std::chrono::microseconds(10), std::chrono::microseconds(11)) > 800);
  asio::io_context context;
  tcp::socket socket(context);
  BOOST_TEST(asio_uring::backend(context).path_reason.starts_with("a system call costs "));
  asio::io_context other;
  asio_uring::use_io_uring(other, {.path = path::completion});
  BOOST_TEST(asio_uring::backend(other).path_reason == "as asked for");
}

BOOST_AUTO_TEST_CASE(statistics_tell_what_was_done)
{
  asio::io_context nothing;
  BOOST_TEST(asio_uring::statistics(nothing).enters == 0U);
  for (const path p : {path::completion, path::readiness}) {
    asio::io_context context;
    asio_uring::use_io_uring(context, {.path = p});
    constexpr std::uint64_t count = 50;
    BOOST_REQUIRE_EQUAL(echoed(context, static_cast<int>(count)), static_cast<int>(count));
    const auto s = asio_uring::statistics(context);
    BOOST_TEST(s.operations >= 4 * count); // both ends read and write
    BOOST_TEST((p == path::completion ? s.submitted >= 4 * count : s.submitted < count));
    BOOST_TEST(s.enters >= s.waits);
    BOOST_TEST(s.enters > 0U);
    BOOST_TEST(s.submissions >= s.submitted + s.polls);
    BOOST_TEST(s.completions >= s.submitted);
    BOOST_TEST(s.largest_batch > 0U);
    BOOST_TEST((p == path::readiness) == (s.polls > 0));
    BOOST_TEST((s.path == p && s.switches == 0U));
    std::ostringstream text;
    text << s;
    BOOST_TEST(text.str().starts_with("operations " + std::to_string(s.operations)));
  }
}

BOOST_AUTO_TEST_CASE(ring_alone)
{
  asio_uring::ring ring({.entries = 8});
  BOOST_CHECK(ring.features().opcode(IORING_OP_NOP) && !ring.has_completions());
  unsigned filled = 0;
  for (; io_uring_sqe* sqe = ring.next_entry(); ++filled) {
    io_uring_prep_nop(sqe);
    sqe->flags = 0;
    sqe->user_data = filled;
    ring.publish();
  }
  BOOST_CHECK_EQUAL(filled, ring.entries());
  BOOST_CHECK_EQUAL(ring.submit_and_wait(std::chrono::nanoseconds::max()), static_cast<int>(filled));
  unsigned sum = 0;
  BOOST_CHECK_EQUAL(
      ring.consume_completions([&](const io_uring_cqe& cqe) { sum += static_cast<unsigned>(cqe.user_data); }),
      filled);
  BOOST_CHECK_EQUAL(sum, filled * (filled - 1) / 2);
  BOOST_CHECK_LE(ring.submit_and_wait(std::chrono::milliseconds(1)), 0); // times out
}

// ThreadSanitizer must not mistake the next file with that number, which it did not see being opened, for the
// ring.
BOOST_AUTO_TEST_CASE(the_number_of_a_rings_descriptor_is_free_when_its_context_has_ended)
{
  const int lowest = ::dup(0);
  ::close(lowest);
  std::atomic<bool> ended{false};
  int next = -1;
  std::thread other([&] {
    while (!ended.load(std::memory_order_relaxed)) // must not synchronize
      std::this_thread::yield();
    std::array<int, 16> files;
    for (int& fd : files)
      fd = static_cast<int>(::syscall(SYS_eventfd2, 0, 0)); // as a ring opens them
    for (int fd : files)
      ::close(fd);
    next = files[0];
  });
  {
    asio::io_context context;
    asio_uring::use_io_uring(context, {.pump = pump_kind::guest});
    asio_uring::local::stream_protocol::socket client(context), server(context);
    asio_uring::local::connect_pair(client, server);
    char byte;
    server.async_read_some(asio::buffer(&byte, 1), [](error_code, std::size_t) {});
    asio::write(client, asio::buffer("x", 1));
    std::thread([&] { context.run(); }).join();
  }
  ended.store(true, std::memory_order_relaxed);
  other.join();
  BOOST_CHECK_EQUAL(next, lowest);
}

BOOST_AUTO_TEST_CASE(batches_of_datagrams_go_through_sockets_by_type)
{
  asio::io_context context;
  using udp = asio_uring::ip::udp;
  udp::socket socket(context, {asio::ip::address_v4::loopback(), 0});
  asio_uring::send_batch<udp> out;
  asio_uring::receive_batch<udp> in(4, 16);
  for (const char* text : {"a", "b", "c"})
    out.push_back(asio::buffer(text, 1), socket.local_endpoint());
  std::string got;
  asio_uring::async_send_many(socket, out, [&](error_code ec, std::size_t count) {
    BOOST_CHECK(!ec);
    BOOST_CHECK_EQUAL(count, 3u);
  });
  context.run();
  while (got.size() < 3) {
    context.restart();
    asio_uring::async_receive_many(socket, in, asio::detached);
    context.run();
    for (const auto& d : in)
      got.append(static_cast<const char*>(d.data().data()), d.size());
  }
  BOOST_CHECK_EQUAL(got, "abc");
}

BOOST_AUTO_TEST_SUITE_END()
