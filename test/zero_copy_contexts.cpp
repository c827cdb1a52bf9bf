// test/zero_copy_contexts.cpp: which sends are made without a copy, and what happens to them at the end of
// their context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "zero_copy_fixture.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <thread>

using namespace test;

namespace {

/// Writes `size` bytes and reads them at the other end.
template <class Socket>
void send_and_read(asio::io_context& context, Socket& from, Socket& to, std::size_t size)
{
  const std::string text = random_text(size);
  outcome sent;
  async_send_zero_copy(from, asio::buffer(text), sent.record());
  std::string got(size, '\0');
  outcome read;
  asio::async_read(to, asio::buffer(got), read.record());
  finish(context);
  CHECK_SUCCEEDED(sent);
  BOOST_TEST(sent.bytes == size);
  BOOST_TEST((got == text));
}

/// Drops a capability of this child process.
void give_up(int capability)
{
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  BOOST_REQUIRE_EQUAL(::syscall(SYS_capget, &header, data), 0);
  data[0].effective &= ~(1U << capability);
  BOOST_REQUIRE_EQUAL(::syscall(SYS_capset, &header, data), 0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(zero_copy_contexts)

// --- which sends

BOOST_AUTO_TEST_CASE(sends_below_the_threshold_are_ordinary_ones)
{
  slow_connection c({.zero_copy_threshold = 1000});
  send_and_read(c.context, c.client, c.server, 999);
  BOOST_TEST(c.counts().zero_copy == 0u);
  send_and_read(c.context, c.client, c.server, 1000);
  BOOST_TEST(c.counts().zero_copy == (without_copy(c.context) ? 1u : 0u));
}

BOOST_FIXTURE_TEST_CASE(where_the_kernel_copies_all_the_same_others_are_ordinary_for_a_while, slow_connection)
{
  if (!without_copy(context)) return;
  for (std::uint64_t pause = 16, sends = 1; sends != 4; ++sends, pause *= 2) {
    send_and_read(context, client, server, 1000);
    BOOST_TEST(counts().zero_copy == sends);
    BOOST_TEST(counts().copied == sends);
    for (std::uint64_t i = 0; i != pause; ++i)
      send_and_read(context, client, server, 1000);
    BOOST_TEST(counts().zero_copy == sends);
  }
}

BOOST_FIXTURE_TEST_CASE(an_attempt_that_found_no_room_is_no_copy, slow_connection)
{
  if (!without_copy(context)) return;
  const std::string text = random_text(2'000'000);
  outcome written;
  async_write_zero_copy(client, asio::buffer(text), written.record());
  std::string got(text.size(), '\0');
  outcome read;
  asio::async_read(server, asio::buffer(got), read.record());
  finish(context);
  CHECK_SUCCEEDED(written);
  BOOST_TEST(counts().retries >= counts().zero_copy); // one for each part but the last, and attempts
  BOOST_TEST(counts().copied == counts().zero_copy);
}

BOOST_AUTO_TEST_CASE(a_unix_socket_is_asked_once)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.zero_copy_threshold = 1});
  pair<local> sockets(context);
  for (int i = 0; i != 3; ++i)
    send_and_read(context, sockets.client, sockets.server, 1000);
  BOOST_TEST(asio_uring::statistics(context).zero_copy == 0u);
  BOOST_TEST(asio_uring::statistics(context).retries == (without_copy(context) ? 1u : 0u));
  // The next socket with its file state starts afresh.
  sockets.client.close();
  sockets.server.close();
  connection<> next;
  outcome written;
  const std::array<asio::const_buffer, 2> both{asio::buffer("ab", 2), asio::buffer("cd", 2)};
  pair<local> others(context);
  async_write_zero_copy(others.client, both, written.record());
  finish(context);
  CHECK_SUCCEEDED(written);
  BOOST_TEST(read_text(others.server, 4) == "abcd");
  BOOST_TEST(asio_uring::statistics(context).retries == (without_copy(context) ? 2u : 0u));
}

BOOST_AUTO_TEST_CASE(an_error_that_an_ordinary_send_has_too_is_told)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.zero_copy_threshold = 1});
  pair<local> sockets(context);
  outcome refused, again;
  sockets.client.shutdown(local::socket::shutdown_send);
  async_send_zero_copy(sockets.client, asio::buffer("x", 1), refused.record());
  async_send_zero_copy(sockets.client, asio::buffer("x", 1), again.record());
  finish(context);
  CHECK_FAILED(refused, asio::error::broken_pipe);
  CHECK_FAILED(again, asio::error::broken_pipe);
}

