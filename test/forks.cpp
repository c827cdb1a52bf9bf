// test/forks.cpp: forks while a context is at work, with and without notify_fork.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "accepting.hpp"
#include "child.hpp"
#include "loop_fixture.hpp"

#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>

using namespace test;

namespace {

/// Starts operations and forks, in one handler; then both processes run the context to the end of its work.
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

/// Reads all that has arrived at a socket.
template <class Socket>
std::string arrived(Socket& socket)
{
  char text[256];
  const ssize_t n = ::recv(socket.native_handle(), text, sizeof(text), MSG_DONTWAIT);
  return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
}

/// How many files the process's epoll sets watch.
int watched_files()
{
  namespace fs = std::filesystem;
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code vanished;
    if (fs::read_symlink(entry.path(), vanished) != "anon_inode:[eventpoll]") continue;
    std::ifstream info("/proc/self/fdinfo/" + entry.path().filename().string());
    for (std::string line; std::getline(info, line);)
      count += line.starts_with("tfd:");
  }
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(forks)

// --- with notify_fork

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

BOOST_AUTO_TEST_CASE(fork_parent_without_fork_prepare_leaves_the_ring_at_work)
{
  connection<local> c;
  outcome first, second;
  char bytes[2];
  c.server.async_read_some(asio::buffer(bytes, 1), first.record());
  settle(c.context);
  c.context.notify_fork(asio::io_context::fork_parent);
  write_text(c.client, "ab");
  finish(c.context);
  CHECK_SUCCEEDED(first);
  c.server.async_read_some(asio::buffer(bytes + 1, 1), second.record());
  finish(c.context);
  CHECK_SUCCEEDED(second);
  BOOST_TEST(std::string_view(bytes, 2) == "ab");
}

// Each process has the operation; the one that reads first gets the byte.
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

BOOST_AUTO_TEST_CASE(fork_with_notify_fork_in_parent_and_child)
{
  asio::io_context context;
  readers r(context, 1);
  context.poll();
  context.notify_fork(asio::io_context::fork_prepare);
  pid_t child = ::fork();
  BOOST_REQUIRE(child != -1);
  if (child == 0) {
    ::alarm(30);
    context.notify_fork(asio::io_context::fork_child);
    context.restart();
    pair<> p(context);
    std::array<char, 8> data;
    bool received = false;
    p.server.async_read_some(asio::buffer(data), [&](error_code e, std::size_t n) {
      received = !e && n == 3;
      context.stop();
    });
    error_code error;
    p.client.write_some(asio::buffer("abc", 3), error);
    context.run_for(20s);
    ::_exit(received ? 0 : 1);
  }
  context.notify_fork(asio::io_context::fork_parent);
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_CHECK_EQUAL(status, 0);
  r.feed();
  finish(context);
  BOOST_CHECK_EQUAL(r.calls, 1);
}

BOOST_AUTO_TEST_CASE(a_forked_child_and_its_parent_watch_nothing_of_each_others)
{
  if (with_fallback()) return; // the fallback has epoll sets of its own
  for (const bool reactor_first : {false, true}) {
    asio::io_context context;
    if (reactor_first && !with_ring_pump()) asio::use_service<asio::detail::reactor>(context);
    pair<> sockets(context);
    outcome read;
    char byte;
    sockets.client.async_read_some(asio::buffer(&byte, 1), read.record());
    settle(context);
    asio::io_context apart;
    asio::readable_pipe from_child(apart), until_end(apart);
    asio::writable_pipe to_parent(apart), end(apart);
    asio::connect_pipe(from_child, to_parent);
    asio::connect_pipe(until_end, end);

    const int watched = watched_files();
    context.notify_fork(asio::io_context::fork_prepare);
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(30 * slowness());
      context.notify_fork(asio::io_context::fork_child);
      int count = watched_files();
      context.poll();
      [[maybe_unused]] auto written = ::write(to_parent.native_handle(), &count, sizeof(count));
      ::close(end.native_handle());
      written = ::read(until_end.native_handle(), &count, 1);
      ::_exit(0);
    }
    context.notify_fork(asio::io_context::fork_parent);
    int watched_by_child = -1;
    BOOST_REQUIRE_EQUAL(::read(from_child.native_handle(), &watched_by_child, sizeof(int)), 4);
    BOOST_CHECK_EQUAL(watched_by_child, watched);
    BOOST_CHECK_EQUAL(watched_files(), watched); // while the child lives
    end.close();
    int status = 0;
    BOOST_CHECK(::waitpid(child, &status, 0) == child && status == 0);
    write_text(sockets.server, "x");
    finish(context);
    CHECK_SUCCEEDED(read);
  }
}

// --- without notify_fork

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
  std::fflush(nullptr); // otherwise the child would do it as well
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30 * slowness());
    server.reset();
    context.reset();
    std::exit(0); // destroys static objects as well
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

BOOST_AUTO_TEST_CASE(a_forked_child_that_is_told_nothing_leaves_the_reactor_to_its_parent)
{
  auto context = std::make_unique<asio::io_context>();
  if (!with_ring_pump()) asio::use_service<asio::detail::reactor>(*context); // the ring pump replaces it
  listener acceptor(*context);
  auto client = std::make_unique<tcp::socket>(*context);
  tcp::socket server(*context);
  outcome connected, read;
  client->async_connect(acceptor.endpoint(), connected.record());
  finish(*context);
  CHECK_SUCCEEDED(connected);
  acceptor.accept(server);

  const int child = in_child([&] {
    client.reset();
    context.reset();
    return 0;
  });
  BOOST_CHECK_EQUAL(child, 0);
  char byte;
  server.async_read_some(asio::buffer(&byte, 1), read.record());
  write_text(*client, "x");
  context->restart();
  context->run_for(5s * slowness());
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_SUITE_END()
