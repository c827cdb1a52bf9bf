// test/properties/habits.hpp: what does not change during the life of a random program.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_HABITS_HPP
#define ASIO_URING_TEST_PROPERTIES_HABITS_HPP

#include "../simulation/decisions.hpp"
#include "../simulation/environment.hpp"
#include <asio_uring/options.hpp>

/// What the test chooses.
struct settings
{
  const char* name;
  asio_uring::path path = asio_uring::path::automatic;
  asio_uring::pump_kind pump = asio_uring::pump_kind::ring;
  bool threads = false;
};

/// What is drawn once for each program.
class habits
{
public:
  habits(decisions& random, const settings& s)
  {
    ring.path = s.threads ? asio_uring::path{static_cast<int>(random.below(3))} : s.path;
    ring.pump = s.pump;
    ring.entries = 2u << random.below(4);
    ring.completions = 2 * ring.entries + static_cast<unsigned>(random.below(3)) * 8;
    // Smaller than a program could ask for: even a completion queue of two is legal.
    completions = random.chance(300) ? 2 : ring.completions;

    if (random.chance(200)) kernel.refuse = 200;
    if (random.chance(200)) kernel.partial = 400;
    if (random.chance(200)) kernel.thread_exits = 60;
    if (random.chance(200)) kernel.deliver = kernel.go_on = 100;
    if (random.chance(200)) kernel.cancel_loses = 900;
    if (random.chance(300)) kernel.spurious = 0;
    if (random.chance(200)) kernel.unasked = 0;
    if (random.chance(200)) kernel.busy = 200;
    if (random.chance(100)) kernel.no_worker = 5;
    static constexpr unsigned refused[] = {0, 0, 1000, 300};
    kernel.no_queue = refused[random.below(4)];
    if (random.chance(200)) kernel.multishot_ends = 500;
    // A ring can move to another thread only if every completion has room.
    bound = s.threads && s.pump == asio_uring::pump_kind::ring && random.chance(700);
    if (bound) ring.completions = completions = 1024;
    if (bound && random.chance(200)) kernel.told = 0;
    forks = random.chance(200);
    breaks_down = random.chance(50);
    changes_strategy = ring.path == asio_uring::path::automatic && random.chance(500);
  }

  asio_uring::options ring;
  unsigned completions;
  odds kernel;
  bool bound; ///< one thread enters the ring
  bool forks;
  bool breaks_down;      ///< the kernel does
  bool changes_strategy; ///< now and then operations begin in another way
};

#endif // ASIO_URING_TEST_PROPERTIES_HABITS_HPP