BOOST_AUTO_TEST_CASE(a_unix_datagram_is_an_ordinary_call)
{
  using datagrams = asio::local::datagram_protocol;
  asio::io_context context;
  asio_uring::use_io_uring(context, {.zero_copy_threshold = 1});
  datagrams::socket from(context), to(context);
  asio::local::connect_pair(from, to);
  outcome sent;
  async_send_zero_copy(from, asio::buffer("text", 4), sent.record());
  finish(context);
  CHECK_SUCCEEDED(sent);
  char got[8];
  BOOST_TEST(to.receive(asio::buffer(got)) == 4u);
  BOOST_TEST(asio_uring::statistics(context).retries == 0u);
}

BOOST_AUTO_TEST_CASE(where_no_memory_may_be_locked_it_is_copied, *boost::unit_test::precondition(as_root))
{
  BOOST_TEST(in_child([&] {
               give_up(CAP_IPC_LOCK);
               slow_connection c;
               const rlimit none{0, 0};
               BOOST_REQUIRE_EQUAL(::setrlimit(RLIMIT_MEMLOCK, &none), 0);
               const bool tried = without_copy(c.context);
               const std::string text = random_text(100'000);
               for (int i = 0; i != 2; ++i) {
                 outcome sent;
                 async_send_zero_copy(c.client, asio::buffer(text), sent.record());
                 run_until(c.context, [&] { return sent.done(); });
                 if (!sent.succeeded() || read_text(c.server, sent.bytes) != text.substr(0, sent.bytes))
                   return 1;
               }
               return c.counts().zero_copy == 0 && (c.counts().retries > 0) == tried ? 0 : 2;
             }) == 0);
}

BOOST_AUTO_TEST_CASE(two_entries_suffice)
{
  slow_connection c({.entries = 2, .completions = 4, .zero_copy_threshold = 1});
  const std::string text = random_text(1'000'000);
  std::list<outcome> sent;
  std::string expected;
  for (int i = 0; i != 20; ++i) {
    async_send_zero_copy(c.client, asio::buffer(text, 1000), sent.emplace_back().record());
    expected += text.substr(0, 1000);
  }
  async_write_zero_copy(c.client, asio::buffer(text), sent.emplace_back().record());
  expected += text;
  std::string got(expected.size(), '\0');
  outcome read;
  asio::async_read(c.server, asio::buffer(got), read.record());
  finish(c.context);
  for (const outcome& o : sent)
    CHECK_SUCCEEDED(o);
  BOOST_TEST((got == expected));
}

// --- the end of the context

BOOST_AUTO_TEST_CASE(the_end_of_the_context_waits_for_memory_that_the_peer_takes)
{
  auto text = std::make_shared<std::string>(random_text(300'000));
  const std::string expected = *text;
  std::string got;
  std::thread reader;
  int peer = -1;
  {
    slow_connection c;
    peer = ::dup(c.server.native_handle());
    auto own = std::make_shared<tcp::socket>(std::move(c.client));
    async_send_zero_copy(*own, asio::buffer(*text),
                         [own, text](error_code, std::size_t) { BOOST_TEST(false); });
    own.reset();
    std::weak_ptr<std::string> left = text;
    text.reset();
    if (without_copy(c.context)) c.run_until_sent();
    BOOST_TEST(!left.expired());
    reader = std::thread([&] {
      std::string part(100'000, '\0');
      for (ssize_t n; (n = ::recv(peer, part.data(), part.size(), 0)) > 0;)
        got.append(part, 0, static_cast<std::size_t>(n));
    });
    c.context.stop();
  }
  reader.join();
  ::close(peer);
  BOOST_TEST((got == expected.substr(0, got.size())));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_context_does_not_wait_for_a_peer_that_takes_nothing)
{
  int peer = -1;
  bool held = false;
  std::weak_ptr<std::string> left;
  {
    slow_connection c;
    held = without_copy(c.context);
    peer = ::dup(c.server.native_handle());
    auto own = std::make_shared<tcp::socket>(std::move(c.client));
    auto text = std::make_shared<std::string>(random_text(300'000));
    left = text;
    async_send_zero_copy(*own, asio::buffer(*text), [own, text](error_code, std::size_t) {});
    own.reset();
    text.reset();
    if (held) c.run_until_sent();
  }
  BOOST_TEST(left.expired());
  if (held) { // the connection was reset, so the memory was not read again
    std::string part(1'000'000, '\0');
    ssize_t n;
    while ((n = ::recv(peer, part.data(), part.size(), 0)) > 0) {
    }
    BOOST_TEST(n == -1);
  }
  ::close(peer);
}

BOOST_AUTO_TEST_CASE(handlers_of_what_waits_go_with_the_context)
{
  std::weak_ptr<std::string> left;
  {
    slow_connection c;
    auto text = std::make_shared<std::string>(random_text(2'000'000));
    left = text;
    for (int i = 0; i != 3; ++i)
      async_send_zero_copy(c.client, asio::buffer(*text), [text](error_code, std::size_t) {});
    async_write_zero_copy(c.client, asio::buffer(*text), [text](error_code, std::size_t) {});
    settle(c.context);
  }
  BOOST_TEST(left.expired());
}

// --- forks, and rings that are given up

BOOST_FIXTURE_TEST_CASE(what_was_sent_before_a_fork_is_sent_once, held_send)
{
  context.notify_fork(asio::io_context::fork_prepare);
  const pid_t child = ::fork();
  if (child == 0)
    exit_with([&] {
      context.notify_fork(asio::io_context::fork_child);
      finish(context); // its memory is a copy
      return sent.succeeded() && sent.bytes == size ? 0 : 1;
    });
  context.notify_fork(asio::io_context::fork_parent);
  BOOST_TEST(exit_code_of(child) == 0);
  settle(context);
  BOOST_TEST(sent.calls == (held ? 0 : 1));
  BOOST_TEST((read_text(server, size) == text));
  finish(context);
  check_sent();
  BOOST_TEST(!readable(server, 0ms));
  // Both ends can still be used.
  send_and_read(context, client, server, 1000);
}

BOOST_FIXTURE_TEST_CASE(what_is_started_before_a_fork_is_sent_once, slow_connection)
{
  const std::string text = random_text(5000);
  outcome sent;
  async_send_zero_copy(client, asio::buffer(text), sent.record());
  fork_and_finish(context, [&] { return sent.succeeded() && sent.bytes == text.size(); });
  BOOST_TEST((read_text(server, text.size()) == text));
  BOOST_TEST(!readable(server, 0ms));
}

BOOST_AUTO_TEST_CASE(a_ring_that_fails_brings_its_notifications)
{
  BOOST_TEST(in_child([&] {
               held_send s;
               forbid(SYS_io_uring_enter, EPERM);
               const std::string next = random_text(10'000, 9);
               outcome other;
               async_send_zero_copy(s.client, asio::buffer(next), other.record());
               run_until(s.context, [&] { return other.done(); });
               if (!other.succeeded() || s.sent.done() == s.held) return 1;
               if (read_text(s.server, s.size + next.size()) != s.text + next) return 2;
               finish(s.context);
               return s.sent.succeeded() && s.sent.bytes == s.size ? 0 : 3;
             }) == 0);
}

BOOST_AUTO_TEST_CASE(threads_that_take_turns_lose_no_notification)
{
  held_send s;
  const std::string next = random_text(1000, 3);
  outcome other, third;
  std::thread([&] {
    async_send_zero_copy(s.client, asio::buffer(next), other.record());
    settle(s.context);
  }).join();
  std::string got;
  std::thread([&] {
    got = read_text(s.server, s.size + next.size());
    finish(s.context);
  }).join();
  s.check_sent();
  CHECK_SUCCEEDED(other);
  BOOST_TEST((got == s.text + next));
}

BOOST_AUTO_TEST_CASE(several_threads_send_on_many_sockets)
{
  constexpr int connections = 8, messages = 20;
  asio::io_context context;
  asio_uring::use_io_uring(context, {.zero_copy_threshold = 1});
  const std::string text = random_text(100'000);
  struct one
  {
    asio::strand<asio::io_context::executor_type> strand;
    pair<> sockets;
    std::string got;
    int left = messages;
    bool intact = true;
    explicit one(asio::io_context& c) : strand(c.get_executor()), sockets(c), got(100'000, '\0') {}
  };
  std::list<one> all;
  std::function<void(one&)> send = [&](one& o) {
    async_write_zero_copy(o.sockets.client, asio::buffer(text),
                          asio::bind_executor(o.strand, [&](error_code ec, std::size_t n) {
                            o.intact = o.intact && !ec && n == text.size();
                          }));
    asio::async_read(o.sockets.server, asio::buffer(o.got),
                     asio::bind_executor(o.strand, [&](error_code ec, std::size_t) {
                       o.intact = o.intact && !ec && o.got == text;
                       if (--o.left > 0) asio::post(o.strand, [&] { send(o); });
                     }));
  };
  for (int i = 0; i != connections; ++i)
    send(all.emplace_back(context));
  std::thread second([&] { context.run_for(60s * slowness()); });
  context.run_for(60s * slowness());
  second.join();
  for (const one& o : all) {
    BOOST_TEST(o.left == 0);
    BOOST_TEST(o.intact);
  }
}

BOOST_AUTO_TEST_SUITE_END()
