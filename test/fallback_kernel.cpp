// fallback_kernel.cpp: the fallback kernel by itself: memory, time, forks.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "environment.hpp"
#include "fallback_ring.hpp"
#include <algorithm>
#include <asio_uring/ring/process.hpp>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <poll.h>
#include <random>
#include <sys/resource.h>

using test::emulated;
using test::in_child;

namespace {

thread_local bool no_memory = false;
thread_local std::size_t allocated = 0;

/// Fails all allocations of this thread while it lives.
struct without_memory
{
  without_memory() { no_memory = true; }
  ~without_memory() { no_memory = false; }
};

/// Counts what operator new gives this thread while it lives.
class counted_memory
{
public:
  std::size_t size() const { return allocated - before_; }

private:
  const std::size_t before_ = allocated;
};

/// Whether a thread of this process sleeps in a system call.
bool sleeps(pid_t thread)
{
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_ends = text.rfind(')');
  return name_ends + 2 < text.size() && text[name_ends + 2] == 'S';
}

/// A ring on the fallback, and a pipe.
struct with_pipe
{
  explicit with_pipe(unsigned entries = 8, unsigned completions = 16)
      : ring(std::make_unique<asio_uring::fallback_kernel>(entries, completions))
  {
    BOOST_REQUIRE_EQUAL(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  }
  ~with_pipe()
  {
    ::close(pipe[0]);
    ::close(pipe[1]);
  }

  template <typename Prepare>
  void push(std::uint64_t user_data, Prepare&& prepare, unsigned flags = 0)
  {
    io_uring_sqe* const sqe = ring.next_entry();
    if (!sqe) std::abort();
    *sqe = {};
    prepare(sqe);
    sqe->user_data = user_data;
    sqe->flags = static_cast<std::uint8_t>(flags);
    ring.publish();
  }
  void push_poll(std::uint64_t user_data)
  {
    push(user_data, [&](io_uring_sqe* s) { io_uring_prep_poll_add(s, pipe[0], POLLIN); });
  }
  /// Enters until that many completions have come. Each must have this result.
  void collect(unsigned count, int result)
  {
    unsigned wrong = 0;
    while (count > 0) {
      ring.submit_and_wait(std::chrono::seconds(5));
      count -= ring.consume_completions([&](const io_uring_cqe& c) { wrong += c.res != result; });
    }
    BOOST_TEST(wrong == 0u);
  }

  asio_uring::ring ring;
  int pipe[2];
};

} // namespace

[[gnu::noinline]] void* operator new(std::size_t size)
{
  if (no_memory) throw std::bad_alloc();
  allocated += size;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

BOOST_AUTO_TEST_SUITE(fallback_kernel)

BOOST_AUTO_TEST_CASE(entries_stay_in_the_queue_while_there_is_no_memory_for_them)
{
  with_pipe e(64, 128);
  for (std::uint64_t i = 1; i <= 40; ++i)
    e.push_poll(i);
  int refused, waited;
  {
    const without_memory now;
    refused = e.ring.submit();
    waited = e.ring.submit_and_wait(std::chrono::hours(1)); // and it does not sleep
  }
  BOOST_TEST(refused == -EAGAIN);
  BOOST_TEST(waited == -EAGAIN);
  BOOST_TEST(e.ring.unsubmitted() == 40u);
  BOOST_TEST(e.ring.submit() == 40);
  BOOST_TEST(::write(e.pipe[1], "x", 1) == 1);
  e.collect(40, POLLIN);
}

BOOST_AUTO_TEST_CASE(a_chain_goes_on_when_there_is_memory_for_the_rest_of_it)
{
  with_pipe e(64, 128);
  // Memory is allocated for many entries at a time; more than that wait already.
  for (std::uint64_t i = 1; i <= 30; ++i)
    e.push_poll(i);
  e.ring.submit();
  for (std::uint64_t i = 31; i <= 39; ++i)
    e.push(
        i, [](io_uring_sqe* s) { io_uring_prep_nop(s); }, IOSQE_IO_LINK);
  e.push(40, [](io_uring_sqe* s) { io_uring_prep_nop(s); });
  int taken;
  {
    const without_memory now;
    taken = e.ring.submit();
  }
  BOOST_TEST((taken > 0 && taken < 10), taken);
  BOOST_TEST(!e.ring.has_completions());
  e.collect(10, 0);
}

BOOST_AUTO_TEST_CASE(what_has_been_taken_needs_no_memory)
{
  constexpr unsigned many = 200;
  with_pipe e;
  for (std::uint64_t i = 1; i <= many; ++i) {
    if (!e.ring.next_entry()) e.ring.submit();
    e.push_poll(i);
  }
  const __kernel_timespec soon{0, 1'000'000};
  e.ring.submit();
  e.push(many + 1,
         [&](io_uring_sqe* s) { io_uring_prep_timeout(s, const_cast<__kernel_timespec*>(&soon), 0, 0); });
  e.push(many + 2, [&](io_uring_sqe* s) { io_uring_prep_poll_multishot(s, e.pipe[0], POLLIN); });
  e.ring.submit();
  unsigned polls = 0, timeouts = 0, more = 0;
  {
    const without_memory now; // and the completion queue has room for 16
    if (::write(e.pipe[1], "x", 1) != 1) std::abort();
    while (polls < many || timeouts < 1) {
      e.ring.submit_and_wait(std::chrono::seconds(5));
      e.ring.submit_and_wait(std::chrono::seconds(0));
      e.ring.consume_completions([&](const io_uring_cqe& c) {
        c.user_data == many + 1 ? ++timeouts : c.user_data == many + 2 ? ++more : ++polls;
      });
    }
  }
  BOOST_TEST(polls == many);
  BOOST_TEST(timeouts == 1u);
  BOOST_TEST(more == 1u);
}

BOOST_AUTO_TEST_CASE(the_steady_state_allocates_nothing)
{
  with_pipe e;
  std::size_t size = 0;
  for (int i = 0; i != 10; ++i) {
    const counted_memory memory;
    e.push_poll(1);
    e.ring.submit();
    if (::write(e.pipe[1], "x", 1) != 1) std::abort();
    e.ring.submit_and_wait(std::chrono::seconds(60));
    e.ring.consume_completions([](const io_uring_cqe&) {});
    char c;
    if (::read(e.pipe[0], &c, 1) != 1) std::abort();
    size = memory.size();
  }
  BOOST_TEST(size == 0u); // in the last round
}

BOOST_AUTO_TEST_CASE(the_number_of_a_descriptor_costs_no_memory)
{
  rlimit limit;
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const int high = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20)) - 1;
  std::size_t sizes[2];
  for (const bool is_high : {false, true}) {
    with_pipe e;
    const int fd = is_high ? ::dup3(e.pipe[0], high, O_CLOEXEC) : ::dup(e.pipe[0]);
    BOOST_REQUIRE(fd >= 0);
    const counted_memory memory;
    e.push(1, [&](io_uring_sqe* s) { io_uring_prep_poll_add(s, fd, POLLIN); });
    e.ring.submit();
    sizes[is_high] = memory.size();
    BOOST_TEST(::write(e.pipe[1], "x", 1) == 1);
    e.collect(1, POLLIN);
    ::close(fd);
  }
  BOOST_TEST(sizes[0] == sizes[1]);
}

