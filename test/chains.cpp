// test/chains.cpp: chains of operations, and what happens to those behind one that fails.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <future>
#include <sys/eventfd.h>
#include <thread>

using namespace test;
using namespace asio_uring;
namespace errc = boost::system::errc;

namespace {

using results = std::vector<int>;

/// What a chain's handler was called with.
struct chain_outcome : outcome
{
  results each;
  auto record()
  {
    return [this](error_code e, results r) {
      error = e;
      each = std::move(r);
      ++calls;
    };
  }
};

#define CHECK_RESULTS(outcome, ...)                                                                          \
  BOOST_TEST((outcome).each == (results{__VA_ARGS__}), boost::test_tools::per_element())

/// An operation that waits until it is opened.
struct gate
{
  int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ~gate() { ::close(fd); }
  auto wait() const
  {
    return [fd = fd](io_uring_sqe& sqe) { io_uring_prep_poll_add(&sqe, fd, POLLIN); };
  }
  void open() const { ::eventfd_write(fd, 1); }
};

// An operation that fails when it is performed. If one fails while it is submitted, Linux before 5.15 ends
// the whole chain.
inline constexpr auto fail = [](io_uring_sqe& sqe) { io_uring_prep_timeout_remove(&sqe, 42, 0); };

struct chain_fixture : scratch_context
{
  random_access_file new_file(const char* name = "file")
  {
    return random_access_file(context, path(name),
                              asio::file_base::read_write | asio::file_base::create |
                                  asio::file_base::truncate);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(chains, chain_fixture)

BOOST_AUTO_TEST_CASE(operations_run_in_their_order)
{
  auto file = new_file();
  char read[11];
  const std::vector<asio::const_buffer> two = {asio::buffer("world", 5), asio::buffer("!", 1)};
  chain_outcome done;
  chain(file)
      .write_at(file, 0, asio::buffer("hello ", 6))
      .write_at(file, 6, two)
      .fdatasync(file)
      .read_at(file, 0, asio::buffer(read))
      .fsync(file)
      .async_run(done.record());
  BOOST_TEST(!done.done());
  finish(context);
  CHECK_SUCCEEDED(done);
  CHECK_RESULTS(done, 6, 6, 0, 11, 0);
  BOOST_TEST(std::string(read, 11) == "hello world");
  BOOST_TEST(read_file(path("file")) == "hello world!");
}

BOOST_AUTO_TEST_CASE(behind_a_failure_nothing_is_performed)
{
  auto file = new_file();
  chain_outcome done;
  chain(context)
      .write_at(file, 0, asio::buffer("one", 3))
      .add(fail)
      .write_at(file, 3, asio::buffer("two", 3))
      .fsync(file)
      .async_run(done.record());
  finish(context);
  CHECK_FAILED(done, errc::no_such_file_or_directory);
  CHECK_RESULTS(done, 3, -ENOENT, -ECANCELED, -ECANCELED);
  BOOST_TEST(read_file(path("file")) == "one");
}

BOOST_AUTO_TEST_CASE(a_short_read_is_eof_and_breaks_the_chain)
{
  auto file = new_file();
  asio::write_at(file, 0, asio::buffer("12345678", 8));
  char read[16];
  chain_outcome done;
  chain(file)
      .read_at(file, 4, asio::buffer(read))
      .write_at(file, 0, asio::buffer("x", 1))
      .async_run(done.record());
  finish(context);
  CHECK_FAILED(done, asio::error::eof);
  CHECK_RESULTS(done, 4, -ECANCELED);
  BOOST_TEST(read_file(path("file")) == "12345678");
}

BOOST_AUTO_TEST_CASE(a_hard_link_holds_whatever_happens)
{
  auto file = new_file();
  char read[16];
  chain_outcome done;
  chain(file)
      .read_at(file, 0, asio::buffer(read))
      .hardlink()
      .write_at(file, 0, asio::buffer("x", 1))
      .add(fail)
      .hardlink()
      .write_at(file, 1, asio::buffer("y", 1))
      .add(fail)
      .write_at(file, 2, asio::buffer("z", 1))
      .async_run(done.record());
  finish(context);
  CHECK_FAILED(done, asio::error::eof);
  CHECK_RESULTS(done, 0, 1, -ENOENT, 1, -ENOENT, -ECANCELED);
  BOOST_TEST(read_file(path("file")) == "xy");
}

BOOST_AUTO_TEST_CASE(a_chain_that_cannot_be_is_refused_and_another_can_be_made)
{
  const auto refused = [&](auto&& made, auto expected) {
    chain_outcome done;
    made.async_run(done.record());
    BOOST_TEST(!done.done());
    finish(context);
    CHECK_FAILED(done, expected);
    BOOST_TEST(std::all_of(done.each.begin(), done.each.end(), [](int r) { return r == -ECANCELED; }));
  };
  ring_descriptor(context);
  const unsigned most = backend(context).entries;
  auto long_chain = [&](unsigned size) {
    auto c = chain(context);
    for (unsigned i = 0; i < size; ++i)
      c.add(nop);
    return c;
  };
  refused(chain(context), errc::invalid_argument);
  refused(long_chain(most + 1), errc::invalid_argument);
  refused(chain(context).add(nop).add([](io_uring_sqe& s) { io_uring_prep_poll_multishot(&s, 0, POLLIN); }),
          errc::invalid_argument);
  refused(chain(context).add(nop).add([](io_uring_sqe& s) { s.flags = IOSQE_IO_DRAIN; }),
          errc::invalid_argument);
  refused(chain(context).add(nop).add([](io_uring_sqe& s) { s.flags = IOSQE_IO_LINK; }),
          errc::invalid_argument);
  refused(chain(context).add(nop).add([](io_uring_sqe& s) { s.opcode = 250; }),
          asio::error::operation_not_supported);
  random_access_file closed(context);
  refused(chain(closed).add(nop), asio::error::bad_descriptor);

  auto longest = long_chain(most);
  BOOST_TEST(longest.size() == most);
  chain_outcome done, again;
  longest.async_run(done.record());
  BOOST_TEST(longest.size() == 0);
  longest.add(nop).async_run(again.record());
  finish(context);
  CHECK_SUCCEEDED(done);
  BOOST_TEST(done.each.size() == most);
  CHECK_SUCCEEDED(again);
}

BOOST_AUTO_TEST_CASE(what_prepare_throws_leaves_the_chain_as_it_was)
{
  auto c = chain(context).add(nop);
  BOOST_CHECK_THROW(c.add([](io_uring_sqe&) { throw std::runtime_error("no"); }), std::runtime_error);
  chain_outcome done;
  c.async_run(done.record());
  finish(context);
  CHECK_SUCCEEDED(done);
  CHECK_RESULTS(done, 0);
}

BOOST_AUTO_TEST_CASE(any_token_and_nothing_before_it_is_initiated)
{
  auto file = new_file();
  auto future = chain(file).write_at(file, 0, asio::buffer("a", 1)).async_run(asio::use_future);
  auto operation = chain(file).write_at(file, 1, asio::buffer("b", 1)).async_run(asio::deferred);
  auto dropped = chain(file).write_at(file, 2, asio::buffer("c", 1)).async_run(asio::deferred);
  finish(context);
  BOOST_TEST(future.get() == (results{1}));
  BOOST_TEST(read_file(path("file")) == "a");
  run([&]() -> asio::awaitable<void> {
    const results written = co_await std::move(operation)(asio::use_awaitable);
    BOOST_TEST(written == (results{1}));
    auto failing = chain(co_await asio::this_coro::executor).add(fail);
    const auto [ec, each] = co_await failing.async_run(asio::as_tuple(asio::use_awaitable));
    BOOST_TEST(ec == errc::no_such_file_or_directory);
    BOOST_TEST(each == (results{-ENOENT}));
  }());
  BOOST_TEST(read_file(path("file")) == "ab");
}

BOOST_AUTO_TEST_CASE(a_drained_chain_waits_for_what_was_started_before_and_holds_up_nothing)
{
  gate closed;
  outcome waited, later;
  chain_outcome drained;
  async_submit(context, closed.wait(), [&](error_code ec, int) { waited.record()(ec); });
  chain(context).drain().add(nop).async_run(drained.record());
  async_submit(context, nop, [&](error_code ec, int) { later.record()(ec); });
  run_until(context, [&] { return later.done(); });
  settle(context);
  BOOST_TEST(!waited.done());
  BOOST_TEST(!drained.done());
  closed.open();
  finish(context);
  CHECK_SUCCEEDED(waited);
  CHECK_SUCCEEDED(drained);
}

BOOST_AUTO_TEST_CASE(a_drained_chain_does_not_wait_for_reads_that_were_started_after_it)
{
  int ends[2];
  BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
  unique_descriptor to(ends[1]);
  stream_file from(context, ends[0]);
  const auto give = [&] { BOOST_REQUIRE_EQUAL(::write(to.get(), "x", 1), 1); };
  char byte;
  outcome cancelled, before[2], after[2];
  chain_outcome drained;
  asio::cancellation_signal signal;
  const auto read = [&](auto&& handler) { from.async_read_some(asio::buffer(&byte, 1), std::move(handler)); };
  for (outcome& o : before)
    read(o.record());
  read(asio::bind_cancellation_slot(signal.slot(), cancelled.record()));
  chain(from).drain().add(nop).async_run(drained.record());
  for (outcome& o : after)
    read(o.record());
  signal.emit(asio::cancellation_type::total); // the last before the chain
  give();
  run_until(context, [&] { return before[0].done(); });
  settle(context);
  BOOST_TEST(!drained.done());
  give();
  run_until(context, [&] { return drained.done(); });
  CHECK_SUCCEEDED(before[1]);
  CHECK_SUCCEEDED(drained);
  CHECK_FAILED(cancelled, asio::error::operation_aborted);
  BOOST_TEST(!after[0].done());
  for (const outcome& o : after) {
    give();
    run_until(context, [&] { return o.done(); });
  }
}

BOOST_AUTO_TEST_CASE(a_drained_chain_syncs_all_the_writes_before_it)
{
  auto file = new_file();
  const std::string block(64 * 1024, 'x');
  int written = 0, at_sync = -1;
  for (int i = 0; i < 32; ++i)
    file.async_write_some_at(static_cast<std::uint64_t>(i) * block.size(), asio::buffer(block),
                             [&](error_code ec, std::size_t) { written += !ec; });
  chain(file).drain().fsync(file).async_run([&](error_code ec, results) {
    BOOST_TEST(!ec);
    at_sync = written;
  });
  finish(context);
  BOOST_TEST(at_sync == 32);
}

BOOST_AUTO_TEST_CASE(cancelling_ends_the_operation_at_work_and_all_behind_it)
{
  gate closed;
  for (const bool hard : {false, true})
    for (const bool by_slot : {false, true}) {
      auto file = new_file();
      asio::cancellation_signal signal;
      chain_outcome done;
      auto c = chain(file);
      c.add(nop).add(closed.wait());
      if (hard) c.hardlink();
      c.add(closed.wait());
      if (hard) c.hardlink();
      c.add(closed.wait()).write_at(file, 0, asio::buffer("x", 1));
      c.async_run(asio::bind_cancellation_slot(signal.slot(), done.record()));
      settle(context);
      BOOST_TEST(!done.done());
      by_slot ? signal.emit(asio::cancellation_type::terminal) : file.cancel();
      finish(context);
      CHECK_FAILED(done, asio::error::operation_aborted);
      CHECK_RESULTS(done, 0, -ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED);
      BOOST_TEST(read_file(path("file")).empty());
    }
}

BOOST_AUTO_TEST_CASE(a_drained_chain_can_be_cancelled_while_it_waits)
{
  gate closed;
  outcome waited;
  chain_outcome first, second;
  asio::cancellation_signal signal;
  async_submit(context, closed.wait(), [&](error_code ec, int) { waited.record()(ec); });
  chain(context).drain().add(nop).async_run(asio::bind_cancellation_slot(signal.slot(), first.record()));
  chain(context).drain().add(nop).async_run(second.record());
  settle(context);
  signal.emit(asio::cancellation_type::terminal);
  settle(context);
  CHECK_FAILED(first, asio::error::operation_aborted);
  CHECK_RESULTS(first, -ECANCELED);
  BOOST_TEST(!second.done());
  closed.open();
  finish(context);
  CHECK_SUCCEEDED(waited);
  CHECK_SUCCEEDED(second);
}

BOOST_AUTO_TEST_CASE(closing_the_file_ends_its_chains)
{
  gate closed;
  auto file = new_file();
  chain_outcome at_work, waiting;
  chain(file).add(closed.wait()).add(nop).async_run(at_work.record());
  chain(file).drain().add(nop).async_run(waiting.record());
  settle(context);
  file.close();
  finish(context);
  CHECK_FAILED(at_work, asio::error::operation_aborted);
  CHECK_FAILED(waiting, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(the_context_ends_with_chains_at_every_stage)
{
  gate closed;
  auto alive = std::make_shared<int>();
  std::weak_ptr<int> watch = alive;
  {
    asio::io_context ended;
    const auto never = [&] { return [alive](error_code, results) { std::abort(); }; };
    chain(ended).add(closed.wait()).add(nop).async_run(never());
    chain(ended).drain().add(nop).async_run(never());
    chain(ended).add(nop).hardlink().add(closed.wait()).hardlink().add(closed.wait()).async_run(never());
    asio::use_service<asio_uring::detail::ring_service>(ended).submit_now();
    chain(ended).add(closed.wait()).async_run(never());
    alive.reset();
  }
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(more_chains_than_the_queue_has_room_for)
{
  asio::io_context small;
  use_io_uring(small, {.entries = 8});
  int whole = 0;
  chain_outcome late;
  asio::cancellation_signal signal;
  asio::post(small, [&] { // the loop submits when a handler returns
    for (int i = 0; i < 1000; ++i) {
      auto c = chain(small);
      for (int n = 0; n <= i % 8; ++n)
        c.add(nop);
      c.async_run([&](error_code ec, results) { whole += !ec; });
    }
    chain(small).add(nop).add(nop).async_run(asio::bind_cancellation_slot(signal.slot(), late.record()));
    signal.emit(asio::cancellation_type::terminal); // it has not reached the queue yet
  });
  finish(small);
  BOOST_TEST(whole == 1000);
  if (counts_are_exact()) // with the guest pump, a posted handler submits at once
    CHECK_FAILED(late, asio::error::operation_aborted);
  else
    BOOST_TEST(late.calls == 1);
}

// If a submission took only the first entries of a chain, a failure would not end the others.
BOOST_AUTO_TEST_CASE(threads_that_submit_at_a_time_do_not_split_chains)
{
  asio::thread_pool elsewhere(3);
  auto work = asio::make_work_guard(context);
  std::thread loops[2];
  for (std::thread& loop : loops)
    loop = std::thread([this] { context.run(); });
  std::atomic<int> ended{0}, split{0};
  const int each = rounds(3000);
  for (int i = 0; i < 3; ++i)
    asio::post(elsewhere, [&, i] {
      for (int round = 0; round < each; ++round) {
        for (int n = 0; n < round % 5; ++n)
          async_submit(context, nop, [](error_code, int) {});
        auto c = chain(context).add(fail);
        for (int n = 0; n < 4 + i; ++n)
          c.add(nop);
        c.async_run([&](error_code, results each) {
          ++ended;
          split += std::count(each.begin(), each.end(), 0) > 0;
        });
      }
    });
  elsewhere.join();
  work.reset();
  for (std::thread& loop : loops)
    loop.join();
  BOOST_TEST(ended == 3 * each);
  BOOST_TEST(split == 0);
}

BOOST_AUTO_TEST_CASE(a_chain_is_cancelled_from_another_thread_at_any_moment)
{
  gate closed;
  for (int round = 0; round < 300; ++round) {
    auto file = new_file();
    chain_outcome done;
    chain(file)
        .add(nop)
        .fsync(file)
        .hardlink()
        .fsync(file)
        .hardlink()
        .add(closed.wait())
        .hardlink()
        .add(closed.wait())
        .async_run(done.record());
    auto work = asio::make_work_guard(context);
    context.restart();
    std::thread loop([this] { context.run(); });
    std::this_thread::sleep_for(std::chrono::microseconds(round % 50 * 4));
    // Asio's file objects are for one thread at a time: no other thread uses it now.
    file.cancel();
    work.reset();
    loop.join();
    CHECK_FAILED(done, asio::error::operation_aborted);
  }
}

BOOST_AUTO_TEST_SUITE_END()
