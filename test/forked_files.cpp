// test/forked_files.cpp: file operations in flight at a fork are performed once, and both processes get the
// result.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "file_fixture.hpp"

#include <asio_uring/chain.hpp>

using namespace test;
using asio::random_access_file;
using asio::stream_file;

namespace {

struct forked_context : scratch_context
{
  template <class Ended>
  void fork(Ended ended)
  {
    fork_and_finish(context, ended);
  }
};

const auto appending = asio::file_base::write_only | asio::file_base::create | asio::file_base::append;

} // namespace

BOOST_FIXTURE_TEST_SUITE(forked_files, forked_context)

BOOST_AUTO_TEST_CASE(a_write_in_flight_at_a_fork_is_performed_once)
{
  for (const bool started : {false, true}) {
    std::filesystem::remove(path("file"));
    stream_file file(context, path("file"), appending);
    outcome written;
    const std::string text(3 << 20, 'x');
    file.async_write_some(asio::buffer(text), written.record());
    if (started) settle(context);
    fork([&] { return written.succeeded() && written.bytes == text.size(); });
    BOOST_TEST(std::filesystem::file_size(path("file")) == text.size());
  }
}

BOOST_AUTO_TEST_CASE(many_writes_in_flight_at_a_fork_are_performed_once)
{
  random_access_file file(context, path("file"), appending); // O_APPEND takes precedence over the offset
  constexpr int count = 40;
  std::array<outcome, count> written;
  for (outcome& each : written)
    file.async_write_some_at(0, asio::buffer("0123456789", 10), each.record());
  fork([&] { return std::all_of(written.begin(), written.end(), [](outcome& o) { return o.succeeded(); }); });
  BOOST_TEST(std::filesystem::file_size(path("file")) == 10u * count);
}

BOOST_AUTO_TEST_CASE(a_chain_in_flight_at_a_fork_is_performed_once)
{
  for (const bool started : {false, true}) {
    std::filesystem::remove(path("file"));
    random_access_file file(context, path("file"), appending);
    outcome done;
    std::vector<int> results;
    asio_uring::chain(file)
        .write_at(file, 0, asio::buffer("one", 3))
        .fdatasync(file)
        .write_at(file, 0, asio::buffer("two", 3))
        .async_run([&](error_code e, std::vector<int> r) {
          done.record()(e);
          results = std::move(r);
        });
    if (started) settle(context);
    fork([&] { return done.succeeded() && results == std::vector{3, 0, 3}; });
    BOOST_TEST(read_file(path("file")) == "onetwo");
  }
}

// The first operation waits. Each process has the chain, and performs it when its own wait ends.
BOOST_AUTO_TEST_CASE(a_chain_that_waits_at_a_fork_goes_on_in_both_processes)
{
  asio::readable_pipe in(context);
  asio::writable_pipe out(context);
  asio::connect_pipe(in, out);
  random_access_file file(context, path("file"), appending);
  outcome done;
  const auto wait = [fd = in.native_handle()](io_uring_sqe& sqe) {
    io_uring_prep_poll_add(&sqe, fd, POLLIN);
  };
  asio_uring::chain(file)
      .add(wait)
      .write_at(file, 0, asio::buffer("once", 4))
      .async_run([&](error_code e, std::vector<int>) { done.record()(e); });
  settle(context);
  context.notify_fork(asio::io_context::fork_prepare);
  const pid_t child = ::fork();
  if (child == 0)
    exit_with([&] {
      context.notify_fork(asio::io_context::fork_child);
      settle(context);
      if (done.done()) return 1;
      write_text(out, "x");
      finish(context);
      return done.succeeded() ? 0 : 2;
    });
  context.notify_fork(asio::io_context::fork_parent);
  BOOST_TEST(exit_code_of(child) == 0);
  finish(context); // the byte is still in the pipe
  CHECK_SUCCEEDED(done);
  BOOST_TEST(read_file(path("file")) == "onceonce");
}

// After the fork, the number may belong to another file.
BOOST_AUTO_TEST_CASE(an_asynchronous_close_in_flight_at_a_fork_closes_nothing_else)
{
  for (const bool started : {false, true}) {
    asio_uring::unique_descriptor descriptor(
        ::open(path("file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const int number = descriptor.get();
    outcome closed;
    asio_uring::async_close(context, std::move(descriptor), closed.record());
    if (started) settle(context);
    context.notify_fork(asio::io_context::fork_prepare);
    const pid_t child = ::fork();
    const auto check = [&](asio::io_context::fork_event event) {
      // Those that are told of the fork first may open files, before the context is told.
      std::vector<int> opened;
      for (int i = 0; i < 8; ++i)
        opened.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      context.notify_fork(event);
      finish(context);
      bool right = closed.succeeded();
      for (const int fd : opened) {
        right = right && ::fcntl(fd, F_GETFD) >= 0;
        ::close(fd);
      }
      return right && ::fcntl(number, F_GETFD) < 0;
    };
    if (child == 0) exit_with([&] { return check(asio::io_context::fork_child) ? 0 : 1; });
    BOOST_TEST(check(asio::io_context::fork_parent));
    BOOST_TEST(exit_code_of(child) == 0);
  }
}

// If made twice, each of them would fail.
BOOST_AUTO_TEST_CASE(changes_of_a_directory_in_flight_at_a_fork_are_made_once)
{
  write_file("old", "");
  write_file("superfluous", "");
  outcome made, renamed, removed, linked;
  asio_uring::async_mkdir(context, path("directory"), std::filesystem::perms::owner_all, made.record());
  asio_uring::async_rename(context, path("old"), path("new"), renamed.record());
  asio_uring::async_unlink(context, path("superfluous"), removed.record());
  asio_uring::async_symlink(context, "new", path("link"), linked.record());
  fork([&] { return made.succeeded() && renamed.succeeded() && removed.succeeded() && linked.succeeded(); });
}

BOOST_AUTO_TEST_SUITE_END()
