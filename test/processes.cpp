// test/processes.cpp: forks, and what is taken from a process while its contexts are at work.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "fixture.hpp"

#ifndef ASIO_URING_TEST_STOCK
#include <asio_uring/backend.hpp>
#endif

#include <fstream>
#include <future>
#include <spawn.h>
#include <sys/syscall.h>
#include <thread>

using namespace test;

namespace {

/// A server that accepts and counts, and a timer that ticks beside it.
struct accepting
{
  asio::io_context& context;
  listener acceptor{context};
  asio::steady_timer timer{context};
  int accepted = 0, ticks = 0;

  explicit accepting(asio::io_context& c) : context(c)
  {
    accept();
    tick();
  }
  void accept()
  {
    acceptor.async_accept([this](error_code e, tcp::socket) {
      if (e) return;
      ++accepted;
      accept();
    });
  }
  void tick()
  {
    timer.expires_after(5ms);
    timer.async_wait([this](error_code e) {
      if (e) return;
      ++ticks;
      tick();
    });
  }
  /// As many clients come; false: not all are accepted, or the timer stands still.
  bool serves(int count)
  {
    const auto where = acceptor.local_endpoint();
    for (int i = 0; i < count; ++i) {
      const int client = ::socket(AF_INET, SOCK_STREAM, 0);
      ::connect(client, where.data(), static_cast<socklen_t>(where.size()));
      ::close(client);
      const int accepted_before = accepted, ticks_before = ticks;
      const auto limit = std::chrono::steady_clock::now() + 20s * slowness();
      context.restart();
      while (accepted == accepted_before || ticks < ticks_before + 2) {
        context.run_one_for(100ms);
        if (std::chrono::steady_clock::now() > limit) return false;
      }
    }
    return true;
  }
};

/// Starts something and forks, in one handler; then both processes run the context to the end of its work.
/// Returns the exit code of the child, which is 0 if `ended()` holds there.
template <class Start, class Ended>
int fork_behind(asio::io_context& context, Start start, Ended ended)
{
  pid_t child = -1;
  asio::post(context, [&] {
    start();
    context.notify_fork(asio::io_context::fork_prepare);
    child = ::fork();
    context.notify_fork(child == 0 ? asio::io_context::fork_child : asio::io_context::fork_parent);
  });
  context.run_for(50ms);
  const auto go_on = [&] {
    context.restart();
    context.run_for(30s * slowness());
    return context.stopped();
  };
  if (child == 0) exit_with([&] { return go_on() && ended() ? 0 : 1; });
  BOOST_TEST(go_on());
  return exit_code_of(child);
}

/// All that has arrived at a socket.
template <class Socket>
std::string arrived(Socket& socket)
{
  char text[256];
  const ssize_t n = ::recv(socket.native_handle(), text, sizeof(text), MSG_DONTWAIT);
  return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
}

const std::array<asio::const_buffer, 2> two_buffers{asio::buffer("of two ", 7), asio::buffer("buffers", 7)};

} // namespace

BOOST_AUTO_TEST_SUITE(processes)

// --- forks that the context is told of

BOOST_AUTO_TEST_CASE(what_was_written_before_a_fork_is_written_once)
{
  connection<local> c;
  outcome written;
  BOOST_TEST(fork_behind(
                 c.context, [&] { c.client.async_write_some(two_buffers, written.record()); },
                 [&] { return written.succeeded(); }) == 0);
  CHECK_SUCCEEDED(written);
  BOOST_TEST(arrived(c.server) == "of two buffers");
}

BOOST_AUTO_TEST_CASE(what_was_written_before_a_fork_does_not_reach_who_has_the_number_then)
{
  asio::io_context context;
  pair<local> old(context);
  std::optional<pair<local>> next;
  outcome written;
  const auto start = [&] {
    old.client.async_write_some(two_buffers, written.record());
    const int number = old.client.native_handle();
    old.client.close();
    next.emplace(context);
    BOOST_TEST(next->client.native_handle() == number);
  };
  BOOST_TEST(fork_behind(context, start, [&] { return written.calls == 1; }) == 0);
  BOOST_TEST(written.calls == 1);
  BOOST_TEST(arrived(next->server) == "");
  BOOST_TEST(arrived(old.server).size() == written.bytes);
}

