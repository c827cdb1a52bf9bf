// test/wait_futex.cpp: waiting for a word in memory to be woken.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "futex_fixture.hpp"

#include <asio_uring/within.hpp>
#include <sys/mman.h>

using namespace test;

BOOST_FIXTURE_TEST_SUITE(wait_futex, waiting)

// --- who wakes it

BOOST_AUTO_TEST_CASE(another_thread_wakes_it)
{
  outcome e;
  async_wait_futex(context, word, 0, e.record());
  bool woken = false;
  std::thread other([&] { woken = wake_all_of(word, 1); });
  finish(context);
  other.join();
  BOOST_TEST(woken);
  CHECK_SUCCEEDED(e);
}

BOOST_AUTO_TEST_CASE(another_process_wakes_it_through_shared_memory)
{
  void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  BOOST_REQUIRE(memory != MAP_FAILED);
  futex_word& shared = *new (memory) futex_word(7);
  outcome e;
  async_wait_futex(context, shared, 7, {.shared = true}, e.record());
  settle(context);
  BOOST_TEST(!e.done());
  BOOST_TEST(in_child([&] { return wake_all_of(shared, 1, true) ? 0 : 1; }) == 0);
  finish(context);
  CHECK_SUCCEEDED(e);
  ::munmap(memory, 4096);
}

BOOST_AUTO_TEST_CASE(a_word_with_another_value_is_told_by_the_loop)
{
  word = 1;
  outcome e;
  async_wait_futex(context, word, 0, e.record());
  BOOST_TEST(!e.done());
  finish(context);
  CHECK_FAILED(e, asio::error::try_again);
}

BOOST_AUTO_TEST_CASE(who_changes_the_word_and_then_wakes_is_never_missed)
{
  for (int i = 0; i != rounds(200); ++i) {
    word = 0;
    outcome e;
    async_wait_futex(context, word, 0, e.record());
    std::thread other([&] {
      word = 1;
      wake(word, 1);
    });
    finish(context);
    other.join();
    BOOST_TEST((e.succeeded() || e.error == asio::error::try_again), e);
  }
}

BOOST_AUTO_TEST_CASE(only_a_bit_that_it_has_wakes_it)
{
  outcome e;
  async_wait_futex(context, word, 0, {.bitset = 6}, e.record());
  settle(context);
  context.run_for(5ms);
  BOOST_TEST(wake(word, 1, false, 9) == 0);
  BOOST_TEST(wake_all_of(word, 1, false, 4));
  finish(context);
  CHECK_SUCCEEDED(e);
}

BOOST_AUTO_TEST_CASE(a_bitset_of_nothing_is_refused)
{
  outcome e;
  async_wait_futex(context, word, 0, {.bitset = 0}, e.record());
  finish(context);
  CHECK_FAILED(e, asio::error::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_coroutine_awaits_it)
{
  std::uint32_t seen = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        while ((seen = word) == 0)
          co_await async_wait_futex(context, word, 0, aw);
      },
      asio::detached);
  std::thread other([&] {
    std::this_thread::sleep_for(20ms);
    word = 3;
    wake(word, 1);
  });
  finish(context);
  other.join();
  BOOST_TEST(seen == 3u);
}

BOOST_AUTO_TEST_CASE(an_executor_or_an_object_stands_for_its_context)
{
  asio::steady_timer timer(context);
  outcome first, second;
  async_wait_futex(context.get_executor(), word, 0, first.record());
  async_wait_futex(timer, word, 0, second.record());
  settle(context);
  BOOST_TEST(wake_all_of(word, 2));
  finish(context);
  CHECK_SUCCEEDED(first);
  CHECK_SUCCEEDED(second);
}

BOOST_AUTO_TEST_CASE(an_entry_of_the_programs_own_waits_too)
{
  const auto prepare = [&](io_uring_sqe& sqe) {
    sqe.opcode = asio_uring::opcode::futex_wait;
    sqe.fd = 2 | FUTEX_PRIVATE_FLAG; // the size is 32 bits
    sqe.addr = reinterpret_cast<std::uintptr_t>(&word);
    sqe.addr3 = any_bit;
  };
  outcome woken, cancelled, other_size;
  asio::cancellation_signal signal;
  asio_uring::async_submit(context, prepare, [&](error_code ec, int) { woken.record()(ec); });
  settle(context);
  BOOST_TEST(wake_all_of(word, 1));
  finish(context);
  CHECK_SUCCEEDED(woken);
  asio_uring::async_submit(
      context, prepare,
      asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, int) { cancelled.record()(ec); }));
  settle(context);
  signal.emit(asio::cancellation_type::terminal);
  asio_uring::async_submit(
      context,
      [&](io_uring_sqe& sqe) {
        prepare(sqe);
        sqe.fd = 3 | FUTEX_PRIVATE_FLAG; // 64 bits
      },
      [&](error_code ec, int) { other_size.record()(ec); });
  finish(context);
  CHECK_FAILED(cancelled, asio::error::operation_aborted);
  CHECK_FAILED(other_size, asio::error::invalid_argument);
}

// --- cancellation

