// timing_wheel.cpp: the timing wheel by itself.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "environment.hpp"
#include <algorithm>
#include <asio_uring/detail/engine/timing_wheel.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace {

struct wheel_entry : asio_uring::detail::timing_wheel::entry
{
  std::uint64_t tick = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(timing_wheel)

BOOST_AUTO_TEST_CASE(a_wheel_ends_each_wait_at_its_tick)
{
  std::mt19937_64 random(7);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  for (const std::uint64_t start :
       {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{4095}, ~std::uint64_t{0} / 2}) {
    asio_uring::detail::timing_wheel wheel(start);
    std::uint64_t now = start;
    std::vector<std::unique_ptr<wheel_entry>> entries;
    std::multimap<std::uint64_t, wheel_entry*> waiting;
    for (int step = 0; step != rounds(20'000); ++step) {
      if (below(3)) {
        auto& e = *entries.emplace_back(std::make_unique<wheel_entry>());
        e.tick = now + below(std::uint64_t{1} << below(30));
        wheel.insert(e, e.tick);
        e.tick = std::max(e.tick, now + 1);
        waiting.emplace(e.tick, &e);
      } else if (!waiting.empty() && below(2)) {
        auto it = waiting.lower_bound(now + below(1000));
        if (it == waiting.end()) it = waiting.begin();
        wheel.remove(*it->second);
        BOOST_REQUIRE(!it->second->waits());
        waiting.erase(it);
      } else {
        BOOST_REQUIRE_EQUAL(wheel.empty(), waiting.empty());
        if (!waiting.empty()) {
          BOOST_REQUIRE_GT(wheel.next(), now);
          BOOST_REQUIRE_LE(wheel.next(), waiting.begin()->first);
        }
        now += below(std::uint64_t{1} << below(20));
        wheel.advance(now, [&](auto& e) {
          const auto range = waiting.equal_range(static_cast<wheel_entry&>(e).tick);
          const auto it = std::find_if(range.first, range.second, [&](auto& w) { return w.second == &e; });
          BOOST_REQUIRE(it != range.second);
          waiting.erase(it);
        });
        BOOST_REQUIRE((waiting.empty() || waiting.begin()->first > now));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_wheel_knows_the_end_of_time)
{
  asio_uring::detail::timing_wheel wheel(1'000);
  BOOST_TEST(wheel.next() == wheel.never);
  wheel_entry last, first;
  wheel.insert(last, wheel.never - 1);
  wheel.insert(first, 0); // in the past
  BOOST_TEST(wheel.next() == 1'001u);
  int due = 0;
  wheel.advance(1'001, [&](auto&) { ++due; });
  BOOST_TEST(due == 1);
  wheel.advance(std::uint64_t{1} << 50, [&](auto&) { ++due; });
  BOOST_TEST(due == 1);
  wheel.advance(wheel.never - 1, [&](auto&) { ++due; });
  BOOST_TEST(due == 2);
  BOOST_TEST(wheel.empty());
}

BOOST_AUTO_TEST_SUITE_END()