BOOST_AUTO_TEST_CASE(a_datagram_sent_before_a_fork_is_sent_once)
{
  using udp = asio::ip::udp;
  asio::io_context context;
  const udp::endpoint anywhere(asio::ip::address_v4::loopback(), 0);
  udp::socket from(context, anywhere), to(context, anywhere);
  outcome sent;
  BOOST_TEST(fork_behind(
                 context, [&] { from.async_send_to(two_buffers, to.local_endpoint(), sent.record()); },
                 [&] { return sent.succeeded(); }) == 0);
  CHECK_SUCCEEDED(sent);
  BOOST_TEST(arrived(to) == "of two buffers");
  BOOST_TEST(arrived(to) == "");
}

// Each process has the operation; who reads first has the byte.
BOOST_AUTO_TEST_CASE(a_read_that_waits_at_a_fork_goes_on_in_both_processes)
{
  connection<local> c;
  outcome read;
  char byte;
  c.server.async_read_some(asio::buffer(&byte, 1), read.record());
  settle(c.context);
  c.context.notify_fork(asio::io_context::fork_prepare);
  const pid_t child = ::fork();
  if (child == 0)
    exit_with([&] {
      c.context.notify_fork(asio::io_context::fork_child);
      write_text(c.client, "c");
      finish(c.context);
      return read.succeeded() && byte == 'c' ? 0 : 1;
    });
  c.context.notify_fork(asio::io_context::fork_parent);
  BOOST_TEST(exit_code_of(child) == 0);
  write_text(c.client, "p");
  finish(c.context);
  CHECK_SUCCEEDED(read);
  BOOST_TEST(byte == 'p');
}

BOOST_AUTO_TEST_CASE(a_daemon_serves_when_its_parent_has_left)
{
  asio::io_context context;
  asio::readable_pipe result(context);
  asio::writable_pipe told(context);
  asio::connect_pipe(result, told);
  BOOST_TEST(in_child([&] {
               asio::io_context served;
               accepting server(served);
               settle(served);
               served.notify_fork(asio::io_context::fork_prepare);
               const pid_t parent = ::getpid();
               if (::fork() != 0) ::_exit(0); // as daemons do it; objects on the stack are not destroyed
               ::alarm(30 * slowness());      // is not inherited
               served.notify_fork(asio::io_context::fork_child);
               while (::getppid() == parent)
                 std::this_thread::sleep_for(1ms);
               const char text = server.serves(3) ? 'y' : 'n';
               [[maybe_unused]] const auto written = ::write(told.native_handle(), &text, 1);
               return 0;
             }) == 0);
  told.close();
  BOOST_TEST(read_to_end(result) == "y");
}

// --- forks that it is not told of

BOOST_AUTO_TEST_CASE(a_child_that_closes_what_it_inherited_leaves_its_parents_operations_alone)
{
  asio::io_context context;
  accepting server(context);
  BOOST_TEST(server.serves(1));
  BOOST_TEST(in_child([&] {
               server.acceptor.close();
               return 0;
             }) == 0);
  BOOST_TEST(server.serves(5));
}

BOOST_AUTO_TEST_CASE(a_child_that_returns_from_main_leaves_its_parents_operations_alone)
{
  auto context = std::make_unique<asio::io_context>();
  auto server = std::make_unique<accepting>(*context);
  BOOST_TEST(server->serves(1));
  std::fflush(nullptr); // or the child does it, too
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30 * slowness());
    server.reset();
    context.reset();
    std::exit(0); // what is static is destroyed, too
  }
  BOOST_TEST(exit_code_of(child) == 0);
  BOOST_TEST(server->serves(5));
  server.reset();
}

