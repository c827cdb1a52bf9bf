// test/ownership.cpp: in which thread the kernel works for the ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "fixture.hpp"
#include "threads.hpp"
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <future>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <thread>

using namespace test;

namespace {

/// Whether the ring has an owner; on kernels before 6.6 any thread enters it, see doc/design.md.
bool has_an_owner()
{
  const char* newest = std::getenv("ASIO_URING_NEWEST");
  return !(newest && *newest);
}

/// Puts a thread to sleep in the kernel, where only deadly signals reach it, until the gate is opened.
class gate
{
public:
  gate() { BOOST_REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0); }
  gate(const gate&) = delete;
  ~gate()
  {
    for (const int end : ends_)
      ::close(end);
  }
  void open() const { BOOST_TEST(::write(ends_[1], "", 1) == 1); }
  void sleep(bool child_closes_what_it_inherited) const
  {
    const pid_t child = ::vfork();
    if (child == 0) {
      char byte;
      ::dup2(ends_[0], 0);
      if (child_closes_what_it_inherited) ::close_range(1, ~0U, 0);
      ::_exit(::read(0, &byte, 1) == 1 ? 0 : 1);
    }
    ::waitpid(child, nullptr, 0);
  }

private:
  int ends_[2];
};

/// Makes a call in a handler while a read is being served. Returns its error, or 0. It runs in a child
/// process, since the end of earlier contexts interrupts their threads for some milliseconds.
template <class Call>
int error_beside_completions(Call call)
{
  return in_child([&] {
    connection<> c;
    outcome read;
    char byte;
    c.server.async_read_some(asio::buffer(&byte, 1), read.record());
    int error = 0;
    asio::steady_timer timer(c.context, 20ms);
    timer.async_wait([&](error_code) {
      std::thread peer([fd = c.client.native_handle()] {
        std::this_thread::sleep_for(100ms);
        [[maybe_unused]] const auto sent = ::send(fd, "x", 1, 0);
      });
      if (call() < 0) error = errno;
      peer.join();
    });
    finish(c.context);
    return read.succeeded() ? error : 98;
  });
}

/// A thread that has served sockets sleeps in the kernel until its child has read a byte. Checks that the
/// other thread serves them meanwhile.
enum class helper
{
  comes_before, ///< the other thread runs the context when the first falls asleep
  comes_after
};
void serve_beside_a_thread_asleep(bool child_closes_what_it_inherited, helper other)
{
  if (!has_an_owner()) return;
  constexpr int count = 8;
  std::vector<char> bytes(count); // they live as long as the kernel may use them
  asio::io_context context;
  std::vector<std::unique_ptr<pair<>>> pairs;
  for (int i = 0; i < count; ++i)
    pairs.push_back(std::make_unique<pair<>>(context));
  std::atomic<int> got{0};
  std::function<void(int)> read = [&](int i) {
    pairs[static_cast<std::size_t>(i)]->server.async_read_some(
        asio::buffer(&bytes[static_cast<std::size_t>(i)], 1), [&, i](error_code e, std::size_t) {
          if (e) return;
          ++got;
          read(i);
        });
  };
  for (int i = 0; i < count; ++i)
    asio::post(context, [&, i] { read(i); });
  const auto send_all = [&] {
    for (auto& p : pairs)
      BOOST_TEST(::send(p->client.native_handle(), "x", 1, 0) == 1);
  };
  const auto wait_for = [&](int wanted) {
    const auto limit = std::chrono::steady_clock::now() + 20s * slowness();
    while (got < wanted && std::chrono::steady_clock::now() < limit)
      std::this_thread::sleep_for(1ms);
    return got.load();
  };
  auto work = asio::make_work_guard(context);
  std::thread first([&] { context.run(); });
  send_all();
  BOOST_TEST(wait_for(count) == count);
  std::thread second;
  const auto start_second = [&] { second = std::thread([&] { context.run(); }); };
  if (other == helper::comes_before) start_second();
  std::promise<void> asleep;
  const gate closed;
  std::function<void()> sleep_there = [&, who = first.get_id()] {
    if (std::this_thread::get_id() != who) {
      std::this_thread::sleep_for(1ms);
      return asio::post(context, sleep_there);
    }
    asleep.set_value();
    closed.sleep(child_closes_what_it_inherited);
  };
  asio::post(context, sleep_there);
  asleep.get_future().wait();
  if (other == helper::comes_after) start_second();
  send_all();
  // Submitted requests other than polls wait until no process has the former ring's descriptor.
  const bool waits_for_child =
      !child_closes_what_it_inherited && with_kernel_ring() && submits_reads(context);
  if (waits_for_child) closed.open();
  BOOST_TEST(wait_for(2 * count) == 2 * count);
  if (!waits_for_child) closed.open();
  work.reset();
  context.stop();
  first.join();
  second.join();
}

} // namespace

