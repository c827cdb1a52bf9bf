// test/wait_futex_ends.cpp: waits for futexes when the context ends, the process forks or threads are short.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "futex_fixture.hpp"

using namespace test;

BOOST_FIXTURE_TEST_SUITE(wait_futex_ends, waiting)

// --- the end of the context, forks, descriptors

BOOST_AUTO_TEST_CASE(the_end_of_the_context_ends_it)
{
  const std::size_t descriptors = open_descriptors();
  auto alive = std::make_shared<int>();
  for (const std::uint32_t bitset : {any_bit, 6U})
    for (int turns = 0; turns != 3; ++turns) {
      asio::io_context other;
      for (int i = 0; i != 10; ++i)
        async_wait_futex(other, word, 0, {.bitset = bitset}, [alive](error_code) { std::abort(); });
      if (turns) settle(other);
      if (turns == 2) other.run_for(5ms);
    }
  BOOST_TEST(alive.use_count() == 1);
  BOOST_TEST(open_descriptors() == descriptors);
  BOOST_TEST(wake(word, 100) == 0);
}

BOOST_AUTO_TEST_CASE(wait_after_wait_needs_nothing_new)
{
  std::size_t first = 0;
  for (int i = 0; i != 100; ++i) {
    outcome e;
    async_wait_futex(context, word, 0, e.record());
    settle(context);
    BOOST_TEST(wake_all_of(word, 1));
    finish(context);
    CHECK_SUCCEEDED(e);
    if (i == 0) first = open_descriptors();
  }
  BOOST_TEST(open_descriptors() == first);
}

BOOST_AUTO_TEST_CASE(a_descriptor_with_the_number_of_the_words_flags_is_closed)
{
  outcome e, read;
  async_wait_futex(context, word, 0, e.record());
  settle(context);
  std::this_thread::sleep_for(20ms); // a thread begins to wait
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  constexpr int number = 2 | FUTEX_PRIVATE_FLAG;
  BOOST_REQUIRE(::fcntl(number, F_GETFD) < 0);
  asio::readable_pipe pipe(context, ::dup3(ends[0], number, O_CLOEXEC));
  char byte;
  pipe.async_read_some(asio::buffer(&byte, 1), read.record());
  settle(context);
  pipe.close();
  BOOST_TEST(::fcntl(number, F_GETFD) < 0);
  BOOST_TEST(!e.done());
  BOOST_TEST(wake_all_of(word, 1));
  finish(context);
  CHECK_SUCCEEDED(e);
  CHECK_FAILED(read, asio::error::operation_aborted);
  ::close(ends[0]);
  ::close(ends[1]);
}

#ifndef __SANITIZE_THREAD__ // it allows no new thread in a child of a program with threads
BOOST_AUTO_TEST_CASE(behind_a_fork_parent_and_child_wait)
{
  outcome e;
  asio::cancellation_signal signal;
  outcome cancelled;
  async_wait_futex(context, word, 0, e.record());
  async_wait_futex(context, word, 0, asio::bind_cancellation_slot(signal.slot(), cancelled.record()));
  settle(context);
  signal.emit(asio::cancellation_type::total);
  context.notify_fork(asio::io_context::fork_prepare);
  const pid_t child = ::fork();
  const auto goes_on = [&] {
    run_until(context, [&] { return cancelled.done(); });
    context.run_for(5ms);
    if (cancelled.error != asio::error::operation_aborted || e.done()) return 1;
    bool woken = false;
    std::thread([&] { woken = wake_all_of(word, 1); }).join(); // the child's first
    if (!woken) return 2;
    finish(context);
    return e.succeeded() ? 0 : 3;
  };
  if (child == 0)
    exit_with([&] {
      context.notify_fork(asio::io_context::fork_child);
      return goes_on();
    });
  context.notify_fork(asio::io_context::fork_parent);
  BOOST_TEST(goes_on() == 0);
  BOOST_TEST(exit_code_of(child) == 0);
}

BOOST_AUTO_TEST_CASE(the_first_thread_of_a_process_wakes_what_waits_already)
{
  const int code = in_child([&] {
    asio::io_context other;
    outcome e;
    async_wait_futex(other, word, 0, e.record());
    settle(other);
    bool woken = false;
    std::thread([&] { woken = wake_all_of(word, 1); }).join();
    if (!woken) return 1;
    finish(other);
    return e.succeeded() ? 0 : 2;
  });
  BOOST_TEST(code == 0);
}

// --- what the kernel refuses

BOOST_AUTO_TEST_CASE(without_futex_waitv_a_thread_waits_all_the_same)
{
  for (const int error : {ENOSYS, EPERM}) {
    const int code = in_child([&] {
      forbid(449, error);
      asio::io_context other;
      asio::cancellation_signal signal;
      outcome woken, cancelled;
      async_wait_futex(other, word, 0, woken.record());
      settle(other);
      if (!wake_all_of(word, 1)) return 1;
      finish(other);
      async_wait_futex(other, word, 0, asio::bind_cancellation_slot(signal.slot(), cancelled.record()));
      other.restart();
      other.run_for(30ms);
      if (cancelled.done()) return 2;
      signal.emit(asio::cancellation_type::total);
      finish(other);
      return woken.succeeded() && cancelled.error == asio::error::operation_aborted ? 0 : 3;
    });
    BOOST_TEST(code == 0);
  }
}

BOOST_AUTO_TEST_CASE(where_no_thread_can_be_had_the_loop_goes_on)
{
  const int code = in_child([&] {
    asio::io_context other;
    outcome waits, refused, exists;
    async_wait_futex(other, word, 0, waits.record());
    settle(other);
    if (!wake_all_of(word, 1)) return 1;
    finish(other);
    async_wait_futex(other, word, 0, waits.record());
    forbid(SYS_clone3, EAGAIN);
    // The one thread waits, and the next has none: unless the ring waits itself.
    async_wait_futex(other, word, 0, refused.record());
    asio_uring::async_mkdir(other, "/", std::filesystem::perms(0700), exists.record());
    run_until(other, [&] { return exists.done(); });
    if (exists.error != boost::system::errc::file_exists) return 2;
    settle(other);
    return !refused.done() || refused.error == boost::system::errc::not_enough_memory ? 0 : 3;
  });
  BOOST_TEST(code == 0);
}
#endif

BOOST_AUTO_TEST_SUITE_END()