BOOST_AUTO_TEST_CASE(a_wait_is_cancelled)
{
  for (const auto type :
       {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total})
    for (const std::uint32_t bitset : {any_bit, 6U}) {
      asio::cancellation_signal signal;
      outcome e;
      async_wait_futex(context, word, 0, {.bitset = bitset},
                       asio::bind_cancellation_slot(signal.slot(), e.record()));
      context.run_for(5ms);
      BOOST_TEST(!e.done());
      signal.emit(type);
      finish(context);
      CHECK_FAILED(e, asio::error::operation_aborted);
      BOOST_TEST(wake(word, 1) == 0);
    }
}

BOOST_AUTO_TEST_CASE(a_wait_is_cancelled_before_it_is_submitted)
{
  asio::cancellation_signal signal;
  outcome e;
  async_wait_futex(context, word, 0, asio::bind_cancellation_slot(signal.slot(), e.record()));
  signal.emit(asio::cancellation_type::total);
  finish(context);
  CHECK_FAILED(e, asio::error::operation_aborted);
  BOOST_TEST(wake(word, 1) == 0);
}

BOOST_AUTO_TEST_CASE(what_was_woken_before_it_was_cancelled_succeeds)
{
  for (int i = 0; i != rounds(100); ++i) {
    asio::cancellation_signal signal;
    outcome e;
    async_wait_futex(context, word, 0, asio::bind_cancellation_slot(signal.slot(), e.record()));
    settle(context);
    BOOST_TEST(wake_all_of(word, 1));
    signal.emit(asio::cancellation_type::total);
    finish(context);
    CHECK_SUCCEEDED(e);
  }
}

BOOST_AUTO_TEST_CASE(within_a_time_it_is_woken_or_not)
{
  outcome late, timely;
  async_wait_futex(context, word, 0, asio_uring::within(50ms, late.record()));
  finish(context);
  CHECK_FAILED(late, asio::error::timed_out);
  async_wait_futex(context, word, 0, asio_uring::within(60s, timely.record()));
  settle(context);
  BOOST_TEST(wake_all_of(word, 1));
  finish(context);
  CHECK_SUCCEEDED(timely);
}

// --- many

BOOST_FIXTURE_TEST_CASE(as_many_are_woken_as_are_asked_for, many_waits)
{
  start();
  int expected = 0;
  for (const int count : {1, 7, all() - 8}) {
    BOOST_TEST(wake_all_of(word, count));
    expected += count;
    run_until(context, [&] { return ended() == expected; });
    context.run_for(5ms);
    BOOST_TEST(woken() == expected);
  }
  finish(context);
  BOOST_TEST(woken() == all());
}

BOOST_FIXTURE_TEST_CASE(the_cancelled_take_no_wake_up_from_the_others, many_waits)
{
  start();
  cancel(0, 10);
  run_until(context, [&] { return ended() == 10; });
  BOOST_TEST(aborted() == 10);
  BOOST_TEST(wake_all_of(word, all() - 10));
  finish(context);
  BOOST_TEST(woken() == all() - 10);
}

BOOST_FIXTURE_TEST_CASE(every_wake_up_is_told_though_waits_are_cancelled_meanwhile, many_waits)
{
  for (int i = 0; i != rounds(50); ++i) {
    start();
    std::atomic<bool> stop{false};
    int taken = 0;
    std::thread other([&] {
      while (!stop)
        taken += wake(word, 1);
    });
    context.run_for(std::chrono::microseconds(i * 20));
    cancel(0, ends.size());
    finish(context);
    stop = true;
    other.join();
    BOOST_TEST(woken() == taken);
    BOOST_TEST(aborted() == all() - taken);
  }
}

BOOST_FIXTURE_TEST_CASE(waits_do_not_hold_up_what_else_needs_a_thread, many_waits)
{
  start();
  for (int i = 0; i != 20; ++i) {
    outcome e;
    asio_uring::async_mkdir(context, "/", std::filesystem::perms(0700), e.record());
    run_until(context, [&] { return e.done(); });
    CHECK_FAILED(e, boost::system::errc::file_exists);
  }
  BOOST_TEST(ended() == 0);
  cancel(0, ends.size());
  finish(context);
  BOOST_TEST(aborted() == all());
}

BOOST_FIXTURE_TEST_CASE(what_finds_no_thread_fails_and_the_others_wait, many_waits)
{
  ends.resize(600);
  signals = std::vector<asio::cancellation_signal>(ends.size());
  start();
  context.run_for(20ms);
  const int refused = static_cast<int>(std::count_if(ends.begin(), ends.end(), [](const outcome& o) {
    return o.calls == 1 && o.error == boost::system::errc::not_enough_memory;
  }));
  const bool by_the_ring = asio_uring::backend(context).io_uring &&
                           asio_uring::backend(context).features.opcode(asio_uring::opcode::futex_wait);
  BOOST_TEST(refused == (by_the_ring ? 0 : 88));
  BOOST_TEST(ended() == refused);
  cancel(0, ends.size());
  finish(context);
  BOOST_TEST(aborted() + refused == all());
}

BOOST_AUTO_TEST_SUITE_END()
