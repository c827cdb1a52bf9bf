// test/properties/scenes.cpp: single scenes that random programs, or readers of the code, have found.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "scene.hpp"
#include <array>
#include <asio_uring/async_submit.hpp>
#include <asio_uring/buffer_ring.hpp>
#include <asio_uring/chain.hpp>
#include <asio_uring/file_system.hpp>
#include <asio_uring/readable_pipe.hpp>
#include <asio_uring/receive_stream.hpp>
#include <asio_uring/statistics.hpp>
#include <asio_uring/stream_file.hpp>
#include <asio_uring/writable_pipe.hpp>
#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace {

/// A handler that counts whether it is called or destroyed.
struct count
{
  count(unsigned& n, unsigned& c) : destroyed(n), calls(c) {}
  count(count&& other) noexcept
      : destroyed(other.destroyed), calls(other.calls), live(std::exchange(other.live, false))
  {}
  ~count() { destroyed += live; }
  void operator()(error_code, std::size_t)
  {
    live = false;
    ++calls;
  }
  unsigned& destroyed;
  unsigned& calls;
  bool live = true;
};

/// Accepts a TCP connection and closes it in the handler. `before` is called before that. Returns whether its
/// number was still open at the end of the handler, and whether the peer has come to the end after `run`.
std::pair<bool, bool> close_accepted(scene& s, const std::function<void()>& before,
                                     const std::function<void()>& run)
{
  using tcp = asio_uring::ip::tcp;
  tcp::acceptor acceptor(s.context, {asio::ip::address_v4::loopback(), 0});
  asio::io_context elsewhere;
  asio::ip::tcp::socket client(elsewhere);
  client.connect(acceptor.local_endpoint());
  bool still_open = false;
  acceptor.async_accept([&](error_code, tcp::socket accepted) {
    const int number = accepted.native_handle();
    before();
    accepted.close();
    still_open = ::fcntl(number, F_GETFD) >= 0;
  });
  run();
  pollfd end{client.native_handle(), POLLRDHUP, 0};
  return {still_open, ::poll(&end, 1, 1000) == 1};
}
std::pair<bool, bool> close_accepted(scene& s, const std::function<void()>& before)
{
  return close_accepted(s, before, [&] { s.context.run(); });
}

} // namespace

BOOST_AUTO_TEST_SUITE(scenes)

BOOST_AUTO_TEST_CASE(a_loop_sleeps_although_the_kernel_has_left_its_flag_set)
{
  for (const bool spins : {false, true}) {
    scene s(path::completion, 8, 1, true, std::chrono::microseconds(spins ? 50 : 0));
    odds stays = s.told;
    stays.flag_stays = 1000;
    s.kernel->set_odds(stays);
    asio::basic_waitable_timer<simulated_clock> timer(s.context, std::chrono::seconds(1));
    timer.async_wait([](error_code) {});
    std::array<char, 1> data;
    s.pairs[0].first->async_read_some(asio::buffer(data), [](error_code, std::size_t) {});
    s.context.run_one();
    const auto waits = asio_uring::statistics(s.context).waits;
    BOOST_TEST(waits > 0u);
    BOOST_TEST(waits < 20u);
    if (!spins) BOOST_TEST(asio_uring::statistics(s.context).enters < 20u);
    s.pairs[0].first->cancel();
    s.context.run();
  }
}

constexpr auto with_next_enter = asio_uring::closing::with_next_enter;
constexpr std::pair closed_later(true, true), closed_at_once(false, true);

