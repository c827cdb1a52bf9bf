// poll_stream.cpp: streams of readiness events of a descriptor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"
#include <asio_uring/poll_stream.hpp>
#include <sys/eventfd.h>
#include <thread>

using namespace test;

namespace {

/// A context, and an eventfd that no object of the library owns.
struct polled
{
  asio::io_context context;
  asio_uring::unique_descriptor fd{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  void signal() { BOOST_REQUIRE(::eventfd_write(fd.get(), 1) == 0); }
  eventfd_t drain()
  {
    eventfd_t count = 0;
    ::eventfd_read(fd.get(), &count);
    return count;
  }
};

struct next_events
{
  outcome ended;
  int events = 0;
  auto record()
  {
    return [this](error_code ec, int e) {
      ended.record()(ec);
      events = e;
    };
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(poll_stream)

BOOST_FIXTURE_TEST_CASE(each_change_is_told, polled)
{
  asio_uring::poll_stream changes(context, fd.get(), POLLIN);
  for (int i = 0; i < 5; ++i) {
    next_events next;
    changes.async_next(next.record());
    settle(context);
    BOOST_TEST(!next.ended.done());
    signal();
    finish(context);
    BOOST_TEST(next.events == POLLIN);
    BOOST_TEST(drain() == 1u);
    while (true) { // it may have been reported once more before it was drained
      next_events more;
      changes.async_next(asio_uring::within(5ms, more.record()));
      finish(context);
      if (more.ended.error) break;
      BOOST_TEST(drain() == 0u);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(what_changes_while_nobody_asks_is_told_when_somebody_does, polled)
{
  asio_uring::poll_stream changes(context, fd.get(), POLLIN);
  next_events first, second;
  changes.async_next(first.record());
  settle(context);
  signal();
  finish(context);
  drain();
  signal();
  signal();
  changes.async_next(second.record());
  finish(context);
  CHECK_SUCCEEDED(second.ended);
  BOOST_TEST(drain() == 2u);
}

BOOST_FIXTURE_TEST_CASE(what_is_ready_and_is_left_so_burns_no_processor, polled)
{
  signal();
  asio_uring::poll_stream changes(context, fd.get(), POLLIN);
  next_events next;
  changes.async_next(next.record());
  finish(context);
  CHECK_SUCCEEDED(next.ended);
  const auto work = asio::make_work_guard(context);
  BOOST_TEST(sleeps(context));
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_next_takes_no_change, polled)
{
  asio_uring::poll_stream changes(context, fd.get(), POLLIN);
  asio::cancellation_signal stop;
  next_events cancelled, next;
  changes.async_next(asio::bind_cancellation_slot(stop.slot(), cancelled.record()));
  settle(context);
  signal();
  stop.emit(asio::cancellation_type::total);
  finish(context);
  if (!cancelled.ended.error) return;
  CHECK_FAILED(cancelled.ended, asio::error::operation_aborted);
  changes.async_next(next.record());
  finish(context);
  BOOST_TEST(next.events == POLLIN);
}

BOOST_FIXTURE_TEST_CASE(its_end_aborts_and_the_descriptor_may_be_closed, polled)
{
  next_events next;
  {
    asio_uring::poll_stream changes(context, fd.get(), POLLIN);
    changes.async_next(next.record());
    settle(context);
    asio_uring::poll_stream moved(std::move(changes));
    settle(context);
    BOOST_TEST(!next.ended.done());
  }
  fd.reset();
  finish(context);
  CHECK_FAILED(next.ended, asio::error::operation_aborted);
}

BOOST_FIXTURE_TEST_CASE(a_hang_up_is_told, polled)
{
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  asio_uring::unique_descriptor reader(ends[0]), writer(ends[1]);
  asio_uring::poll_stream changes(context, reader.get(), POLLIN);
  next_events next;
  changes.async_next(next.record());
  settle(context);
  writer.reset();
  finish(context);
  BOOST_TEST((next.events & POLLHUP) != 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_descriptor_is_refused_each_time)
{
  asio::io_context context;
  asio_uring::poll_stream changes(context, -1, POLLIN);
  for (int i = 0; i < 2; ++i) {
    next_events next;
    changes.async_next(next.record());
    finish(context);
    CHECK_FAILED(next.ended, asio::error::bad_descriptor);
  }
}

BOOST_AUTO_TEST_CASE(the_context_may_end_first)
{
  auto held = std::make_shared<int>();
  std::optional<polled> p(std::in_place);
  asio_uring::poll_stream changes(p->context, p->fd.get(), POLLIN);
  changes.async_next([held](error_code, int) {});
  settle(p->context);
  p.reset();
  BOOST_TEST(held.use_count() == 1);
}

BOOST_FIXTURE_TEST_CASE(both_processes_go_on_after_a_fork, polled)
{
  asio_uring::poll_stream changes(context, fd.get(), POLLIN);
  next_events next;
  changes.async_next(next.record());
  settle(context);
  int signalled = -1;
  std::thread other([&] {
    std::this_thread::sleep_for(50ms);
    signalled = ::eventfd_write(fd.get(), 1); // for both
  });
  fork_and_finish(context, [&] { return next.ended.succeeded(); });
  other.join();
  BOOST_TEST(signalled == 0);
}

BOOST_AUTO_TEST_SUITE_END()
