// test/which_path.cpp: the cheapest strategy is found and kept, whatever the noise.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <algorithm>
#include <array>
#include <asio_uring/asio_uring.hpp>
#include <asio_uring/detail/engine/path_controller.hpp>
#include <asio_uring/detail/engine/runner_threads.hpp>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <random>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace asio_uring::detail;
using std::chrono::nanoseconds;

namespace {

/// A simulated machine and load: what an operation costs with each strategy, in nanoseconds, and how much
/// that varies.
class machine
{
public:
  using costs = std::array<double, strategies>;
  machine(const costs& c, double noise, strategy first = strategy::calls, unsigned sockets = 0)
      : costs_(c), noise_(1, noise), sockets_(sockets), controller_(first)
  {
    controller_.serves(sockets);
  }
  void becomes(const costs& c) { costs_ = c; }
  /// From now on everything costs `factor` times as much half of the time, in turns of `turn` nanoseconds on
  /// the average: as where the system moves threads about.
  void fluctuates(double factor, double turn)
  {
    factor_ = factor;
    turn_ = std::exponential_distribution<double>(1 / turn);
    next_turn_ = now_;
  }
  /// A handler computes for so many nanoseconds in the next epoch that tries another strategy.
  void computes(double time) { computes_ = time; }
  /// Runs for that many seconds. Returns the cost in relation to always using the cheapest strategy.
  double run(double seconds)
  {
    double spent = 0, cheapest = 0;
    while (spent < seconds * 1e9) {
      const unsigned n = controller_.epoch();
      // The next two operations of a socket after a change of strategy cost more.
      if (std::exchange(last_, controller_.now()) != controller_.now()) to_change_ = sockets_;
      const unsigned changed = std::min(to_change_, n / 2);
      to_change_ -= changed;
      for (; now_ >= next_turn_; next_turn_ += turn_(random_))
        factor_now_ = factor_now_ == 1 ? factor_ : 1;
      const double each =
          factor_now_ * costs_[static_cast<unsigned>(controller_.now())] * std::max(0.2, noise_(random_)) +
          changed * change_costs / n;
      const double computed = controller_.now() != controller_.used() ? std::exchange(computes_, 0) / n : 0;
      spent += n * each;
      now_ += n * (each + computed);
      cheapest += n * factor_now_ * *std::min_element(costs_.begin(), costs_.end());
      controller_.ended(n, nanoseconds(static_cast<std::int64_t>(n * (each + computed))),
                        nanoseconds(static_cast<std::int64_t>(now_)));
    }
    return spent / cheapest;
  }
  const path_controller& controller() const { return controller_; }

private:
  costs costs_;
  std::normal_distribution<double> noise_;
  std::exponential_distribution<double> turn_;
  double computes_ = 0;
  double factor_ = 1, factor_now_ = 1, next_turn_ = std::numeric_limits<double>::infinity();
  std::mt19937 random_{1};
  static constexpr double change_costs = 3000; // extra cost for a socket that changes over
  unsigned sockets_, to_change_ = 0;
  path_controller controller_;
  strategy last_ = controller_.now();
  double now_ = 0;
};

constexpr double warm_up = 0.5;
const machine::costs calls_are_cheap{4000, 4100, 4300}, calls_are_dear{8000, 6000, 5000},
    all_the_same{4000, 4000, 4000}, sends_are_dear{4000, 3800, 4050};

} // namespace

BOOST_AUTO_TEST_SUITE(which_path)

BOOST_AUTO_TEST_CASE(the_cheapest_is_found_in_half_a_second_and_kept)
{
  for (const double noise : {0.0, 0.03, 0.1})
    for (const auto first : {strategy::calls, strategy::submitted_sends, strategy::submitted})
      for (const auto& costs : {calls_are_cheap, calls_are_dear, all_the_same, sends_are_dear}) {
        machine m(costs, noise, first);
        m.run(warm_up);
        BOOST_TEST_CONTEXT("noise " << noise << ", at first " << static_cast<int>(first) << ", costs "
                                    << costs[0] << ' ' << costs[1] << ' ' << costs[2])
        BOOST_TEST(m.run(10) < 1.02);
      }
}

BOOST_AUTO_TEST_CASE(trials_of_strategies_that_cost_several_times_as_much_cost_little)
{
  for (const double noise : {0.0, 0.03, 0.1})
    for (const auto& costs : {machine::costs{2100, 1400, 600}, machine::costs{4000, 8000, 12000}}) {
      machine m(costs, noise, costs[0] < costs[2] ? strategy::calls : strategy::submitted, 64);
      BOOST_TEST_CONTEXT("noise " << noise << ", costs " << costs[0] << ' ' << costs[1] << ' ' << costs[2])
      {
        BOOST_TEST(m.run(warm_up) < 1.06);
        BOOST_TEST(m.run(0.5) < 1.02);
        BOOST_TEST(m.run(10) < 1.01);
      }
    }
}

