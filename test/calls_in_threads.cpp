// calls_in_threads.cpp: opcodes that the kernel lacks, performed by threads.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fallback_ring.hpp"
#include "file_fixture.hpp"
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/xattr.h>

using namespace test;
namespace fs = std::filesystem;
using asio::use_awaitable;

namespace {

/// A context that uses no feature newer than a kernel version.
struct older_kernel : scratch_context
{
  explicit older_kernel(asio_uring::linux_version newest = {5, 13})
  {
    asio_uring::use_io_uring(context, {.newest = newest});
  }
};

/// Directories to make, and the outcome of each.
struct many_directories : older_kernel
{
  std::vector<asio::cancellation_signal> signals{200};
  std::vector<error_code> ends{signals.size(), error_code()};
  std::size_t ended = 0;

  std::string name(std::size_t i) const { return path(std::to_string(i)); }
  void start(asio::io_context& on)
  {
    for (std::size_t i = 0; i != signals.size(); ++i)
      asio_uring::async_mkdir(on, name(i), fs::perms(0700),
                              asio::bind_cancellation_slot(signals[i].slot(), [this, i](error_code ec) {
                                ends[i] = ec;
                                ++ended;
                              }));
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(calls_in_threads)

BOOST_FIXTURE_TEST_CASE(what_the_kernel_lacks_is_done_all_the_same, older_kernel)
{
  write_file("a", "text");
  const bool attributes = ::setxattr(path("a").c_str(), "user.probe", "x", 1, 0) == 0;
  run([&]() -> asio::awaitable<void> {
    co_await asio_uring::async_mkdir(context, path("d"), fs::perms(0700), use_awaitable);
    co_await asio_uring::async_link(context, path("a"), path("b"), use_awaitable);
    co_await asio_uring::async_symlink(context, "b", path("c"), use_awaitable);
    BOOST_TEST(fs::is_directory(path("d")));
    BOOST_TEST(fs::hard_link_count(path("a")) == 2u);
    BOOST_TEST(read_file(path("c")) == "text");
    asio::random_access_file file(context, path("a"), asio::file_base::read_write);
    co_await asio_uring::async_ftruncate(file, 2, use_awaitable);
    BOOST_TEST(file.size() == 2u);
    if (!attributes) co_return;
    char value[16];
    co_await asio_uring::async_setxattr(context, path("a"), "user.a", asio::buffer("first", 5), 0,
                                        use_awaitable);
    co_await asio_uring::async_fsetxattr(file, "user.b", asio::buffer("second", 6), 0, use_awaitable);
    BOOST_TEST(co_await asio_uring::async_getxattr(context, path("a"), "user.b", asio::buffer(value),
                                                   use_awaitable) == 6u);
    BOOST_TEST(co_await asio_uring::async_fgetxattr(file, "user.a", asio::buffer(value), use_awaitable) ==
               5u);
    BOOST_TEST(std::string_view(value, 5) == "first");
  }());
}

BOOST_FIXTURE_TEST_CASE(its_errors_are_those_of_the_call, older_kernel)
{
  write_file("a", "text");
  outcome exists, missing;
  asio_uring::async_mkdir(context, path("a"), fs::perms(0700), exists.record());
  asio_uring::async_link(context, path("missing"), path("b"), missing.record());
  finish(context);
  CHECK_FAILED(exists, boost::system::errc::file_exists);
  CHECK_FAILED(missing, boost::system::errc::no_such_file_or_directory);
}

BOOST_FIXTURE_TEST_CASE(what_no_thread_can_do_is_not_supported, older_kernel)
{
  outcome refused;
  asio_uring::async_submit(
      context, [](io_uring_sqe& sqe) { sqe.opcode = IORING_OP_MSG_RING; },
      [&](error_code ec, int) { refused.record()(ec); });
  finish(context);
  CHECK_FAILED(refused, asio::error::operation_not_supported);
}

BOOST_FIXTURE_TEST_CASE(a_handler_is_not_called_by_the_initiating_function, older_kernel)
{
  bool called = false;
  asio_uring::async_mkdir(context, path("d"), fs::perms(0700), [&](error_code) { called = true; });
  BOOST_TEST(soon([&] { return fs::exists(path("d")); }));
  BOOST_TEST(!called);
  finish(context);
  BOOST_TEST(called);
}

BOOST_FIXTURE_TEST_CASE(what_is_cancelled_is_either_done_or_aborted, many_directories)
{
  start(context);
  for (auto& signal : signals)
    signal.emit(asio::cancellation_type::terminal);
  finish(context);
  BOOST_TEST(ended == signals.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i != ends.size(); ++i) {
    if (ends[i]) BOOST_TEST(ends[i] == asio::error::operation_aborted, ends[i].message());
    wrong += fs::exists(name(i)) == bool(ends[i]);
  }
  BOOST_TEST(wrong == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_context_is_destroyed_while_threads_are_at_work, many_directories)
{
  const std::size_t descriptors = open_descriptors();
  for (int i = 0; i != rounds(20); ++i) {
    asio::io_context other;
    asio_uring::use_io_uring(other, {.newest = {5, 13}});
    start(other);
    if (i % 2) other.poll();
  }
  BOOST_TEST(open_descriptors() == descriptors);
}

BOOST_FIXTURE_TEST_CASE(a_call_needs_nothing_new_each_time, older_kernel)
{
  std::size_t most = 0, first = 0;
  run([&]() -> asio::awaitable<void> {
    for (int i = 0; i != 100; ++i) {
      co_await asio_uring::async_mkdir(context, path("d"), fs::perms(0700), use_awaitable);
      co_await asio_uring::async_rmdir(context, path("d"), use_awaitable);
      most = std::max(most, open_descriptors());
      if (i == 0) first = most;
    }
  }());
  BOOST_TEST(most == first);
}

#ifndef __SANITIZE_THREAD__ // it allows no new thread in a child of a program with threads
BOOST_FIXTURE_TEST_CASE(a_forked_child_goes_on_with_threads_of_its_own, older_kernel)
{
  run([&]() -> asio::awaitable<void> {
    co_await asio_uring::async_mkdir(context, path("before"), fs::perms(0700), use_awaitable);
  }());
  context.notify_fork(asio::execution_context::fork_prepare);
  const int code = in_child([&] {
    ::alarm(60);
    context.notify_fork(asio::execution_context::fork_child);
    outcome made;
    asio_uring::async_mkdir(context, path("child"), fs::perms(0700), made.record());
    context.restart();
    context.run();
    return made.succeeded() ? 0 : 1;
  });
  context.notify_fork(asio::execution_context::fork_parent);
  BOOST_TEST(code == 0);
  BOOST_TEST(fs::exists(path("child")));
  run([&]() -> asio::awaitable<void> {
    co_await asio_uring::async_mkdir(context, path("after"), fs::perms(0700), use_awaitable);
  }());
}
#endif

BOOST_AUTO_TEST_SUITE_END()
