// test/wait_process.cpp: waiting for the end of child processes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <asio_uring/wait_process.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <csignal>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>

using namespace test;
using asio_uring::async_wait_process;
using asio_uring::process_status;
using boost::system::errc::no_child_process;

namespace {

/// The outcome of a wait.
struct process_end : outcome
{
  process_status status;
  auto record()
  {
    return [this, inner = outcome::record()](error_code ec, process_status s) {
      status = s;
      inner(ec);
    };
  }
  bool has_status() const { return succeeded() && status.ended != process_status::unknown; }
};

/// A child that exits with a code when it is told to, or when its parent is gone.
class obedient_child
{
public:
  explicit obedient_child(int code)
  {
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    pid = ::fork();
    if (pid == 0) {
      ::close(ends[1]);
      char byte;
      [[maybe_unused]] const auto told = ::read(ends[0], &byte, 1);
      ::_exit(code);
    }
    ::close(ends[0]);
    end_ = asio_uring::unique_descriptor(ends[1]);
  }
  void tell() { end_.reset(); }
  void end()
  {
    tell();
    until_it_has_ended();
  }
  void until_it_has_ended() const
  {
    siginfo_t found;
    BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &found, WEXITED | WNOWAIT) == 0);
  }
  /// Whether it is still a zombie; if so, reaps it.
  bool is_left() const { return ::waitpid(pid, nullptr, WNOHANG) == pid; }

  pid_t pid;

private:
  asio_uring::unique_descriptor end_;
};

asio_uring::unique_descriptor pidfd_of(pid_t pid)
{
  return asio_uring::unique_descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

struct waits_for_children
{
  asio::io_context context;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(wait_process, waits_for_children)

BOOST_AUTO_TEST_CASE(an_exit_code_is_told)
{
  for (const int code : {0, 1, 255}) {
    obedient_child child(code);
    process_end e;
    async_wait_process(context, child.pid, e.record());
    settle(context);
    BOOST_TEST(!e.done());
    child.tell();
    finish(context);
    CHECK_SUCCEEDED(e);
    BOOST_TEST((e.status == process_status{process_status::exited, false, code}));
    BOOST_TEST(e.status.succeeded() == (code == 0));
    BOOST_TEST(!child.is_left());
  }
}

BOOST_AUTO_TEST_CASE(the_signal_that_ended_it_is_told)
{
  for (const int signal : {SIGKILL, SIGTERM}) {
    obedient_child child(0);
    process_end e;
    async_wait_process(context, child.pid, e.record());
    settle(context);
    BOOST_TEST(!e.done());
    ::kill(child.pid, signal);
    finish(context);
    CHECK_SUCCEEDED(e);
    BOOST_TEST((e.status == process_status{process_status::signalled, false, signal}));
    BOOST_TEST(!e.status.succeeded());
  }
}

BOOST_AUTO_TEST_CASE(one_that_has_ended_already_is_told_by_the_loop)
{
  obedient_child child(7);
  child.end();
  process_end e;
  async_wait_process(context, child.pid, e.record());
  BOOST_TEST(!e.done());
  finish(context);
  CHECK_SUCCEEDED(e);
  BOOST_TEST(e.status.code == 7);
  BOOST_TEST(!child.is_left());
}

BOOST_AUTO_TEST_CASE(a_process_that_stops_has_not_ended)
{
  obedient_child child(3);
  process_end e;
  async_wait_process(context, child.pid, e.record());
  ::kill(child.pid, SIGSTOP);
  siginfo_t found;
  BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(child.pid), &found, WSTOPPED | WNOWAIT) == 0);
  settle(context);
  BOOST_TEST(!e.done());
  ::kill(child.pid, SIGCONT);
  child.tell();
  finish(context);
  BOOST_TEST(e.status.code == 3);
}

BOOST_AUTO_TEST_CASE(of_two_waits_one_has_the_status)
{
  obedient_child child(5);
  process_end first, second;
  async_wait_process(context, child.pid, first.record());
  async_wait_process(context, child.pid, second.record());
  settle(context);
  child.tell();
  finish(context);
  BOOST_TEST(first.has_status() + second.has_status() == 1);
  process_end& with = first.has_status() ? first : second;
  process_end& without = first.has_status() ? second : first;
  BOOST_TEST(with.status.code == 5);
  CHECK_FAILED(without, no_child_process);
  BOOST_TEST((without.status == process_status()));
}

BOOST_AUTO_TEST_CASE(each_of_many_has_its_own)
{
  std::vector<obedient_child> children;
  std::vector<process_end> ends(40);
  for (std::size_t i = 0; i != ends.size(); ++i)
    children.emplace_back(static_cast<int>(i));
  for (std::size_t i = 0; i != ends.size(); ++i)
    async_wait_process(context, children[i].pid, ends[i].record());
  while (!children.empty()) // the last one first, because it also holds the pipes of those before it
    children.pop_back();
  finish(context);
  for (std::size_t i = 0; i != ends.size(); ++i)
    BOOST_TEST((ends[i].succeeded() && ends[i].status.code == static_cast<int>(i)));
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_leaves_the_process_to_the_next)
{
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    obedient_child child(9);
    asio::cancellation_signal signal;
    process_end e, next;
    async_wait_process(context, child.pid, asio::bind_cancellation_slot(signal.slot(), e.record()));
    settle(context);
    signal.emit(type);
    finish(context);
    CHECK_FAILED(e, asio::error::operation_aborted);
    child.end();
    async_wait_process(context, child.pid, next.record());
    finish(context);
    CHECK_SUCCEEDED(next);
    BOOST_TEST(next.status.code == 9);
  }
}

