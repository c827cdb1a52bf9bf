// test/deadline_fixture.hpp: common parts of the tests of deadlines.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_DEADLINE_FIXTURE_HPP
#define ASIO_URING_TEST_DEADLINE_FIXTURE_HPP

#include "file_fixture.hpp"
#include <asio_uring/within.hpp>
#include <chrono>

namespace test {

using asio_uring::until;
using asio_uring::within;
using std::chrono::steady_clock;

/// Checks that at least this time has passed since `from`.
inline void check_time(steady_clock::time_point from, steady_clock::duration least)
{
  BOOST_CHECK_GE((steady_clock::now() - from) / 1us, least / 1us);
}

} // namespace test

#endif
