// test/properties/programs.cpp: random programs on a simulated kernel, and properties that hold whatever both
// do.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)
//
// property_tests --run_test=programs/ring_automatic -- --seed N --steps M repeats one program; without them,
// many run. ASIO_URING_SEED, ASIO_URING_STEPS and ASIO_URING_SEEDS (how many programs) do the same.

#include "../simulation/sleep.hpp"
#include "from_bytes.hpp"
#include "memory.hpp"
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using asio_uring::path;
using asio_uring::pump_kind;

/// A number from the command line after "--", or from the environment.
std::optional<unsigned long long> argument(const char* option, const char* variable)
{
  const auto& suite = boost::unit_test::framework::master_test_suite();
  for (int i = 1; i + 1 < suite.argc; ++i)
    if (std::strcmp(suite.argv[i], option) == 0) return std::strtoull(suite.argv[i + 1], nullptr, 10);
  if (const char* value = std::getenv(variable); value && *value) return std::strtoull(value, nullptr, 10);
  return std::nullopt;
}

void run_seed(std::uint64_t seed, unsigned long steps, const settings& s)
{
  decisions random(seed);
  const std::string repeat = std::string("property_tests --run_test=programs/") + s.name + " -- --seed " +
                             std::to_string(seed) + " --steps " + std::to_string(steps);
  // Printed as well when an assertion fails.
  BOOST_TEST_CONTEXT("to repeat: " << repeat) { run_program(random, steps, s, repeat); }
}

/// Runs programs of many seeds, or the one that is asked for. Memory in use must not grow.
void check_properties(const settings& s)
{
  const unsigned long steps = argument("--steps", "ASIO_URING_STEPS").value_or(600);
  if (const auto seed = argument("--seed", "ASIO_URING_SEED")) return run_seed(*seed, steps, s);
  const auto seeds = argument("--seeds", "ASIO_URING_SEEDS").value_or(300);
  const auto first = argument("--first", "ASIO_URING_FIRST_SEED").value_or(1);
  long blocks = 0;
  total = {};
  for (std::uint64_t i = 0; i < seeds; ++i) {
    run_seed(first + i, steps, s);
    if (i == 10) blocks = live_blocks;
  }
  if (seeds > 10) BOOST_CHECK_LE(live_blocks, blocks + 16);
  BOOST_TEST_MESSAGE(total.steps << " steps, " << total.operations << " operations, " << total.programs
                                 << " programs");
}

} // namespace

BOOST_AUTO_TEST_SUITE(programs)

BOOST_AUTO_TEST_CASE(ring_automatic) { check_properties({"ring_automatic"}); }
BOOST_AUTO_TEST_CASE(ring_readiness) { check_properties({"ring_readiness", path::readiness}); }
BOOST_AUTO_TEST_CASE(ring_completion) { check_properties({"ring_completion", path::completion}); }
BOOST_AUTO_TEST_CASE(guest_automatic)
{
  check_properties({"guest_automatic", path::automatic, pump_kind::guest});
}
BOOST_AUTO_TEST_CASE(guest_readiness)
{
  check_properties({"guest_readiness", path::readiness, pump_kind::guest});
}
BOOST_AUTO_TEST_CASE(guest_completion)
{
  check_properties({"guest_completion", path::completion, pump_kind::guest});
}
// Inputs that the fuzzer has kept: test/fuzz.
BOOST_AUTO_TEST_CASE(corpus)
{
  unsigned files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ASIO_URING_TEST_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    BOOST_TEST_CONTEXT(entry.path())
    run_program(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ++files;
  }
  BOOST_CHECK_GT(files, 0u);
}
// Last, because afterwards the process has had threads.
BOOST_AUTO_TEST_CASE(ring_threads)
{
  check_properties({"ring_threads", path::automatic, pump_kind::ring, true});
}
BOOST_AUTO_TEST_CASE(guest_threads)
{
  check_properties({"guest_threads", path::automatic, pump_kind::guest, true});
}

BOOST_AUTO_TEST_SUITE_END()
