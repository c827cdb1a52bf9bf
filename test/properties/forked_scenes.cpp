// test/properties/forked_scenes.cpp: single scenes of processes that fork.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "scene.hpp"
#include <array>
#include <asio_uring/chain.hpp>
#include <asio_uring/random_access_file.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <vector>

namespace {

/// As in the parent, around a fork.
void fork_elsewhere(scene& s)
{
  s.context.notify_fork(asio::execution_context::fork_prepare);
  s.context.notify_fork(asio::execution_context::fork_parent);
}

/// The same; then the first connection's peer sends "ping", and all goes on to its end.
void fork_elsewhere_and_go_on(scene& s)
{
  fork_elsewhere(s);
  asio::write(*s.pairs[0].second, asio::buffer("ping", 4));
  s.context.restart();
  s.context.run();
}

} // namespace

BOOST_AUTO_TEST_SUITE(forked_scenes)

BOOST_AUTO_TEST_CASE(a_forked_child_has_a_kernel_of_its_own)
{
  scene s(path::completion);
  std::array<char, 4> data{};
  std::size_t got = 0;
  s.pairs[0].first->async_read_some(asio::buffer(data), [&](error_code, std::size_t n) { got = n; });
  s.context.poll();
  s.context.notify_fork(asio::execution_context::fork_prepare);
  const pid_t child = ::fork();
  if (child == 0) {
    s.context.notify_fork(asio::execution_context::fork_child);
    asio::write(*s.pairs[0].second, asio::buffer("ping", 4));
    s.context.run();
    ::_exit(got == 4 && s.kernels == 2 ? 0 : 1);
  }
  s.context.notify_fork(asio::execution_context::fork_parent);
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_CHECK_EQUAL(status, 0);
  s.pairs[0].first->close();
  s.context.run();
}

BOOST_AUTO_TEST_CASE(a_chain_that_a_short_write_has_broken_does_not_go_on_after_a_fork)
{
  scene s(path::completion, 8, 1, true);
  asio_uring::random_access_file file(s.context);
  file.assign(::memfd_create("scene", MFD_CLOEXEC));
  odds late = s.told;
  late.deliver = 0; // the result exists, but is not delivered
  late.shorten = 1000;
  s.kernel->set_odds(late);
  const std::string much(64, 'a');
  std::vector<int> results;
  asio_uring::chain(file)
      .write_at(file, 0, asio::buffer(much))
      .write_at(file, much.size(), asio::buffer("mark", 4))
      .async_run([&](error_code, std::vector<int> r) { results = std::move(r); });
  s.context.poll();
  s.kernel->set_odds(s.told);
  fork_elsewhere(s);
  s.context.run();

  BOOST_REQUIRE_EQUAL(results.size(), 2u);
  BOOST_REQUIRE_LT(results[0], 64);
  BOOST_CHECK_EQUAL(results[1], -ECANCELED);
  BOOST_CHECK_LT(file.size(), 64u);
}

BOOST_AUTO_TEST_CASE(a_chain_that_waits_goes_on_after_a_fork)
{
  scene s(path::completion);
  std::array<char, 4> data{};
  const auto peek = [&](io_uring_sqe& e) {
    io_uring_prep_recv(&e, s.pairs[0].first->native_handle(), data.data(), data.size(), MSG_PEEK);
  };
  std::vector<int> results;
  asio_uring::chain(s.context).add(peek).add(peek).async_run(
      [&](error_code, std::vector<int> r) { results = std::move(r); });
  s.context.poll();
  fork_elsewhere_and_go_on(s);
  BOOST_CHECK((results == std::vector<int>{4, 4}));
}

BOOST_AUTO_TEST_CASE(what_a_hard_link_has_started_is_not_performed_again_after_a_fork)
{
  scene s(path::completion);
  std::array<char, 8> data{};
  std::vector<int> results;
  asio_uring::chain(s.context)
      .add([&](io_uring_sqe& e) {
        io_uring_prep_recv(&e, s.pairs[0].first->native_handle(), data.data(), data.size(), 0);
      })
      .hardlink()
      .add([&](io_uring_sqe& e) {
        io_uring_prep_send(&e, s.pairs[1].first->native_handle(), "ping", 4, MSG_NOSIGNAL);
      })
      .async_run([&](error_code, std::vector<int> r) { results = std::move(r); });
  s.context.poll();
  fork_elsewhere_and_go_on(s);
  BOOST_REQUIRE_EQUAL(results.size(), 2u);
  BOOST_CHECK_EQUAL(results[1], 4);
  BOOST_CHECK_EQUAL(s.pairs[1].second->available(), 4u);
}

BOOST_AUTO_TEST_CASE(a_doorbell_that_found_no_room_on_the_ring_is_watched_once_after_a_fork)
{
  scene s(path::completion, 2, 1, true);
  std::array<char, 4> data[2];
  for (int i : {0, 1}) // fill the ring
    s.pairs[i].first->async_read_some(asio::buffer(data[i]), [](error_code, std::size_t) {});
  s.kernel->refuse(1);
  s.context.poll();
  s.context.notify_fork(asio::execution_context::fork_prepare);
  s.kernel->leave_to_parent();
  s.context.notify_fork(asio::execution_context::fork_child);
  std::size_t written = 0;
  s.pairs[0].second->async_write_some(asio::buffer("ping", 4),
                                      [&](error_code, std::size_t n) { written = n; });
  s.context.restart();
  while (written == 0)
    s.context.run_one();
  s.context.poll();
  BOOST_CHECK_EQUAL(written, 4u);
}

BOOST_AUTO_TEST_SUITE_END()