BOOST_AUTO_TEST_CASE(a_connection_that_a_handler_closes_is_closed_by_the_enter_that_follows_if_asked_for)
{
  scene s(path::completion, 8, 1, true, {}, with_next_enter);
  BOOST_TEST((close_accepted(s, [] {}) == closed_later));
  scene by_default(path::completion, 8, 1, true);
  BOOST_TEST((close_accepted(by_default, [] {}) == closed_at_once));
  // Operations that are calls would not wait for the enter either.
  scene calls(path::readiness, 8, 1, true, {}, with_next_enter);
  BOOST_TEST((close_accepted(calls, [] {}) == closed_at_once));
  scene not_bound(path::completion, 8, 1, false, {}, with_next_enter);
  BOOST_TEST((close_accepted(not_bound, [] {}) == closed_at_once));
  scene stopped(path::completion, 8, 1, true, {}, with_next_enter);
  BOOST_TEST((close_accepted(stopped, [&] { stopped.context.stop(); }) == closed_at_once));
}

BOOST_AUTO_TEST_CASE(a_connection_that_a_handler_closes_is_closed_whatever_the_kernel_refuses)
{
  scene s(path::completion, 8, 1, true, {}, with_next_enter);
  BOOST_TEST((close_accepted(s, [&] { s.kernel->refuse(5); }) == closed_later));
  for (const int error : {EPERM, EBADF}) {
    scene broken(path::completion, 8, 1, true, {}, with_next_enter);
    BOOST_TEST((close_accepted(broken, [&] { broken.kernel->break_down(error); }) == closed_later));
  }
}

