// fallback.cpp: the fallback where io_uring is forbidden or missing, and its behaviour as a ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fallback_ring.hpp"
#include <array>
#include <asio_uring/asio_uring.hpp>
#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/syscall.h>
#include <unistd.h>

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio_uring::ip::tcp;
using test::emulated;
using test::in_child;

namespace {

void forbid_io_uring(int error) { test::forbid(SYS_io_uring_setup, error); }

/// Whether a message comes back over TCP.
bool talks(asio::io_context& context)
{
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context), server(context);
  std::array<char, 4> there{'p', 'i', 'n', 'g'}, back{};
  acceptor.async_accept(server, [&](error_code) {
    asio::async_read(server, asio::buffer(back), [&](error_code, std::size_t) {
      asio::async_write(server, asio::buffer(back), [](error_code, std::size_t) {});
    });
  });
  std::array<char, 4> again{};
  client.async_connect(acceptor.local_endpoint(), [&](error_code) {
    asio::async_write(client, asio::buffer(there), [&](error_code, std::size_t) {
      asio::async_read(client, asio::buffer(again), [](error_code, std::size_t) {});
    });
  });
  context.run();
  return again == there;
}

/// Records what the ring reports of an entry while it is being performed.
struct watched_kernel final : asio_uring::emulated_kernel
{
  const asio_uring::ring* ring = nullptr;
  std::vector<unsigned> unsubmitted;