BOOST_AUTO_TEST_CASE(a_program_that_is_executed_leaves_its_parents_operations_alone_and_inherits_no_ring)
{
  asio::io_context context;
  const std::size_t before = open_descriptors();
  int status = -1;
  {
    accepting server(context);
    BOOST_TEST(server.serves(1));
    const std::string command = "test $(ls /proc/self/fd | wc -l) -le " + std::to_string(before + 1);
    char shell[] = "sh", argument[] = "-c";
    char* arguments[] = {shell, argument, const_cast<char*>(command.c_str()), nullptr};
    pid_t child = -1;
    BOOST_REQUIRE(::posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ) == 0);
    status = exit_code_of(child);
    BOOST_TEST(server.serves(5));
  }
  BOOST_TEST(status == 0);
}

// --- what is taken away

// Sandboxes are put up late, and the lists of some know nothing of io_uring.
BOOST_AUTO_TEST_CASE(operations_go_on_when_entering_the_ring_is_forbidden)
{
  for (const int error : {EPERM, ENOSYS})
    BOOST_TEST(in_child([&] {
                 asio::io_context context;
                 accepting server(context);
                 pair<> p(context);
                 outcome read, waited;
                 char byte;
                 p.server.async_read_some(asio::buffer(&byte, 1), read.record());
                 p.client.async_wait(tcp::socket::wait_read, waited.record());
                 if (!server.serves(1)) return 1;
                 forbid(SYS_io_uring_enter, error);
                 if (!server.serves(3)) return 2; // accepts, and timers
                 bool posted = false;
                 asio::post(context, [&] { posted = true; });
                 write_text(p.client, "x");
                 run_until(context, [&] { return read.done() && posted; });
                 if (!read.succeeded() || byte != 'x' || waited.done()) return 3;
                 // And new ones on new objects.
                 pair<local> q(context);
                 outcome written, answered;
                 q.server.async_read_some(asio::buffer(&byte, 1), answered.record());
                 asio::async_write(q.client, two_buffers, written.record());
                 run_until(context, [&] { return written.done() && answered.done(); });
                 if (!written.succeeded() || !answered.succeeded() || byte != 'o') return 4;
                 p.client.cancel();
                 run_until(context, [&] { return waited.done(); });
                 return waited.error == asio::error::operation_aborted ? 0 : 5;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(a_loop_that_may_not_enter_the_ring_sleeps)
{
  BOOST_TEST(in_child([&] {
               asio::io_context context;
               pair<> p(context);
               outcome read;
               char byte;
               p.server.async_read_some(asio::buffer(&byte, 1), read.record());
               settle(context);
               forbid(SYS_io_uring_enter, EPERM);
               context.run_for(100ms);
               return sleeps(context) && !read.done() ? 0 : 1;
             }) == 0);
}

BOOST_AUTO_TEST_CASE(objects_and_contexts_are_destroyed_when_entering_the_ring_is_forbidden)
{
  for (const bool ran : {false, true})
    for (const bool in_time : {false, true})
      BOOST_TEST(in_child([&] {
                   outcome read, written;
                   char byte;
                   std::vector<char> much(8 << 20);
                   auto context = std::make_unique<asio::io_context>();
                   auto p = std::make_unique<pair<>>(*context);
                   p->server.async_read_some(asio::buffer(&byte, 1), read.record());
                   asio::async_write(p->server, asio::buffer(much), written.record());
                   if (in_time) settle(*context);
                   forbid(SYS_io_uring_enter, EPERM);
                   if (ran) settle(*context);
                   p->client.close();
                   p.reset();
                   context.reset();
                   asio::io_context next;
                   return accepting(next).serves(1) ? 0 : 1;
                 }) == 0);
}

namespace {

// Operations that one thread starts and another completes. The number of those that failed.
int exchange_beside_a_loop(pair<>& p)
{
  int failed = 0;
  for (int i = 0; i < 20; ++i) {
    char byte;
    std::promise<error_code> read, written;
    p.server.async_read_some(asio::buffer(&byte, 1), [&](error_code e, std::size_t) { read.set_value(e); });
    p.client.async_write_some(two_buffers.front() + 6,
                              [&](error_code e, std::size_t) { written.set_value(e); });
    failed += read.get_future().get() || written.get_future().get();
  }
  return failed;
}

} // namespace

// The filter is that of one thread: others enter as before.
BOOST_AUTO_TEST_CASE(a_thread_that_may_not_enter_the_ring_starts_operations_beside_one_that_runs_the_context)
{
  BOOST_TEST(in_child([&] {
               asio::io_context context;
               auto work = asio::make_work_guard(context);
               pair<> p(context);
               std::thread loop([&] { context.run(); });
               forbid(SYS_io_uring_enter, EPERM);
               const int failed = exchange_beside_a_loop(p);
               p.server.close();
               work.reset();
               loop.join();
               return failed;
             }) == 0);
}

// The thread is there because another one needed the kernel while the loop stayed in a handler.
BOOST_AUTO_TEST_CASE(a_ring_with_a_thread_of_its_own_is_refused_to_all_threads)
{
  BOOST_TEST(in_child([&] {
               asio::io_context context;
               auto work = asio::make_work_guard(context);
               pair<> p(context), q(context);
               std::thread loop([&] { context.run(); });
               int failed = exchange_beside_a_loop(p);
               std::promise<void> begun, closed;
               asio::post(context, [&] {
                 begun.set_value();
                 closed.get_future().wait();
               });
               begun.get_future().wait();
               char byte;
               q.server.async_read_some(asio::buffer(&byte, 1), [](error_code, std::size_t) {});
               q.server.close();
               closed.set_value();
               failed += exchange_beside_a_loop(p);
               forbid(SYS_io_uring_enter, EPERM, true);
               failed += exchange_beside_a_loop(p);
               p.server.close();
               work.reset();
               loop.join();
               return failed;
             }) == 0);
}

// As daemons do it, to leave nothing open.
BOOST_AUTO_TEST_CASE(objects_and_contexts_are_destroyed_when_all_descriptors_have_been_closed)
{
  for (const bool ran : {false, true})
    BOOST_TEST(in_child([&] {
                 outcome read, written;
                 char byte;
                 std::vector<char> much(8 << 20);
                 auto context = std::make_unique<asio::io_context>();
                 auto p = std::make_unique<pair<>>(*context);
                 asio::steady_timer timer(*context, 1h);
                 timer.async_wait([](error_code) {});
                 p->server.async_read_some(asio::buffer(&byte, 1), read.record());
                 asio::async_write(p->client, asio::buffer(much), written.record());
                 settle(*context);
                 ::close_range(3, ~0U, 0);
                 if (ran) context->run_for(20ms);
                 error_code ignored;
                 p->client.close(ignored);
                 p.reset();
                 timer.cancel();
                 context.reset();
                 asio::io_context next;
                 return accepting(next).serves(3) ? 0 : 1;
               }) == 0);
}

// --- what monitoring shows

/// How many tasks wait for a disk, as the kernel sees it.
int waiting_for_a_disk()
{
  std::ifstream file("/proc/stat");
  std::string word;
  int count = 0;
  while (file >> word)
    if (word == "procs_blocked") file >> count;
  return count;
}

BOOST_AUTO_TEST_CASE(idle_loops_do_not_count_as_waiting_for_a_disk)
{
#ifndef ASIO_URING_TEST_STOCK
  {
    asio::io_context context;
    tcp::socket socket(context, tcp::v4());
    if (with_kernel_ring() && !asio_uring::backend(context).features.has(IORING_FEAT_NO_IOWAIT))
      return; // before 6.15
  }
#endif
  constexpr int count = 12;
  std::array<asio::io_context, count> contexts;
  std::vector<std::unique_ptr<pair<local>>> pairs;
  std::vector<std::thread> threads;
  char byte;
  for (auto& context : contexts) {
    pairs.push_back(std::make_unique<pair<local>>(context));
    pairs.back()->server.async_read_some(asio::buffer(&byte, 1), [](error_code, std::size_t) {});
    threads.emplace_back([&] { context.run(); });
  }
  std::this_thread::sleep_for(200ms); // until all are idle
  int fewest = count;                 // others may wait for a disk, now and then
  for (int i = 0; i < 200 && fewest >= count; ++i) {
    fewest = std::min(fewest, waiting_for_a_disk());
    std::this_thread::sleep_for(2ms);
  }
  BOOST_TEST(fewest < count);
  for (auto& context : contexts)
    context.stop();
  for (auto& thread : threads)
    thread.join();
}

BOOST_AUTO_TEST_SUITE_END()