BOOST_AUTO_TEST_SUITE(ownership)

// Like the calls of another library, on files that stay silent.
BOOST_AUTO_TEST_CASE(a_receive_with_a_time_limit_in_a_handler_is_not_interrupted_by_completions)
{
  if (!has_an_owner()) return;
  int sockets[2];
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  const timeval limit{0, 400'000};
  ::setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  char byte;
  BOOST_TEST(error_beside_completions([&] { return ::recv(sockets[0], &byte, 1, 0); }) == EAGAIN);
  ::close(sockets[0]);
  ::close(sockets[1]);
}

BOOST_AUTO_TEST_CASE(a_wait_for_events_in_a_handler_is_not_interrupted_by_completions)
{
  if (!has_an_owner()) return;
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event;
  BOOST_TEST(error_beside_completions([&] { return ::epoll_wait(set, &event, 1, 400); }) == 0);
  ::close(set);
}

BOOST_AUTO_TEST_CASE(a_wait_for_a_signal_in_a_handler_is_not_interrupted_by_completions)
{
  if (!has_an_owner()) return;
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGUSR1);
  const timespec limit{0, 400'000'000};
  BOOST_TEST(error_beside_completions([&] { return ::sigtimedwait(&signals, nullptr, &limit); }) == EAGAIN);
}

// As when main() has started an operation and goes on with synchronous functions while another thread runs
// the context.
BOOST_AUTO_TEST_CASE(a_synchronous_receive_beside_the_loops_thread_is_not_interrupted_by_completions)
{
  if (!has_an_owner()) return;
  BOOST_TEST(in_child([] {
               asio::io_context context;
               pair<> slow(context), other(context);
               outcome read;
               char byte, late;
               other.server.async_read_some(asio::buffer(&byte, 1), read.record());
               std::thread loop([&] { context.run(); });
               const timeval limit{20, 0}; // with a limit, the kernel restarts no call
               ::setsockopt(slow.server.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
               slow.server.native_non_blocking(false);
               std::thread peer([a = other.client.native_handle(), b = slow.client.native_handle()] {
                 for (const int fd : {a, b}) {
                   std::this_thread::sleep_for(100ms);
                   [[maybe_unused]] const auto sent = ::send(fd, "x", 1, 0);
                 }
               });
               error_code error;
               slow.server.receive(asio::buffer(&late, 1), 0, error);
               peer.join();
               loop.join();
               return read.succeeded() ? error.value() : 98;
             }) == 0);
}

BOOST_AUTO_TEST_CASE(a_handler_that_sleeps_in_the_kernel_holds_up_no_socket_that_its_thread_has_served)
{
  serve_beside_a_thread_asleep(true, helper::comes_before);
  serve_beside_a_thread_asleep(true, helper::comes_after);
}

BOOST_AUTO_TEST_CASE(a_child_that_holds_what_it_inherited_while_its_parent_sleeps_holds_up_no_socket)
{
  serve_beside_a_thread_asleep(false, helper::comes_before);
  serve_beside_a_thread_asleep(false, helper::comes_after);
}

BOOST_AUTO_TEST_CASE(the_port_is_free_when_an_acceptor_has_been_closed_beside_running_threads)
{
  if (!has_an_owner()) return;
  asio::io_context context;
  auto guard = asio::make_work_guard(context);
  const runners running(context, 2);
  const auto work = std::move(guard); // destroyed before the threads are joined
  // An address of this process's own, because another may get the port as a connection's from 127.0.0.1.
  const auto pid = static_cast<unsigned>(::getpid());
  tcp::endpoint where(asio::ip::address_v4(127u << 24 | 1u << 23 | (pid & 0x7fffff)), 0);
  where = tcp::acceptor(context, where).local_endpoint();
  int taken = 0;
  const auto bind = [&](tcp::acceptor& acceptor) {
    acceptor.open(tcp::v4());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    error_code e;
    while (acceptor.bind(where, e)) {
      BOOST_REQUIRE(e == asio::error::address_in_use);
      BOOST_REQUIRE(++taken < 1000);
      std::this_thread::sleep_for(1ms);
    }
    acceptor.listen();
  };
  for (int round = 0; round < rounds(1000); ++round) {
    tcp::acceptor acceptor(context);
    bind(acceptor);
    std::promise<void> started, ended;
    asio::post(context, [&] {
      acceptor.async_accept([&](error_code, tcp::socket) { ended.set_value(); });
      started.set_value();
    });
    started.get_future().wait();
    acceptor.close();
    tcp::acceptor next(context);
    bind(next);
    next.close();
    ended.get_future().wait();
  }
  if (with_kernel_ring()) // if epoll looks at a file while it is closed, the kernel frees it a moment later
    BOOST_TEST(taken == 0);
}

BOOST_AUTO_TEST_SUITE_END()