BOOST_AUTO_TEST_CASE(a_context_that_is_restarted_is_not_stopped_by_a_close_that_was_left)
{
  scene s(path::completion, 8, 1, true, {}, with_next_enter);
  bool ran = false;
  BOOST_TEST((close_accepted(
                  s, [] {},
                  [&] {
                    s.context.run_one();
                    s.context.restart();
                    s.pairs[0].first->send(asio::buffer("x", 1)); // submits the close
                    asio::post(s.context, [&] { ran = true; });
                    s.context.run();
                  }) == closed_later));
  BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(a_write_that_found_no_room_and_was_cancelled_meanwhile_is_aborted)
{
  scene s(path::completion);
  socket_type& socket = *s.pairs[0].first;
  socket.non_blocking(true);
  socket.native_non_blocking(true);
  const std::vector<char> much(1 << 20);
  error_code ec;
  while (!ec)
    socket.write_some(asio::buffer(much), ec);

  odds late = s.told;
  late.deliver = 0;
  s.kernel->set_odds(late); // the result exists, but is not delivered
  std::vector<error_code> results;
  socket.async_write_some(asio::buffer(much), [&](error_code e, std::size_t) { results.push_back(e); });
  s.context.poll();
  socket.cancel();
  s.kernel->set_odds(s.told);
  s.context.run();

  BOOST_REQUIRE_EQUAL(results.size(), 1u);
  BOOST_CHECK_EQUAL(results[0], error_code(asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(an_accept_that_was_interrupted_and_cancelled_meanwhile_is_aborted)
{
  scene s(path::completion);
  protocol::acceptor acceptor(
      s.context, protocol::endpoint(std::string(1, '\0') + "asio_uring.scene." + std::to_string(::getpid())));
  odds late = s.told;
  late.deliver = 0;
  late.interrupted = 1000;
  s.kernel->set_odds(late);
  std::vector<error_code> results;
  acceptor.async_accept([&](error_code e, auto) { results.push_back(e); });
  s.context.poll();
  acceptor.cancel();
  s.kernel->set_odds(s.told);
  s.context.run();

  BOOST_REQUIRE_EQUAL(results.size(), 1u);
  BOOST_CHECK_EQUAL(results[0], error_code(asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(an_event_that_overtakes_the_result_it_follows_is_not_lost)
{
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    scene s(path::completion, 8, seed); // which comes first depends on the seed
    socket_type& socket = *s.pairs[0].first;
    socket.native_non_blocking(true);
    odds late = s.told;
    late.deliver = 0;
    std::size_t got = 0;
    for (int i = 1; i <= 4; ++i) { // from the second time on the poll stands
      char c;
      s.kernel->set_odds(late);
      socket.async_read_some(asio::buffer(&c, 1), [&](error_code, std::size_t n) { got += n; });
      s.context.restart();
      s.context.poll(); // the kernel has found nothing, and does not report it
      asio::write(*s.pairs[0].second, asio::buffer("x", 1));
      s.kernel->set_odds(s.told);
      s.context.run();
      BOOST_REQUIRE_EQUAL(got, static_cast<std::size_t>(i));
    }
  }
}

BOOST_AUTO_TEST_CASE(close_leaves_no_entry_for_the_number_behind_when_the_kernel_refuses_for_a_moment)
{
  for (const path p : {path::completion, path::readiness}) {
    scene s(p);
    std::array<char, 4> old{}, fresh{};
    int number = -1;
    asio::post(s.context, [&] {
      socket_type& socket = *s.pairs[0].first;
      number = socket.native_handle();
      socket.async_read_some(asio::buffer(old), [](error_code, std::size_t) {});
      s.kernel->refuse(3);
      socket.close();
      // The number is another connection's now; the old read must not get its bytes.
      socket_type& next = s.pairs[0].first.emplace(s.context);
      socket_type peer(s.context);
      asio_uring::local::connect_pair(next, peer);
      asio::write(peer, asio::buffer("mine", 4));
    });
    s.context.run();
    BOOST_CHECK_EQUAL(s.pairs[0].first->native_handle(), number);
    BOOST_CHECK_EQUAL(asio::read(*s.pairs[0].first, asio::buffer(fresh)), 4u);
  }
}

BOOST_AUTO_TEST_CASE(the_context_ends_though_the_cancels_find_no_room_behind_idle_reads)
{
  unsigned destroyed = 0, calls = 0;
  std::array<char, 4> data[2];
  {
    scene s(path::completion, 2);
    s.context.poll();
    s.context.restart();
    asio::post(s.context, [&] {
      for (int i = 0; i < 2; ++i) // fill the ring
        s.pairs[i].first->async_read_some(asio::buffer(data[i]), count(destroyed, calls));
      s.context.stop();
    });
    s.context.run();
    // The sockets live on while the context ends.
    for (auto& [a, b] : s.pairs)
      asio::post(s.context, [a = std::move(*a), b = std::move(*b)] {});
    for (auto& [a, b] : s.pairs) {
      a.reset();
      b.reset();
    }
  }
  BOOST_CHECK_EQUAL(destroyed, 2u);
}

BOOST_AUTO_TEST_CASE(a_kernel_that_refuses_the_ring_is_replaced_or_told)
{
  for (const int error : {EPERM, ENOSYS, ENOMEM}) {
    asio_uring::options o;
    o.kernel = [error]() -> std::unique_ptr<asio_uring::emulated_kernel> {
      throw std::system_error(error, std::system_category(), "io_uring_setup");
    };
    asio::io_context context;
    asio_uring::use_io_uring(context, o);
    BOOST_CHECK(!asio_uring::backend(context).io_uring && !asio_uring::backend(context).reason.empty());

    o.fallback = asio_uring::fallback::forbid;
    asio::io_context other;
    BOOST_CHECK_EXCEPTION(
        asio_uring::use_io_uring(other, o), boost::system::system_error,
        [&](const auto& e) { return e.code() == error_code(error, boost::system::system_category()); });
  }
}

BOOST_AUTO_TEST_CASE(a_write_whose_cancellation_found_no_room_on_the_ring_does_not_come_after_a_seek)
{
  scene s(path::completion, 2, 1, true);
  s.context.run(); // the ring is this thread's
  s.context.restart();
  asio_uring::stream_file file(s.context);
  file.assign(::memfd_create("scene", MFD_CLOEXEC));
  odds slow = s.told; // it is performed when it is to be cancelled
  slow.at_once = slow.go_on = 0;
  slow.cancel_loses = 1000;
  s.kernel->set_odds(slow);
  std::array<char, 4> data;
  std::size_t written = 0;
  asio::post(s.context, [&] {
    s.pairs[0].first->async_read_some(asio::buffer(data), [](error_code, std::size_t) {});
    file.async_write_some(asio::buffer("late", 4), [&](error_code, std::size_t n) { written = n; });
    file.cancel();
    file.seek(8, asio::file_base::seek_set);
    s.context.stop();
  });
  s.context.run();
  s.kernel->set_odds(s.told);
  s.pairs[0].first->close();
  s.context.restart();
  s.context.run();
  BOOST_CHECK_EQUAL(written, 4u);
  BOOST_CHECK_EQUAL(file.size(), 4u);
  BOOST_CHECK_EQUAL(file.seek(0, asio::file_base::seek_cur), 8u);
}

BOOST_AUTO_TEST_CASE(a_chain_that_is_being_cancelled_when_the_kernel_breaks_down_ends)
{
  scene s(path::completion);
  std::array<char, 4> data{};
  asio::cancellation_signal signal;
  error_code result;
  asio_uring::chain(s.context)
      .add([&](io_uring_sqe& e) {
        io_uring_prep_recv(&e, s.pairs[0].first->native_handle(), data.data(), data.size(), 0);
      })
      .async_run(
          asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, std::vector<int>) { result = ec; }));
  s.context.poll();
  odds late = s.told;
  late.deliver = 0;
  s.kernel->set_odds(late);
  signal.emit(asio::cancellation_type::terminal);
  s.context.restart();
  s.context.poll(); // the kernel has been asked, and does not answer
  s.kernel->break_down(EPERM);
  s.context.run();
  BOOST_CHECK_EQUAL(result, error_code(asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(a_chain_that_found_no_room_may_be_cancelled_once_more_before_its_handler_runs)
{
  scene s(path::completion, 2);
  std::array<char, 4> data[3];
  asio::cancellation_signal signal;
  unsigned calls = 0;
  asio::write(*s.pairs[0].second, asio::buffer("ping", 4));
  asio::post(s.context, [&] {
    for (int i : {0, 1}) // fill the ring
      s.pairs[i].first->async_read_some(asio::buffer(data[i]), [&](error_code, std::size_t) {
        signal.emit(asio::cancellation_type::terminal); // its handler is the next
      });
    asio_uring::chain(s.context)
        .add([&](io_uring_sqe& e) {
          io_uring_prep_recv(&e, s.pairs[1].second->native_handle(), data[2].data(), 4, 0);
        })
        .async_run(
            asio::bind_cancellation_slot(signal.slot(), [&](error_code, std::vector<int>) { ++calls; }));
    signal.emit(asio::cancellation_type::terminal);
  });
  while (calls == 0)
    s.context.run_one();
  s.pairs[1].first->close();
  s.context.run();
  BOOST_CHECK_EQUAL(calls, 1u);
}

BOOST_AUTO_TEST_CASE(a_splice_that_found_no_room_on_the_ring_does_not_meet_who_has_its_number_next)
{
  scene s(path::completion, 2);
  int in[2], out[2];
  BOOST_REQUIRE(::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0);
  asio_uring::readable_pipe from(s.context, in[0]);
  asio_uring::writable_pipe to(s.context, out[1]);
  BOOST_REQUIRE_EQUAL(::write(in[1], "ping", 4), 4);
  std::array<char, 4> data[2];
  unsigned calls = 0;
  asio::post(s.context, [&] {
    for (int i : {0, 1}) // fill the ring
      s.pairs[i].first->async_read_some(asio::buffer(data[i]), [](error_code, std::size_t) {});
    asio_uring::async_splice(from, std::nullopt, to, std::nullopt, 4, 0,
                             [&](error_code, std::size_t) { ++calls; });
    to.close();
  });
  while (calls == 0)
    s.context.run_one();
  for (auto& [a, b] : s.pairs)
    a->close();
  s.context.run();
  for (const int fd : {in[1], out[0]})
    ::close(fd);
  BOOST_CHECK_EQUAL(calls, 1u);
}

BOOST_AUTO_TEST_CASE(a_splice_that_is_submitted_again_does_not_meet_who_has_its_number_next)
{
  scene s(path::completion);
  int in[2], out[2];
  BOOST_REQUIRE(::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0);
  asio_uring::readable_pipe from(s.context, in[0]);
  asio_uring::writable_pipe to(s.context, out[1]);
  BOOST_REQUIRE_EQUAL(::write(in[1], "ping", 4), 4);
  odds interrupted = s.told;
  interrupted.interrupted = 1000; // it ends with ECANCELED
  s.kernel->set_odds(interrupted);
  unsigned calls = 0;
  asio_uring::async_splice(from, std::nullopt, to, std::nullopt, 4, 0,
                           [&](error_code, std::size_t) { ++calls; });
  s.context.poll();
  s.kernel->set_odds(s.told);
  to.close();
  s.context.restart();
  s.context.run();
  for (const int fd : {in[1], out[0]})
    ::close(fd);
  BOOST_CHECK_EQUAL(calls, 1u);
}

BOOST_AUTO_TEST_CASE(a_synchronous_read_does_not_wait_for_a_kernel_that_has_broken_down)
{
  scene s(path::completion);
  socket_type& socket = *s.pairs[0].first;
  std::array<char, 4> data;
  odds late = s.told;
  late.deliver = 0;
  s.kernel->set_odds(late);
  error_code result, now;
  socket.async_read_some(asio::buffer(data), [&](error_code ec, std::size_t) { result = ec; });
  s.context.poll();
  socket.cancel(); // the result exists, but is not delivered
  s.kernel->break_down(EPERM);
  socket.non_blocking(true);
  socket.read_some(asio::buffer(data), now);
  BOOST_CHECK_EQUAL(now, error_code(asio::error::would_block));
  BOOST_CHECK(!asio_uring::backend(s.context).io_uring);
  s.context.restart();
  s.context.run();
  BOOST_CHECK_EQUAL(result, error_code(asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(
    a_read_that_completes_in_the_turn_in_which_the_one_before_it_got_an_error_is_told_after_it)
{
  constexpr unsigned entries = 2;
  scene s(path::completion, entries);
  socket_type& socket = *s.pairs[0].first;
  socket_type& peer = *s.pairs[0].second;
  const asio_uring::buffer_ring buffers(s.context, {.buffers = 4, .size = 64});
  asio_uring::receive_stream stream(socket, buffers);
  asio::cancellation_signal signal;
  stream.async_next(
      asio::bind_cancellation_slot(signal.slot(), [](error_code, asio_uring::received_buffer) {}));
  s.context.poll();

  odds late = s.told;
  late.cancel_loses = 1000; // the stream's request gets what comes meanwhile
  late.refuse = 1000;       // and some requests wait for room on the ring
  s.kernel->set_odds(late);
  asio::write(socket, asio::buffer("unread", 6));
  peer.close(); // resets the connection, for it has not read everything
  signal.emit(asio::cancellation_type::total);
  std::vector<error_code> results;
  char space[2];
  for (int reads = 0; reads < 2; ++reads)
    socket.async_receive(asio::buffer(space), [&](error_code e, std::size_t) { results.push_back(e); });
  for (unsigned n = 0; n < 2 * entries; ++n)
    asio_uring::async_submit(
        s.context, [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); }, [](error_code, int) {});
  late.refuse = 0;
  s.kernel->set_odds(late);
  s.context.run();

  BOOST_REQUIRE_EQUAL(results.size(), 2u);
  BOOST_CHECK_EQUAL(results[0], error_code(asio::error::connection_reset));
  BOOST_CHECK_EQUAL(results[1], error_code(asio::error::eof));
}

BOOST_AUTO_TEST_SUITE_END()