BOOST_AUTO_TEST_CASE(many_timeouts_end_in_order_but_for_those_removed)
{
  with_pipe e(1024, 4096);
  constexpr unsigned count = 1000;
  std::vector<__kernel_timespec> times(count);
  std::mt19937 random(1);
  const auto start = std::chrono::steady_clock::now().time_since_epoch() + std::chrono::milliseconds(5);
  for (unsigned i = 0; i != count; ++i) {
    const auto at = start + std::chrono::microseconds(random() % 20'000);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at);
    times[i] = {seconds.count(), std::chrono::nanoseconds(at - seconds).count()};
    e.push(i + 1, [&](io_uring_sqe* s) { io_uring_prep_timeout(s, &times[i], 0, IORING_TIMEOUT_ABS); });
  }
  e.ring.submit();
  for (std::uint64_t i = 1; i <= count; i += 3)
    e.push(count + i, [&](io_uring_sqe* s) { io_uring_prep_timeout_remove(s, i, 0); });
  unsigned ended = 0, removed = 0, disordered = 0;
  std::pair<long long, long long> last{};
  while (ended + removed < count) {
    e.ring.submit_and_wait(std::chrono::seconds(5));
    e.ring.consume_completions([&](const io_uring_cqe& c) {
      if (c.user_data > count) return;
      if (c.res == -ECANCELED) {
        ++removed;
        return;
      }
      const __kernel_timespec& t = times[c.user_data - 1];
      const std::pair<long long, long long> time{t.tv_sec, t.tv_nsec};
      disordered += time < last;
      last = time;
      ++ended;
    });
  }
  BOOST_TEST(disordered == 0u);
  BOOST_TEST(removed > 0u);
}

BOOST_AUTO_TEST_CASE(a_time_beyond_all_times_never_comes)
{
  emulated e;
  __kernel_timespec endless{std::numeric_limits<long long>::max(), 999'999'999}, soon{0, 1'000'000};
  e.push(1, [&](io_uring_sqe* s) { io_uring_prep_timeout(s, &endless, 0, 0); });
  e.push(2, [&](io_uring_sqe* s) { io_uring_prep_timeout(s, &endless, 0, IORING_TIMEOUT_ABS); });
  e.push(3, [&](io_uring_sqe* s) { io_uring_prep_timeout(s, &soon, 0, 0); });
  e.turn(std::chrono::nanoseconds::max() - std::chrono::nanoseconds(1));
  BOOST_TEST(e.results[3].at(0) == -ETIME);
  BOOST_TEST((e.results[1].empty() && e.results[2].empty()));
}

BOOST_AUTO_TEST_CASE(a_multishot_poll_whose_events_find_no_room_loses_none)
{
  with_pipe e(8, 16);
  e.push(1, [&](io_uring_sqe* s) { io_uring_prep_poll_multishot(s, e.pipe[0], POLLIN); });
  e.ring.submit();
  for (int i = 0; i != 2; ++i) {
    for (int j = 0; j != 8; ++j)
      e.push(2, [](io_uring_sqe* s) { io_uring_prep_nop(s); });
    e.ring.submit();
  }
  BOOST_TEST(::write(e.pipe[1], "x", 1) == 1);
  e.ring.submit();
  e.push(3, [](io_uring_sqe* s) { io_uring_prep_cancel64(s, 1, 0); });
  e.ring.submit();
  std::vector<int> polled;
  unsigned others = 0;
  while (others < 17 || polled.size() < 2) {
    e.ring.submit_and_wait(std::chrono::seconds(5));
    e.ring.consume_completions(
        [&](const io_uring_cqe& c) { c.user_data == 1 ? polled.push_back(c.res) : void(++others); });
  }
  BOOST_TEST((polled == std::vector<int>{POLLIN, -ECANCELED}));
}

// As when the service's loop sleeps while others submit and collect.
BOOST_AUTO_TEST_CASE(a_thread_that_waits_comes_back_though_another_has_consumed_its_completion)
{
  for (int i = 0; i < rounds(500); ++i) {
    with_pipe k;
    std::atomic<pid_t> thread{0};
    std::atomic<bool> back{false};
    std::thread waiting([&] {
      thread = ::gettid();
      k.ring.submit_and_wait(std::chrono::nanoseconds::max());
      back = true;
    });
    while (!thread || !sleeps(thread))
      std::this_thread::yield();
    const auto complete = [&] {
      k.push(1, [](io_uring_sqe* s) { io_uring_prep_nop(s); });
      k.ring.submit();
    };
    complete();
    BOOST_CHECK_EQUAL(k.ring.consume_completions([](const io_uring_cqe&) {}), 1u);
    k.ring.submit();
    const bool came = test::soon([&] { return back.load(); });
    BOOST_CHECK(came);
    if (!came) complete();
    waiting.join();
    if (!came) break;
  }
}

// As when Asio's loop sleeps in an epoll set of its own. Several threads end, one of them while the loop
// handles the signal of another.
BOOST_AUTO_TEST_CASE(who_sleeps_beside_the_ring_misses_no_thread_that_ends)
{
  emulated k;
  pollfd told{k.ring.fd(), POLLIN, 0};
  struct statx answers[6];
  for (int i = 0; i < rounds(5000); ++i) {
    for (struct statx& answer : answers)
      k.push(1,
             [&](io_uring_sqe* s) { io_uring_prep_statx(s, AT_FDCWD, "/", 0, STATX_BASIC_STATS, &answer); });
    k.results.clear();
    do {
      k.ring.submit();
      k.collect();
      if (k.results[1].size() == std::size(answers)) break;
      BOOST_REQUIRE_EQUAL(::poll(&told, 1, static_cast<int>(20'000 * slowness())), 1);
    } while (true);
  }
}

BOOST_AUTO_TEST_CASE(a_forked_child_can_end_what_its_parent_waits_for_and_start_nothing)
{
  with_pipe e;
  e.push_poll(1);
  e.push_poll(2);
  e.ring.submit();
  BOOST_TEST(in_child([&] {
               alarm(60);
               std::map<std::uint64_t, int> results;
               e.push(3, [](io_uring_sqe* s) { io_uring_prep_cancel64(s, 1, 0); });
               e.push(4, [](io_uring_sqe* s) { io_uring_prep_nop(s); });
               for (unsigned count = 0; count < 4;) {
                 e.ring.submit_and_wait(std::chrono::nanoseconds::max());
                 count +=
                     e.ring.consume_completions([&](const io_uring_cqe& c) { results[c.user_data] = c.res; });
               }
               const std::map<std::uint64_t, int> expected{
                   {1, -ECANCELED}, {2, -ECANCELED}, {3, 0}, {4, -EOWNERDEAD}};
               return results == expected ? 0 : 1;
             }) == 0);
  BOOST_TEST(::write(e.pipe[1], "x", 1) == 1);
  e.collect(2, POLLIN);
}

BOOST_AUTO_TEST_CASE(a_forked_child_is_another_process_and_so_is_its_own)
{
  const auto process = asio_uring::detail::process::id();
  BOOST_TEST(process == ::getpid());
  BOOST_TEST(in_child([&] {
               const bool right = asio_uring::detail::process::id() == ::getpid();
               const int inner =
                   in_child([] { return asio_uring::detail::process::id() == ::getpid() ? 0 : 1; });
               return right && inner == 0 ? 0 : 1;
             }) == 0);
  BOOST_TEST(asio_uring::detail::process::id() == process);
}

#ifndef __SANITIZE_THREAD__ // it allows no new thread in a child of a program with threads
BOOST_AUTO_TEST_CASE(a_forked_child_waits_for_no_thread_of_its_parent)
{
  BOOST_TEST(in_child([] {
               alarm(60);
               auto kernel = std::make_unique<asio_uring::fallback_kernel>(8, 16);
               asio_uring::ring ring(std::move(kernel));
               struct statx status;
               const auto ask = [&] {
                 io_uring_prep_statx(ring.next_entry(), AT_FDCWD, "/", 0, STATX_BASIC_STATS, &status);
                 ring.publish();
                 ring.submit_and_wait(std::chrono::seconds(60));
                 return ring.consume_completions([](const io_uring_cqe&) {}) == 1;
               };
               if (!ask()) return 1;
               const int inner = in_child([&] {
                 alarm(60);
                 std::destroy_at(&ring);
                 new (&ring) asio_uring::ring(std::make_unique<asio_uring::fallback_kernel>(8, 16));
                 return ask() ? 0 : 1;
               });
               return inner == 0 && ask() ? 0 : 1;
             }) == 0);
}
#endif

BOOST_AUTO_TEST_SUITE_END()
