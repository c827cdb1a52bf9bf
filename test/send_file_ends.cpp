// test/send_file_ends.cpp: transfers of files that end early, and forks during a transfer.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "sent_files.hpp"

#include <asio_uring/within.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <random>

using namespace test;

BOOST_FIXTURE_TEST_SUITE(send_file_ends, scratch_context)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_cancelled_one_counts_what_the_peer_gets, Protocol, stream_protocols)
{
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial}) {
    scratch_context home;
    waiting_transfer<Protocol> t(home);
    asio::cancellation_signal signal;
    t.start([&](auto handler) { return asio::bind_cancellation_slot(signal.slot(), std::move(handler)); });
    signal.emit(type);
    run_until(home.context, [&] { return t.e.done(); });
    CHECK_FAILED(t.e, asio::error::operation_aborted);
    t.check_count();
  }
}

BOOST_AUTO_TEST_CASE(a_short_one_that_is_cancelled_counts_what_the_peer_gets)
{
  waiting_transfer<local> t(*this, 100000, 1 << 12);
  asio::cancellation_signal signal;
  t.start([&](auto handler) { return asio::bind_cancellation_slot(signal.slot(), std::move(handler)); });
  signal.emit(asio::cancellation_type::partial);
  run_until(context, [&] { return t.e.done(); });
  CHECK_FAILED(t.e, asio::error::operation_aborted);
  t.check_count();
}

BOOST_AUTO_TEST_CASE(what_is_closed_while_a_thread_may_look_for_it_keeps_its_number)
{
  for (const std::size_t size : {std::size_t{1000}, mebibyte}) {
    pair<tcp> sockets(context);
    file_of_pattern file(*this, size);
    const int numbers[] = {file.native_handle(), sockets.client.native_handle()};
    ending e;
    async_send_file(sockets.client, file, 0, size, e.record());
    file.close();
    BOOST_TEST(::fcntl(numbers[0], F_GETFD) >= 0);
    sockets.client.close();
    if (size == mebibyte) BOOST_TEST(::fcntl(numbers[1], F_GETFD) >= 0);
    finish(context);
    BOOST_TEST(e.calls == 1);
    BOOST_TEST(::fcntl(numbers[0], F_GETFD) < 0);
    BOOST_TEST(::fcntl(numbers[1], F_GETFD) < 0);
  }
}

BOOST_AUTO_TEST_CASE(one_that_is_cancelled_at_any_time_counts_what_the_peer_gets)
{
  std::mt19937 random(7);
  file_of_pattern file(*this, 2 * mebibyte);
  for (int round = 0; round != rounds(60); ++round) {
    narrow_pair<tcp> sockets(context);
    asio::cancellation_signal signal;
    ending e;
    const std::size_t size = round % 3 ? file.size() : 60000 + random() % 100000;
    async_send_file(sockets.client, file, 0, size, asio::bind_cancellation_slot(signal.slot(), e.record()));
    reader r(sockets.server, 1 + random() % 40000);
    const std::size_t when = random() % size;
    run_until(context, [&] { return e.done() || r.text.size() >= when; });
    signal.emit(asio::cancellation_type::partial);
    run_until(context, [&] { return e.done(); });
    sockets.client.close();
    finish(context);
    BOOST_TEST(r.has_pattern(0, e.bytes));
    if (e.error)
      CHECK_FAILED(e, asio::error::operation_aborted);
    else
      BOOST_TEST(e.bytes == size);
  }
}

BOOST_AUTO_TEST_CASE(the_sockets_cancel_and_close_end_it)
{
  for (const bool closes : {false, true}) {
    waiting_transfer<tcp> t(*this);
    t.start();
    if (closes)
      t.sockets.client.close();
    else
      t.sockets.client.cancel();
    run_until(context, [&] { return t.e.done(); });
    CHECK_FAILED(t.e, asio::error::operation_aborted);
    t.check_count();
  }
}

BOOST_AUTO_TEST_CASE(a_socket_that_is_closed_at_once_sends_to_nobody_who_has_its_number)
{
  file_of_pattern file(*this, mebibyte);
  for (int round = 0; round != rounds(50); ++round) {
    ending e;
    pair<tcp> first(context);
    async_send_file(first.client, file, 0, std::nullopt, e.record());
    first.client.close();
    pair<tcp> second(context);
    run_until(context, [&] { return e.done(); });
    CHECK_FAILED(e, asio::error::operation_aborted);
    second.client.close();
    BOOST_TEST(read_to_end(second.server) == "");
    BOOST_TEST(read_to_end(first.server).size() == e.bytes);
  }
}

BOOST_AUTO_TEST_CASE(a_deadline_ends_it_with_the_count)
{
  waiting_transfer<tcp> t(*this);
  async_send_file(t.sockets.client, t.file, 0, t.size, asio_uring::within(50ms, t.e.record()));
  run_until(context, [&] { return t.e.done(); });
  CHECK_FAILED(t.e, asio::error::timed_out);
  t.check_count();
}

BOOST_AUTO_TEST_CASE(the_end_of_the_context_ends_it_at_any_time)
{
  struct session
  {
    narrow_pair<tcp> sockets;
    file_of_pattern file;
    explicit session(scratch_context& home) : sockets(home.context), file(home, 4 * mebibyte) {}
  };
  const std::size_t descriptors = open_descriptors();
  for (int turns = 0; turns != 10; ++turns) {
    int calls = 0;
    std::weak_ptr<session> life;
    {
      scratch_context home;
      auto owned = std::make_shared<session>(home); // the handler owns it, as usual
      life = owned;
      auto& [sockets, file] = *owned;
      async_send_file(sockets.client, file, 0, std::nullopt,
                      [&calls, owned = std::move(owned)](error_code, std::uint64_t) { ++calls; });
      for (int i = 0; i != turns; ++i)
        home.context.poll_one();
    }
    BOOST_TEST(calls == 0);
    BOOST_TEST(life.expired());
  }
  BOOST_TEST(open_descriptors() == descriptors);
}

BOOST_AUTO_TEST_CASE(behind_a_fork_one_process_goes_on_and_nothing_is_sent_twice)
{
  for (const bool waits : {false, true}) {
    waiting_transfer<tcp> t(*this);
    if (waits)
      t.start();
    else
      async_send_file(t.sockets.client, t.file, 0, t.size, t.e.record());
    context.notify_fork(asio::io_context::fork_prepare);
    const pid_t child = ::fork();
    context.notify_fork(child == 0 ? asio::io_context::fork_child : asio::io_context::fork_parent);
    if (child == 0)
      exit_with([&] {
        t.sockets.client.close();
        t.sockets.server.close();
        finish(context);
        return t.e.calls == 1 && t.e.error == asio::error::operation_aborted ? 0 : 1;
      });
    BOOST_TEST(exit_code_of(child) == 0);
    reader r(t.sockets.server);
    run_until(context, [&] { return t.e.done(); });
    CHECK_SUCCEEDED(t.e);
    t.sockets.client.close();
    finish(context);
    BOOST_TEST(r.has_pattern(0, t.size));
  }
}

BOOST_AUTO_TEST_SUITE_END()
