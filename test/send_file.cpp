// test/send_file.cpp: sending parts of files to sockets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "sent_files.hpp"

#include <csignal>
#include <sys/syscall.h>

using namespace test;

BOOST_FIXTURE_TEST_SUITE(send_file, scratch_context)

BOOST_AUTO_TEST_CASE_TEMPLATE(files_of_all_sizes_arrive_whole, Protocol, stream_protocols)
{
  for (const std::size_t size : {0ul, 1ul, 4095ul, 4096ul, 1ul << 16, (1ul << 16) + 1, 1ul << 17,
                                 (1ul << 17) + 1, mebibyte, mebibyte + 3, 3 * mebibyte + 5}) {
    scratch_context home;
    file_of_pattern file(home, size);
    for (const bool limited : {true, false}) {
      sent_part<Protocol> s(home.context);
      s.send(file, 0, limited ? std::optional<std::uint64_t>(size) : std::nullopt);
      CHECK_SUCCEEDED(s.e);
      BOOST_TEST(s.e.bytes == size);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_part_begins_and_ends_where_it_is_to)
{
  file_of_pattern file(*this, 2 * mebibyte);
  for (const std::uint64_t offset : {1ul, 4096ul, 70000ul, mebibyte + 1})
    for (const std::uint64_t length : {1ul, 4097ul, 200001ul}) {
      sent_part<tcp> s(context);
      s.send(file, offset, length);
      CHECK_SUCCEEDED(s.e);
      BOOST_TEST(s.e.bytes == length);
    }
}

BOOST_AUTO_TEST_CASE(what_is_to_go_beyond_the_end_is_sent_to_the_end)
{
  file_of_pattern file(*this, mebibyte + 3);
  for (const std::uint64_t offset : {0ul, mebibyte, mebibyte + 3, 2 * mebibyte, (1ul << 63) - 1})
    for (const bool limited : {true, false}) {
      sent_part<tcp> s(context);
      s.send(file, offset, limited ? std::optional<std::uint64_t>(1ul << 40) : std::nullopt);
      BOOST_TEST(s.e.error == (limited ? asio::error::make_error_code(asio::error::eof) : error_code()));
      BOOST_TEST(s.e.bytes == (offset < mebibyte + 3 ? mebibyte + 3 - offset : 0));
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_sent_at_once_but_by_the_loop)
{
  file_of_pattern file(*this, 10);
  pair<tcp> sockets(context);
  ending e;
  async_send_file(sockets.client, file, 0, 0, e.record());
  BOOST_TEST(!e.done());
  finish(context);
  CHECK_SUCCEEDED(e);
  BOOST_TEST(e.bytes == 0u);
}

BOOST_AUTO_TEST_CASE(a_stream_file_keeps_its_position)
{
  file_of_pattern(*this, mebibyte);
  asio::stream_file file(context, path("file"), read_only);
  file.seek(5, asio::file_base::seek_set);
  for (const std::uint64_t length : {4000ul, 300000ul}) {
    sent_part<tcp> s(context);
    s.send(file, 100, length);
    CHECK_SUCCEEDED(s.e);
    BOOST_TEST(file.seek(0, asio::file_base::seek_cur) == 5u);
  }
}

// --- files that change

BOOST_AUTO_TEST_CASE(a_file_that_grows_is_sent_to_the_end_that_it_has_then)
{
  for (const std::size_t before : {std::size_t{3}, mebibyte}) {
    file_of_pattern file(*this, before, std::to_string(before));
    narrow_pair<tcp> sockets(context);
    ending e;
    async_send_file(sockets.client, file, 0, std::nullopt, e.record());
    file.grow_to(before + 700001);
    reader r(sockets.server);
    run_until(context, [&] { return e.done(); });
    CHECK_SUCCEEDED(e);
    BOOST_TEST(e.bytes == before + 700001);
    sockets.client.close();
    finish(context);
    BOOST_TEST(r.has_pattern(0, e.bytes));
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_shrinks_is_sent_as_far_as_it_reaches)
{
  waiting_transfer<tcp> t(*this);
  t.start();
  BOOST_TEST(!t.e.done());
  t.file.resize(3 * mebibyte);
  reader r(t.sockets.server);
  run_until(context, [&] { return t.e.done(); });
  CHECK_FAILED(t.e, asio::error::eof);
  BOOST_TEST(t.e.bytes == 3 * mebibyte);
  t.sockets.client.close();
  finish(context);
  BOOST_TEST(r.has_pattern(0, 3 * mebibyte));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_closed_meanwhile_ends_it_and_no_other_file_is_sent)
{
  waiting_transfer<tcp> t(*this);
  t.start();
  const int number = t.file.native_handle();
  t.file.close();
  write_file("other", std::string(t.size, 'x'));
  const asio_uring::unique_descriptor other(::open(path("other").c_str(), O_RDONLY | O_CLOEXEC));
  BOOST_TEST(other.get() == number);
  reader r(t.sockets.server);
  run_until(context, [&] { return t.e.done(); });
  CHECK_FAILED(t.e, asio::error::bad_descriptor);
  t.sockets.client.close();
  finish(context);
  BOOST_TEST(r.has_pattern(0, t.e.bytes));
}

// --- peers

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_reads_little_at_a_time_gets_all, Protocol, stream_protocols)
{
  scratch_context home;
  file_of_pattern file(home, 2 * mebibyte + 1);
  narrow_pair<Protocol> sockets(home.context);
  reader r(sockets.server, 5000);
  ending e;
  async_send_file(sockets.client, file, 0, std::nullopt, e.record());
  run_until(home.context, [&] { return e.done(); });
  CHECK_SUCCEEDED(e);
  sockets.client.close();
  finish(home.context);
  BOOST_TEST(r.has_pattern(0, 2 * mebibyte + 1));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_socket_without_room_is_waited_for, Protocol, stream_protocols)
{
  scratch_context home;
  file_of_pattern file(home, 4 * mebibyte);
  narrow_pair<Protocol> sockets(home.context);
  sockets.client.non_blocking(true);
  std::size_t before = 0;
  for (error_code full; !full;)
    before += sockets.client.write_some(bytes.at(before, 1 << 14), full);
  ending e;
  async_send_file(sockets.client, file, before, 2 * mebibyte, e.record());
  home.context.run_for(50ms); // usually the thread has found no room by now; if not, nothing is lost
  BOOST_TEST(!e.done());
  reader r(sockets.server);
  run_until(home.context, [&] { return e.done(); });
  CHECK_SUCCEEDED(e);
  sockets.client.close();
  finish(home.context);
  BOOST_TEST(r.has_pattern(0, before + 2 * mebibyte));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_peer_that_closes_ends_it_without_a_signal, Protocol, stream_protocols)
{
  scratch_context home;
  file_of_pattern file(home, 4 * mebibyte);
  for (const bool at_once : {true, false}) {
    narrow_pair<Protocol> sockets(home.context);
    ending e;
    if (at_once) sockets.server.close();
    async_send_file(sockets.client, file, 0, std::nullopt, e.record());
    if (!at_once) {
      settle(home.context);
      BOOST_TEST(!e.done());
      sockets.server.close();
    }
    run_until(home.context, [&] { return e.done(); });
    BOOST_TEST((e.error == asio::error::broken_pipe || e.error == asio::error::connection_reset),
               e.error.message());
    BOOST_TEST(e.bytes < 4 * mebibyte);
  }
}

BOOST_AUTO_TEST_CASE(a_thread_of_the_programs_gets_no_signal_either)
{
  file_of_pattern file(*this, mebibyte);
  pair<local> sockets(context);
  sockets.server.close();
  io_uring_sqe arguments{};
  arguments.fd = sockets.client.native_handle();
  arguments.splice_fd_in = file.native_handle();
  arguments.len = mebibyte;
  BOOST_TEST(asio_uring::detail::send_file(arguments) == -EPIPE);
  sigset_t left;
  BOOST_REQUIRE(::sigpending(&left) == 0);
  BOOST_TEST(!::sigismember(&left, SIGPIPE));
  BOOST_REQUIRE(::pthread_sigmask(SIG_BLOCK, nullptr, &left) == 0);
  BOOST_TEST(!::sigismember(&left, SIGPIPE));
}

BOOST_AUTO_TEST_CASE(several_at_a_time_do_not_meet)
{
  constexpr std::size_t count = 12, part = 500000;
  file_of_pattern file(*this, count * part);
  std::vector<std::unique_ptr<narrow_pair<local>>> sockets;
  std::vector<std::unique_ptr<reader<local::socket>>> readers;
  std::vector<ending> ends(count);
  for (std::size_t i = 0; i != count; ++i) {
    sockets.push_back(std::make_unique<narrow_pair<local>>(context));
    readers.push_back(std::make_unique<reader<local::socket>>(sockets[i]->server, 20000 + 1000 * i));
    async_send_file(sockets[i]->client, file, i * part, part, ends[i].record());
  }
  run_until(context, [&] { return std::ranges::all_of(ends, [](ending& e) { return e.done(); }); });
  for (auto& s : sockets)
    s->client.close();
  finish(context);
  for (std::size_t i = 0; i != count; ++i) {
    CHECK_SUCCEEDED(ends[i]);
    BOOST_TEST(readers[i]->has_pattern(i * part, part));
  }
}

BOOST_AUTO_TEST_CASE(what_is_written_before_and_after_it_keeps_its_place)
{
  file_of_pattern file(*this, 300000);
  pair<tcp> sockets(context);
  reader r(sockets.server);
  run([&]() -> asio::awaitable<void> {
    co_await asio::async_write(sockets.client, asio::buffer("<", 1), asio::use_awaitable);
    co_await async_send_file(sockets.client, file, 0, std::nullopt, asio::use_awaitable);
    co_await asio::async_write(sockets.client, asio::buffer(">", 1), asio::use_awaitable);
    sockets.client.close();
  }());
  BOOST_TEST(r.text.size() == 300002u);
  BOOST_TEST(r.text.front() == '<');
  BOOST_TEST(r.text.back() == '>');
  BOOST_TEST(bytes.matches(0, r.text.data() + 1, 300000));
}

// --- sandboxes, errors

/// Sends a file of 1 MiB after `forbid` has restricted the process. Returns the exit code.
template <class Forbid>
int send_in_child(Forbid forbid)
{
  return in_child([&] {
    scratch_context home;
    file_of_pattern file(home, mebibyte);
    for (const bool forbidden : {false, true}) {
      sent_part<tcp> s(home.context);
      if (forbidden) forbid();
      s.send(file, 0, std::nullopt);
      if (!s.e.succeeded() || s.e.bytes != mebibyte) return 1;
    }
    return 0;
  });
}

#ifndef __SANITIZE_THREAD__ // it allows no new thread in a child of a program with threads
BOOST_AUTO_TEST_CASE(what_the_kernel_cannot_splice_is_read_and_written)
{
  for (const int error : {EINVAL, ENOSYS})
    BOOST_TEST(send_in_child([&] { forbid(SYS_splice, error, true); }) == 0);
}

BOOST_AUTO_TEST_CASE(without_a_descriptor_for_a_pipe_it_is_sent)
{
  const auto leave_none = [] {
    const rlimit few{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &few);
    while (::dup(0) >= 0) {
    }
  };
  BOOST_TEST(send_in_child(leave_none) == 0);
}
#endif

BOOST_AUTO_TEST_CASE(what_cannot_be_sent_is_refused_by_the_loop)
{
  file_of_pattern file(*this, mebibyte);
  random_access_file closed(context);
  asio::readable_pipe pipe(context);
  asio::writable_pipe other_end(context);
  asio::connect_pipe(pipe, other_end);
  pair<tcp> sockets(context);
  tcp::socket unopened(context);
  const auto check = [&](auto& socket, auto& from, std::uint64_t offset, const auto& expected) {
    ending e;
    async_send_file(socket, from, offset, std::nullopt, e.record());
    BOOST_TEST(!e.done());
    finish(context);
    CHECK_FAILED(e, expected);
    BOOST_TEST(e.bytes == 0u);
  };
  check(unopened, file, 0, asio::error::bad_descriptor);
  check(sockets.client, closed, 0, asio::error::bad_descriptor);
  check(sockets.client, pipe, 0, asio::error::invalid_argument);
  check(sockets.client, file, 1ul << 63, asio::error::invalid_argument);
  random_access_file write_only(context, path("file"), asio::file_base::write_only);
  check(sockets.client, write_only, 0, asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_SUITE_END()