BOOST_AUTO_TEST_CASE(a_cancel_that_comes_with_the_end_loses_no_status)
{
  for (int turns = 0; turns != 4; ++turns) {
    obedient_child child(9);
    asio::cancellation_signal signal;
    process_end e;
    async_wait_process(context, child.pid, asio::bind_cancellation_slot(signal.slot(), e.record()));
    settle(context);
    child.end();
    for (int i = 0; i != turns; ++i)
      context.poll_one();
    signal.emit(asio::cancellation_type::total);
    finish(context);
    BOOST_TEST(e.calls == 1);
    BOOST_TEST(child.is_left() == !e.has_status());
    if (!e.has_status()) CHECK_FAILED(e, asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_CASE(the_end_of_the_context_reaps_nobody)
{
  const std::size_t descriptors = open_descriptors();
  {
    obedient_child alive(1), ended(2);
    process_end e;
    {
      asio::io_context other;
      async_wait_process(other, alive.pid, e.record());
      settle(other);
      ended.end();
      async_wait_process(other, ended.pid, e.record());
    }
    BOOST_TEST(e.calls == 0);
    alive.end();
    BOOST_TEST(alive.is_left());
    BOOST_TEST(ended.is_left());
  }
  BOOST_TEST(open_descriptors() == descriptors);
}

BOOST_AUTO_TEST_CASE(who_is_no_child_is_told_at_once)
{
  obedient_child reaped(0);
  reaped.end();
  BOOST_REQUIRE(reaped.is_left());
  for (const pid_t pid : {::getpid(), ::getppid(), reaped.pid}) {
    process_end e;
    async_wait_process(context, pid, e.record());
    BOOST_TEST(!e.done());
    finish(context);
    CHECK_FAILED(e, no_child_process);
  }
}

BOOST_AUTO_TEST_CASE(a_pid_that_is_not_positive_is_refused)
{
  for (const pid_t pid : {0, -1, -::getpgrp()}) {
    process_end e;
    async_wait_process(context, pid, e.record());
    finish(context);
    CHECK_FAILED(e, asio::error::invalid_argument);
  }
}

BOOST_AUTO_TEST_CASE(a_pidfd_stands_for_the_process_though_the_program_closes_it)
{
  obedient_child child(4);
  process_end e;
  {
    const auto pidfd = pidfd_of(child.pid);
    async_wait_process(context.get_executor(), pidfd, e.record());
  }
  settle(context);
  BOOST_TEST(!e.done());
  child.tell();
  finish(context);
  CHECK_SUCCEEDED(e);
  BOOST_TEST(e.status.code == 4);
}

BOOST_AUTO_TEST_CASE(what_is_no_pidfd_is_refused)
{
  process_end none, other;
  async_wait_process(context, asio_uring::unique_descriptor(), none.record());
  async_wait_process(context, asio_uring::unique_descriptor(::open("/", O_PATH | O_CLOEXEC)), other.record());
  finish(context);
  CHECK_FAILED(none, asio::error::bad_descriptor);
  CHECK_FAILED(other, asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(a_thread_may_wait_for_the_child_of_another)
{
  std::optional<obedient_child> child;
  std::thread([&] { child.emplace(6); }).join();
  process_end e;
  std::thread([&] { async_wait_process(context, child->pid, e.record()); }).join();
  child->tell();
  finish(context);
  CHECK_SUCCEEDED(e);
  BOOST_TEST(e.status.code == 6);
}

BOOST_AUTO_TEST_CASE(a_coroutine_awaits_it)
{
  obedient_child child(0);
  child.tell();
  bool ended = false;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        const process_status s = co_await async_wait_process(context, child.pid, asio::use_awaitable);
        ended = s.succeeded();
      },
      asio::detached);
  finish(context);
  BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(whom_the_kernel_reaps_is_no_child_when_it_has_ended)
{
  const int code = in_child([] {
    ::signal(SIGCHLD, SIG_IGN);
    asio::io_context other;
    obedient_child child(0);
    process_end e;
    async_wait_process(other, child.pid, e.record());
    settle(other);
    if (e.done()) return 1;
    child.tell();
    other.run();
    return e.calls == 1 && e.error == no_child_process ? 0 : 2;
  });
  BOOST_TEST(code == 0);
}

BOOST_AUTO_TEST_CASE(without_pidfds_it_is_not_supported)
{
  const int code = in_child([] {
    forbid(SYS_pidfd_open, ENOSYS);
    asio::io_context other;
    obedient_child child(0);
    process_end e;
    async_wait_process(other, child.pid, e.record());
    other.run();
    return e.calls == 1 && e.error == asio::error::operation_not_supported ? 0 : 1;
  });
  BOOST_TEST(code == 0);
}

BOOST_AUTO_TEST_CASE(behind_a_fork_the_parent_has_the_status_and_the_child_has_no_such_child)
{
  obedient_child child(8);
  process_end e;
  async_wait_process(context, child.pid, e.record());
  settle(context);
  context.notify_fork(asio::io_context::fork_prepare);
  const pid_t forked = ::fork();
  context.notify_fork(forked == 0 ? asio::io_context::fork_child : asio::io_context::fork_parent);
  child.tell();
  if (forked == 0)
    exit_with([&] {
      finish(context);
      return e.calls == 1 && e.error == no_child_process ? 0 : 1;
    });
  finish(context);
  CHECK_SUCCEEDED(e);
  BOOST_TEST(e.status.code == 8);
  BOOST_TEST(exit_code_of(forked) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