BOOST_AUTO_TEST_CASE(costs_that_change_all_the_time_do_not_cause_trials_all_the_time)
{
  constexpr double ms = 1e6;
  for (const double turn : {20 * ms, 40 * ms, 150 * ms})
    for (const auto first : {strategy::calls, strategy::submitted}) {
      machine m({2100, 1400, 600}, 0.03, first, 64);
      m.fluctuates(2.7, turn);
      m.run(warm_up);
      BOOST_TEST_CONTEXT("turns of " << turn / ms << " ms, at first " << static_cast<int>(first))
      BOOST_TEST(m.run(10) < 1.025);
    }
}

BOOST_AUTO_TEST_CASE(what_was_known_before_a_change_of_load_does_not_hide_a_small_gain)
{
  for (const double gain : {0.95, 0.92, 0.88}) {
    machine m({1000, 1000, 3000}, 0);
    m.run(2);
    m.becomes({2000, 2000, 2000 * gain});
    m.run(1);
    BOOST_TEST((m.controller().used() == strategy::submitted), "gain " << gain);
  }
}

BOOST_AUTO_TEST_CASE(a_handler_that_computes_during_a_trial_puts_the_next_off_by_seconds_at_most)
{
  constexpr double second = 1e9;
  machine m({2100, 2150, 600}, 0, strategy::calls, 64);
  m.computes(second);
  m.run(12);
  BOOST_TEST((m.controller().used() == strategy::submitted));
}

BOOST_AUTO_TEST_CASE(many_sockets_do_not_change_over_all_the_time)
{
  for (const double noise : {0.0, 0.03})
    for (const unsigned sockets : {1000, 10'000, 100'000})
      for (const auto& costs : {calls_are_cheap, calls_are_dear}) {
        const auto cheapest = std::min_element(costs.begin(), costs.end()) - costs.begin();
        machine guessed(costs, noise, static_cast<strategy>(cheapest), sockets);
        BOOST_TEST_CONTEXT(sockets << " sockets, noise " << noise << ", costs " << costs[0])
        {
          if (sockets > 5000) BOOST_TEST(guessed.run(1) < 1.005);
          const double each_has_had_its_turn = 10 + sockets / 200.0;
          guessed.run(each_has_had_its_turn);
          BOOST_TEST(guessed.run(2 * each_has_had_its_turn) < 1.02);
          machine wrong(costs, noise, strategy::submitted_sends, sockets);
          wrong.run(each_has_had_its_turn);
          BOOST_TEST(wrong.run(2 * each_has_had_its_turn) < 1.02);
        }
      }
}

BOOST_AUTO_TEST_CASE(a_load_that_changes_is_followed)
{
  machine m(calls_are_cheap, 0.03);
  m.run(30);
  m.becomes(calls_are_dear);
  m.run(warm_up);
  BOOST_TEST(m.run(5) < 1.02);
  BOOST_TEST((m.controller().used() == strategy::submitted));
  m.becomes(calls_are_cheap);
  m.run(warm_up);
  BOOST_TEST(m.run(5) < 1.02);
  BOOST_TEST((m.controller().used() == strategy::calls));
}

BOOST_AUTO_TEST_CASE(an_order_that_changes_while_the_cost_stays_is_followed_in_the_end)
{
  machine m({4000, 4400, 4800}, 0.03);
  m.run(60);
  m.becomes({4000, 3600, 3200});
  m.run(45);
  BOOST_TEST(m.run(5) < 1.02);
}

BOOST_AUTO_TEST_CASE(what_was_not_compared_is_not_told)
{
  machine m(calls_are_dear, 0);
  BOOST_TEST(m.controller().ratio(strategy::submitted) == 0);
  m.run(warm_up);
  BOOST_TEST(m.controller().ratio(strategy::calls) > 1.5);
}

// The kernel adds the time of a running thread to that of its process by the tick, some milliseconds late.
BOOST_AUTO_TEST_CASE(the_time_of_threads_that_run_is_told_exactly)
{
  asio_uring::detail::runner_threads runners;
  std::atomic<bool> stop{false};
  std::atomic<pid_t> other{0};
  std::thread busy([&] {
    other = ::gettid();
    while (!stop) {
    }
  });
  while (!other)
    std::this_thread::yield();
  runners.add(::gettid());
  BOOST_TEST(!runners.processor_time()); // nothing to compare it with
  BOOST_TEST(runners.processor_time().has_value());
  runners.add(other);
  runners.add(other);
  BOOST_TEST(!runners.processor_time());
  const auto before = runners.processor_time();
  BOOST_REQUIRE(before.has_value());
  auto after = before;
  for (int i = 0; i < 10'000'000 && after && *after - *before < std::chrono::milliseconds(1); ++i)
    after = runners.processor_time();
  BOOST_REQUIRE(after.has_value());
  BOOST_TEST((*after - *before >= std::chrono::milliseconds(1)));
  stop = true;
  busy.join();
  int times = 0; // the kernel may take a moment to remove the thread
  while (runners.processor_time() && ++times < 10'000)
    std::this_thread::yield();
  BOOST_TEST(times < 10'000);
  BOOST_TEST(runners.processor_time().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
