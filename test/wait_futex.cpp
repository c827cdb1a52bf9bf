// test/wait_futex.cpp: waiting for a word in memory to be woken.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fallback_ring.hpp"
#include "file_fixture.hpp"

#include <asio_uring/wait_futex.hpp>
#include <asio_uring/within.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>

using namespace test;
using asio_uring::async_wait_futex;
using futex_word = std::atomic<std::uint32_t>;

namespace {

constexpr std::uint32_t any_bit = FUTEX_BITSET_MATCH_ANY;

/// Calls futex(2), which wakes one at least. Returns how many waiters it has woken.
int wake(const futex_word& word, int most, bool shared = false, std::uint32_t bitset = any_bit)
{
  return static_cast<int>(::syscall(SYS_futex, &word, FUTEX_WAKE_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG),
                                    most, nullptr, nullptr, bitset));
}

/// Wakes as many waiters, once they wait: a thread may begin with that some time after the initiation.
bool wake_all_of(const futex_word& word, int count, bool shared = false, std::uint32_t bitset = any_bit)
{
  return soon([&] { return count == 0 || (count -= wake(word, count, shared, bitset)) == 0; });
}

struct waiting
{
  asio::io_context context;
  futex_word word{0};
};

/// Many waits, each of which can be cancelled.
struct many_waits : waiting
{
  std::vector<outcome> ends{40};
  std::vector<asio::cancellation_signal> signals{ends.size()};

  void start()
  {
    for (std::size_t i = 0; i != ends.size(); ++i) {
      ends[i] = {};
      async_wait_futex(context, word, 0, asio::bind_cancellation_slot(signals[i].slot(), ends[i].record()));
    }
    settle(context);
  }
  void cancel(std::size_t from, std::size_t to)
  {
    for (; from != to; ++from)
      signals[from].emit(asio::cancellation_type::total);
  }
  int ended() const
  {
    return count([](const outcome& o) { return o.done(); });
  }
  int woken() const
  {
    return count([](const outcome& o) { return o.succeeded(); });
  }
  int aborted() const
  {
    return count([](const outcome& o) { return o.calls == 1 && o.error == asio::error::operation_aborted; });
  }
  int all() const { return static_cast<int>(ends.size()); }

private:
  template <typename Predicate>
  int count(Predicate which) const
  {
    return static_cast<int>(std::count_if(ends.begin(), ends.end(), which));
  }
};

} // namespace

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
    if (!wake_all_of(word, 1)) return 2;
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