  watched_kernel() : emulated_kernel(8, 16) {}
  int enter(unsigned, const __kernel_timespec*) noexcept override
  {
    return static_cast<int>(
        take_entries([&](const io_uring_sqe&) { unsubmitted.push_back(ring->unsubmitted()); }));
  }
  int fd() noexcept override { return -1; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(fallback)

BOOST_AUTO_TEST_CASE(forbidden_or_missing_io_uring_is_replaced_and_told)
{
  const std::pair<int, const char*> cases[] = {
      {EPERM, "seccomp or kernel.io_uring_disabled forbids io_uring_setup"},
      {ENOSYS, "the kernel has no io_uring"},
      {ENOMEM, "raise RLIMIT_MEMLOCK"}};
  for (const auto& [error, words] : cases)
    BOOST_CHECK_EQUAL(in_child([&, error = error, words = words] {
                        forbid_io_uring(error);
                        asio::io_context context;
                        if (!talks(context)) return 1;
                        const auto b = asio_uring::backend(context);
                        return b.io_uring || b.reason.find(words) == b.reason.npos ? 2 : 0;
                      }),
                      0);
}

BOOST_AUTO_TEST_CASE(a_loop_that_spins_sleeps_in_the_end)
{
  BOOST_CHECK_EQUAL(in_child([] {
                      forbid_io_uring(EPERM);
                      asio::io_context context;
                      asio_uring::use_io_uring(context, {.spin = std::chrono::microseconds(50)});
                      asio_uring::ip::udp::socket socket(context, {asio::ip::address_v4::loopback(), 0});
                      char byte;
                      socket.async_receive(asio::buffer(&byte, 1), [](error_code, std::size_t) {});
                      context.run_for(std::chrono::milliseconds(100));
                      return asio_uring::statistics(context).waits > 0 ? 0 : 1;
                    }),
                    0);
}

BOOST_AUTO_TEST_CASE(forbidden_fallback_throws_the_reason)
{
  BOOST_CHECK_EQUAL(in_child([] {
                      forbid_io_uring(EPERM);
                      asio::io_context context;
                      try {
                        asio_uring::use_io_uring(context, {.fallback = asio_uring::fallback::forbid});
                      } catch (const boost::system::system_error& e) {
                        const bool told = std::string(e.what()).find("seccomp") != std::string::npos;
                        return e.code() == boost::system::errc::operation_not_permitted && told ? 0 : 1;
                      }
                      return 2;
                    }),
                    0);
}

BOOST_AUTO_TEST_CASE(forced_by_option_or_environment)
{
  {
    asio::io_context context;
    asio_uring::use_io_uring(context, {.fallback = asio_uring::fallback::force});
    BOOST_CHECK(!asio_uring::backend(context).io_uring);
    BOOST_CHECK(talks(context));
  }
  for (const char* word : {"fallback", "reactor"}) { // the second is an alias
    ::setenv("ASIO_URING_BACKEND", word, 1);
    asio::io_context context;
    BOOST_CHECK(talks(context));
    BOOST_CHECK_NE(asio_uring::backend(context).reason.find("ASIO_URING_BACKEND"), std::string::npos);
  }
  ::setenv("ASIO_URING_BACKEND", "kqueue", 1);
  {
    asio::io_context context;
    BOOST_CHECK_EXCEPTION(tcp::socket{context}, std::invalid_argument, [](const std::invalid_argument& e) {
      return std::string(e.what()) ==
             "asio_uring: ASIO_URING_BACKEND=kqueue: allowed are automatic, io_uring, fallback, reactor";
    });
  }
  ::unsetenv("ASIO_URING_BACKEND");
}

BOOST_AUTO_TEST_CASE(no_descriptor_left_is_no_reason_to_fall_back)
{
  BOOST_CHECK_EQUAL(in_child([] {
                      forbid_io_uring(EMFILE);
                      asio::io_context context;
                      try {
                        tcp::socket socket(context);
                      } catch (const boost::system::system_error& e) {
                        return e.code() == asio::error::no_descriptors ? 0 : 1;
                      }
                      return 2;
                    }),
                    0);
}

BOOST_AUTO_TEST_CASE(emulated_poll_and_cancel)
{
  emulated e;
  int pipe[2];
  BOOST_REQUIRE_EQUAL(::pipe(pipe), 0);
  e.push(1, [&](io_uring_sqe* s) { io_uring_prep_poll_add(s, pipe[0], POLLIN); });
  e.push(2, [&](io_uring_sqe* s) { io_uring_prep_poll_multishot(s, pipe[0], POLLIN); });
  e.push(3, [&](io_uring_sqe* s) { io_uring_prep_poll_add(s, pipe[0], POLLIN); });
  e.push(4, [&](io_uring_sqe* s) { io_uring_prep_cancel(s, reinterpret_cast<void*>(3), 0); });
  e.push(5, [&](io_uring_sqe* s) { io_uring_prep_cancel(s, reinterpret_cast<void*>(77), 0); });
  e.turn();
  BOOST_CHECK_EQUAL(e.results[3].at(0), -ECANCELED);
  BOOST_CHECK_EQUAL(e.results[4].at(0), 0);
  BOOST_CHECK_EQUAL(e.results[5].at(0), -ENOENT);
  BOOST_CHECK(e.results[1].empty() && e.results[2].empty());

  BOOST_REQUIRE_EQUAL(::write(pipe[1], "a", 1), 1);
  e.turn();
  BOOST_REQUIRE_EQUAL(::write(pipe[1], "b", 1), 1);
  e.turn();
  BOOST_CHECK_EQUAL(e.results[1].size(), 1u);
  BOOST_CHECK_EQUAL(e.results[2].size(), 2u);
  BOOST_CHECK_EQUAL(e.results[2].at(1), POLLIN);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

BOOST_AUTO_TEST_CASE(emulated_timeouts_come_in_order_and_can_be_removed)
{
  emulated e;
  __kernel_timespec late{0, 40'000'000}, soon{0, 5'000'000}, never{1000, 0};
  e.push(1, [&](io_uring_sqe* s) { io_uring_prep_timeout(s, &late, 0, 0); });
  e.push(2, [&](io_uring_sqe* s) { io_uring_prep_timeout(s, &soon, 0, 0); });
  e.push(3, [&](io_uring_sqe* s) { io_uring_prep_timeout(s, &never, 0, 0); });
  e.push(4, [&](io_uring_sqe* s) { io_uring_prep_timeout_remove(s, 3, 0); });
  e.turn();
  BOOST_CHECK_EQUAL(e.results[3].at(0), -ECANCELED);
  e.turn();
  BOOST_CHECK_EQUAL(e.results[2].at(0), -ETIME);
  BOOST_CHECK(e.results[1].empty());
  e.turn();
  BOOST_CHECK_EQUAL(e.results[1].at(0), -ETIME);
}

BOOST_AUTO_TEST_CASE(emulated_links_run_in_order_and_break)
{
  emulated e;
  const auto path =
      (std::filesystem::temp_directory_path() / ("asio_uring_link_" + std::to_string(::getpid()))).string();
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  BOOST_REQUIRE_GE(file, 0);
  char back[4] = {};
  e.push(
      1, [&](io_uring_sqe* s) { io_uring_prep_write(s, file, "abcd", 4, 0); }, IOSQE_IO_LINK);
  e.push(
      2, [&](io_uring_sqe* s) { io_uring_prep_fsync(s, file, 0); }, IOSQE_IO_LINK);
  e.push(3, [&](io_uring_sqe* s) { io_uring_prep_read(s, file, back, 4, 0); });
  while (e.results[3].empty())
    e.turn();
  BOOST_CHECK_EQUAL(e.results[1].at(0), 4);
  BOOST_CHECK_EQUAL(e.results[2].at(0), 0);
  BOOST_CHECK_EQUAL(e.results[3].at(0), 4);
  BOOST_CHECK_EQUAL(std::string(back, 4), "abcd");

  e.push(
      4, [&](io_uring_sqe* s) { io_uring_prep_fsync(s, -1, 0); }, IOSQE_IO_LINK);
  e.push(
      5, [&](io_uring_sqe* s) { io_uring_prep_nop(s); }, IOSQE_IO_LINK);
  e.push(6, [&](io_uring_sqe* s) { io_uring_prep_nop(s); });
  while (e.results[6].empty())
    e.turn();
  BOOST_CHECK_EQUAL(e.results[4].at(0), -EBADF);
  BOOST_CHECK_EQUAL(e.results[5].at(0), -ECANCELED);
  BOOST_CHECK_EQUAL(e.results[6].at(0), -ECANCELED);
  ::close(file);
  std::filesystem::remove(path);
}

BOOST_AUTO_TEST_CASE(emulated_completions_beyond_the_queue_are_kept)
{
  emulated e;
  for (int i = 0; i != 40; ++i) {
    for (int j = 0; j != 8; ++j)
      e.push(static_cast<std::uint64_t>(8 * i + j), [&](io_uring_sqe* s) { io_uring_prep_nop(s); });
    e.ring.submit();
  }
  for (int i = 0; i != 40; ++i)
    e.turn(std::chrono::nanoseconds(0));
  BOOST_CHECK_EQUAL(e.results.size(), 320u);
}

// A thread that closes a descriptor relies on nothing else to know that an enter in another thread is done
// with it.
BOOST_AUTO_TEST_CASE(an_entry_is_unsubmitted_until_it_has_been_performed)
{
  auto kernel = std::make_unique<watched_kernel>();
  watched_kernel& watched = *kernel;
  asio_uring::ring ring(std::move(kernel));
  watched.ring = &ring;
  for (int i = 0; i != 3; ++i) {
    io_uring_prep_nop(ring.next_entry());
    ring.publish();
  }
  BOOST_CHECK_EQUAL(ring.submit(), 3);
  const std::vector<unsigned> expected{3, 2, 1};
  BOOST_TEST(watched.unsubmitted == expected, boost::test_tools::per_element());
  BOOST_CHECK_EQUAL(ring.unsubmitted(), 0u);
}

// A thread has read a descriptor number and is about to use it, or uses it: no other file must get the
// number.
BOOST_AUTO_TEST_CASE(a_file_descriptor_is_let_go_of_when_no_thread_uses_it)
{
  emulated e;
  std::string directory = (std::filesystem::temp_directory_path() / "fallback.XXXXXX").string();
  BOOST_REQUIRE(::mkdtemp(directory.data()));
  auto leased = std::make_unique<test::leased_file>(directory + "/leased");
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const auto open = [&](io_uring_sqe* s) { io_uring_prep_openat(s, fd, "leased", O_RDONLY | O_CLOEXEC, 0); };
  e.push(1, open);
  for (std::uint64_t attempt = 2; e.results[attempt].empty() || e.results[attempt][0] != -EALREADY;) {
    // The thread may not have begun. Then the call was cancelled, and another is started.
    if (!e.results[1].empty()) {
      e.results[1].clear();
      e.push(1, open);
    }
    e.ring.submit();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    e.push(++attempt, [&](io_uring_sqe* s) { io_uring_prep_cancel64(s, 1, 0); });
    e.turn();
  }
  std::atomic<bool> let_go{false};
  e.ring.let_go(fd + 1); // not in use: returns at once
  std::thread closing([&] {
    e.ring.let_go(fd);
    let_go = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  BOOST_CHECK(!let_go);
  leased.reset(); // lets the thread go on
  closing.join();
  BOOST_REQUIRE_GE(e.result_of(1), 0);
  for (const int each : {e.results[1][0], fd})
    ::close(each);
  std::filesystem::remove_all(directory);
}

BOOST_AUTO_TEST_CASE(what_the_fallback_does_not_know_is_answered_as_by_an_older_kernel)
{
  emulated e;
  e.push(1, [&](io_uring_sqe* s) { s->opcode = IORING_OP_MSG_RING; });
  e.push(
      2, [&](io_uring_sqe* s) { io_uring_prep_nop(s); }, IOSQE_IO_DRAIN);
  e.turn();
  BOOST_CHECK_EQUAL(e.results[1].at(0), -EINVAL);
  BOOST_CHECK_EQUAL(e.results[2].at(0), -EINVAL);
  BOOST_CHECK(!e.ring.features().opcode(IORING_OP_MSG_RING));
  BOOST_CHECK(e.ring.features().opcode(IORING_OP_STATX));
}

BOOST_AUTO_TEST_SUITE_END()
