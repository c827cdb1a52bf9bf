// test/ownership.cpp: which thread, and which process, the kernel works for.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"
#include <atomic>
#include <functional>
#include <future>
#include <sys/wait.h>
#include <thread>

using namespace test;

namespace {

/// With the guest pump, and on kernels before 6.6, any thread enters the ring; see doc/design.md.
bool has_an_owner()
{
  const char* newest = std::getenv("ASIO_URING_NEWEST");
  return counts_are_exact() && !(newest && *newest);
}

/// Runs f in a forked child, which leaves main() with what it returns; waits for it.
template <class F>
int in_child(F&& f)
{
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

/// A server that accepts and counts.
struct accepting : listener
{
  int accepted = 0;
  explicit accepting(asio::io_context& context) : listener(context) { accept(); }
  void accept()
  {
    async_accept([this](error_code e, tcp::socket) {
      if (e) return;
      ++accepted;
      accept();
    });
  }
  void connect()
  {
    const auto where = endpoint();
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    BOOST_TEST(::connect(client, where.data(), static_cast<socklen_t>(where.size())) == 0);
    ::close(client);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(ownership)

BOOST_AUTO_TEST_CASE(a_blocking_call_in_a_handler_is_not_interrupted_by_completions)
{
  if (!has_an_owner()) return;
  connection<> c;
  outcome read;
  char byte;
  c.server.async_read_some(asio::buffer(&byte, 1), read.record());
  int pair[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  const timeval limit{0, 400'000};
  ::setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  int error = 0;
  asio::steady_timer timer(c.context, 20ms);
  timer.async_wait([&](error_code) {
    std::thread peer([&, fd = c.client.native_handle()] {
      std::this_thread::sleep_for(100ms);
      BOOST_TEST(::send(fd, "x", 1, 0) == 1);
    });
    char other;
    if (::recv(pair[0], &other, 1, 0) < 0) error = errno; // another library's socket, which stays silent
    peer.join();
  });
  finish(c.context);
  BOOST_TEST(error == EAGAIN);
  CHECK_SUCCEEDED(read);
  ::close(pair[0]);
  ::close(pair[1]);
}

BOOST_AUTO_TEST_CASE(a_handler_that_sleeps_holds_up_no_socket_that_its_thread_has_served)
{
  asio::io_context context;
  constexpr int count = 8;
  std::vector<std::unique_ptr<pair<>>> pairs;
  for (int i = 0; i < count; ++i)
    pairs.push_back(std::make_unique<pair<>>(context));
  std::vector<char> bytes(count);
  std::atomic<int> got{0};
  std::function<void(int)> read = [&](int i) {
    pairs[static_cast<std::size_t>(i)]->server.async_read_some(
        asio::buffer(&bytes[static_cast<std::size_t>(i)], 1), [&, i](error_code e, std::size_t) {
          if (e) return;
          ++got;
          read(i);
        });
  };
  for (int i = 0; i < count; ++i)
    asio::post(context, [&, i] { read(i); });
  const auto send_all = [&] {
    for (auto& p : pairs)
      BOOST_TEST(::send(p->client.native_handle(), "x", 1, 0) == 1);
  };
  const auto wait_for = [&](int wanted) {
    const auto limit = std::chrono::steady_clock::now() + 20s * slowness();
    while (got < wanted && std::chrono::steady_clock::now() < limit)
      std::this_thread::sleep_for(1ms);
    return got.load();
  };
  auto work = asio::make_work_guard(context);
  std::thread first([&] { context.run(); });
  send_all();
  BOOST_TEST(wait_for(count) == count);
  std::thread second([&] { context.run(); });
  std::promise<void> asleep, woken;
  std::function<void()> sleep_there = [&, who = first.get_id()] {
    if (std::this_thread::get_id() != who) {
      std::this_thread::sleep_for(1ms);
      return asio::post(context, sleep_there);
    }
    asleep.set_value();
    woken.get_future().wait();
  };
  asio::post(context, sleep_there);
  asleep.get_future().wait();
  send_all();
  BOOST_TEST(wait_for(2 * count) == 2 * count);
  woken.set_value();
  work.reset();
  context.stop();
  first.join();
  second.join();
}

BOOST_AUTO_TEST_CASE(what_was_written_before_a_fork_is_not_written_by_the_child)
{
  connection<local> c;
  const std::array<asio::const_buffer, 2> text{asio::buffer("a write ", 8), asio::buffer("of two", 6)};
  outcome written;
  asio::post(c.context, [&] {
    c.client.async_write_some(text, written.record());
    c.context.notify_fork(asio::io_context::fork_prepare);
    const int status = in_child([&] {
      c.context.notify_fork(asio::io_context::fork_child);
      return 0;
    });
    c.context.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(status == 0);
  });
  finish(c.context);
  CHECK_SUCCEEDED(written);
  char got[64];
  BOOST_TEST(::recv(c.server.native_handle(), got, sizeof(got), MSG_DONTWAIT) == 14);
}

BOOST_AUTO_TEST_CASE(a_child_that_closes_what_it_inherited_leaves_its_parents_operations_alone)
{
  asio::io_context context;
  accepting server(context);
  server.connect();
  context.run_for(50ms);
  BOOST_TEST(server.accepted == 1);
  BOOST_TEST(in_child([&] {
               server.close();
               return 0;
             }) == 0);
  for (int i = 0; i < 3; ++i) {
    server.connect();
    run_until(context, [&] { return server.accepted == i + 2; });
  }
  BOOST_TEST(server.accepted == 4);
}

BOOST_AUTO_TEST_CASE(a_child_that_destroys_the_context_leaves_its_parents_operations_alone)
{
  auto context = std::make_unique<asio::io_context>();
  auto server = std::make_unique<accepting>(*context);
  context->poll();
  BOOST_TEST(in_child([&] {
               server.reset();
               context.reset();
               return 0;
             }) == 0);
  server->connect();
  run_until(*context, [&] { return server->accepted == 1; });
  BOOST_TEST(server->accepted == 1);
  server.reset();
}

BOOST_AUTO_TEST_CASE(the_port_is_free_when_an_acceptor_has_been_closed_beside_running_threads)
{
  if (!has_an_owner()) return;
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  std::thread threads[2];
  for (std::thread& t : threads)
    t = std::thread([&] { context.run(); });
  tcp::endpoint where;
  {
    listener first(context);
    where = first.endpoint();
  }
  int taken = 0;
  for (int round = 0; round < rounds(100); ++round) {
    tcp::acceptor acceptor(context, where);
    std::promise<void> started, ended;
    asio::post(context, [&] {
      acceptor.async_accept([&](error_code, tcp::socket) { ended.set_value(); });
      started.set_value();
    });
    started.get_future().wait();
    acceptor.close();
    error_code e;
    tcp::acceptor next(context);
    next.open(tcp::v4());
    next.set_option(tcp::acceptor::reuse_address(true));
    next.bind(where, e);
    if (!e) next.listen(1, e);
    taken += e ? 1 : 0;
    next.close();
    ended.get_future().wait();
  }
  BOOST_TEST(taken == 0);
  work.reset();
  for (std::thread& t : threads)
    t.join();
}

BOOST_AUTO_TEST_SUITE_END()
