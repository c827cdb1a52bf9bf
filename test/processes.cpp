// test/processes.cpp: processes that lose permissions, descriptors or threads while their contexts are at
// work.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "accepting.hpp"
#include "child.hpp"

#ifndef ASIO_URING_TEST_STOCK
#include <asio_uring/backend.hpp>
#endif

#include <fstream>
#include <future>
#include <sys/syscall.h>
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(processes)

// --- losing permissions and descriptors

// Sandboxes are often set up late, and some know nothing of io_uring.
BOOST_AUTO_TEST_CASE(operations_go_on_when_entering_the_ring_is_forbidden)
{
  for (const int error : {EPERM, ENOSYS})
    BOOST_TEST(in_child([&] {
                 asio::io_context context;
                 accepting server(context);
                 pair<> p(context);
                 outcome read, waited;
                 char byte;
                 p.server.async_read_some(asio::buffer(&byte, 1), read.record());
                 p.client.async_wait(tcp::socket::wait_read, waited.record());
                 if (!server.serves(1)) return 1;
                 forbid(SYS_io_uring_enter, error);
                 if (!server.serves(3)) return 2; // accepts and timers work
                 bool posted = false;
                 asio::post(context, [&] { posted = true; });
                 write_text(p.client, "x");
                 run_until(context, [&] { return read.done() && posted; });
                 if (!read.succeeded() || byte != 'x' || waited.done()) return 3;
                 // New operations on new objects work, too.
                 pair<local> q(context);
                 outcome written, answered;
                 q.server.async_read_some(asio::buffer(&byte, 1), answered.record());
                 asio::async_write(q.client, two_buffers, written.record());
                 run_until(context, [&] { return written.done() && answered.done(); });
                 if (!written.succeeded() || !answered.succeeded() || byte != 'o') return 4;
                 p.client.cancel();
                 run_until(context, [&] { return waited.done(); });
                 return waited.error == asio::error::operation_aborted ? 0 : 5;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(a_loop_that_may_not_enter_the_ring_sleeps)
{
  BOOST_TEST(in_child([&] {
               asio::io_context context;
               pair<> p(context);
               outcome read;
               char byte;
               p.server.async_read_some(asio::buffer(&byte, 1), read.record());
               settle(context);
               forbid(SYS_io_uring_enter, EPERM);
               context.run_for(100ms);
               return sleeps(context) && !read.done() ? 0 : 1;
             }) == 0);
}

BOOST_AUTO_TEST_CASE(objects_and_contexts_are_destroyed_when_entering_the_ring_is_forbidden)
{
  for (const bool ran : {false, true})
    for (const bool in_time : {false, true})
      BOOST_TEST(in_child([&] {
                   outcome read, written;
                   char byte;
                   std::vector<char> much(8 << 20);
                   auto context = std::make_unique<asio::io_context>();
                   auto p = std::make_unique<pair<>>(*context);
                   p->server.async_read_some(asio::buffer(&byte, 1), read.record());
                   asio::async_write(p->server, asio::buffer(much), written.record());
                   if (in_time) settle(*context);
                   forbid(SYS_io_uring_enter, EPERM);
                   if (ran) settle(*context);
                   p->client.close();
                   p.reset();
                   context.reset();
                   asio::io_context next;
                   return accepting(next).serves(1) ? 0 : 1;
                 }) == 0);
}

namespace {

// Starts operations in one thread that another completes. Returns the number of those that failed.
int exchange_beside_a_loop(pair<>& p)
{
  int failed = 0;
  for (int i = 0; i < 20; ++i) {
    char byte;
    std::promise<error_code> read, written;
    p.server.async_read_some(asio::buffer(&byte, 1), [&](error_code e, std::size_t) { read.set_value(e); });
    p.client.async_write_some(two_buffers.front() + 6,
                              [&](error_code e, std::size_t) { written.set_value(e); });
    failed += read.get_future().get() || written.get_future().get();
  }
  return failed;
}

} // namespace

// The filter applies to one thread only: others can enter.
BOOST_AUTO_TEST_CASE(a_thread_that_may_not_enter_the_ring_starts_operations_beside_one_that_runs_the_context)
{
  BOOST_TEST(in_child([&] {
               asio::io_context context;
               auto work = asio::make_work_guard(context);
               pair<> p(context);
               std::thread loop([&] { context.run(); });
               forbid(SYS_io_uring_enter, EPERM);
               const int failed = exchange_beside_a_loop(p);
               p.server.close();
               work.reset();
               loop.join();
               return failed;
             }) == 0);
}

// The ring has its thread because another thread needed the kernel while the loop stayed in a handler.
BOOST_AUTO_TEST_CASE(a_ring_with_a_thread_of_its_own_is_refused_to_all_threads)
{
  BOOST_TEST(in_child([&] {
               asio::io_context context;
               auto work = asio::make_work_guard(context);
               pair<> p(context), q(context);
               std::thread loop([&] { context.run(); });
               int failed = exchange_beside_a_loop(p);
               std::promise<void> begun, closed;
               asio::post(context, [&] {
                 begun.set_value();
                 closed.get_future().wait();
               });
               begun.get_future().wait();
               char byte;
               q.server.async_read_some(asio::buffer(&byte, 1), [](error_code, std::size_t) {});
               q.server.close();
               closed.set_value();
               failed += exchange_beside_a_loop(p);
               forbid(SYS_io_uring_enter, EPERM, true);
               failed += exchange_beside_a_loop(p);
               context.stop();
               loop.join();

               // Forks work, too.
               context.restart();
               context.notify_fork(asio::io_context::fork_prepare);
               const pid_t child = ::fork();
               context.notify_fork(child == 0 ? asio::io_context::fork_child : asio::io_context::fork_parent);
               std::thread again([&] { context.run(); });
               pair<> own(context);
               failed += exchange_beside_a_loop(own);
               work.reset();
               again.join();
               return child == 0 ? failed : failed + exit_code_of(child);
             }) == 0);
}

// Daemons do that, to leave nothing open.
BOOST_AUTO_TEST_CASE(objects_and_contexts_are_destroyed_when_all_descriptors_have_been_closed)
{
  for (const bool ran : {false, true})
    BOOST_TEST(in_child([&] {
                 outcome read, written;
                 char byte;
                 std::vector<char> much(8 << 20);
                 auto context = std::make_unique<asio::io_context>();
                 auto p = std::make_unique<pair<>>(*context);
                 asio::steady_timer timer(*context, 1h);
                 timer.async_wait([](error_code) {});
                 p->server.async_read_some(asio::buffer(&byte, 1), read.record());
                 asio::async_write(p->client, asio::buffer(much), written.record());
                 settle(*context);
                 ::close_range(3, ~0U, 0);
                 if (ran) context->run_for(20ms);
                 error_code ignored;
                 p->client.close(ignored);
                 p.reset();
                 timer.cancel();
                 context.reset();
                 asio::io_context next;
                 return accepting(next).serves(3) ? 0 : 1;
               }) == 0);
}

// --- monitoring

/// How many tasks wait for a disk, according to the kernel.
int waiting_for_a_disk()
{
  std::ifstream file("/proc/stat");
  std::string word;
  int count = 0;
  while (file >> word)
    if (word == "procs_blocked") file >> count;
  return count;
}

BOOST_AUTO_TEST_CASE(idle_loops_do_not_count_as_waiting_for_a_disk)
{
#ifndef ASIO_URING_TEST_STOCK
  {
    asio::io_context context;
    tcp::socket socket(context, tcp::v4());
    if (with_kernel_ring() && !asio_uring::backend(context).features.has(IORING_FEAT_NO_IOWAIT))
      return; // before 6.15
  }
#endif
  constexpr int count = 12;
  std::array<asio::io_context, count> contexts;
  std::vector<std::unique_ptr<pair<local>>> pairs;
  std::vector<std::thread> threads;
  char byte;
  for (auto& context : contexts) {
    pairs.push_back(std::make_unique<pair<local>>(context));
    pairs.back()->server.async_read_some(asio::buffer(&byte, 1), [](error_code, std::size_t) {});
    threads.emplace_back([&] { context.run(); });
  }
  std::this_thread::sleep_for(200ms); // until all are idle
  int fewest = count;                 // other processes may wait for a disk now and then
  for (int i = 0; i < 200 && fewest >= count; ++i) {
    fewest = std::min(fewest, waiting_for_a_disk());
    std::this_thread::sleep_for(2ms);
  }
  BOOST_TEST(fewest < count);
  for (auto& context : contexts)
    context.stop();
  for (auto& thread : threads)
    thread.join();
}

BOOST_AUTO_TEST_SUITE_END()
