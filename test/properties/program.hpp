// test/properties/program.hpp: runs a random program with all of its actors, from its beginning to its end.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_PROGRAM_HPP
#define ASIO_URING_TEST_PROPERTIES_PROGRAM_HPP

#include "accepts.hpp"
#include "block_files.hpp"
#include "datagrams.hpp"
#include "posts.hpp"
#include "relays.hpp"
#include "stream_files.hpp"
#include "streams.hpp"
#include "world.hpp"

inline unsigned open_descriptors() noexcept
{
  unsigned count = 0;
  for (int fd = 0; fd < own_numbers; ++fd)
    count += ::fcntl(fd, F_GETFD) >= 0;
  return count;
}

inline void run_program(decisions& random, unsigned long steps, const settings& s, const std::string& repeat)
{
  simulated_clock::time = simulated_clock::time_point(std::chrono::hours(1));
  ::alarm(120);
  const unsigned open_before = open_descriptors();
  bool known = true;
  {
    world w(random, steps, s, repeat);
    w.set_up();
    w.add<streams>(78);
    w.add<accepts>(9);
    w.add<posts>(10);
    if (random.chance(400)) w.add<datagrams>(25);
    if (random.chance(400)) w.add<stream_files>(25);
    if (random.chance(400)) w.add<block_files>(25);
    if (random.chance(200)) w.add<relays>(5);
    w.run();
    known = !w.broken(); // what a kernel accepts before it breaks down stays unknown
  }
  if (known && open_descriptors() != open_before) {
    std::fprintf(stderr, "\ndescriptors leaked\nto repeat: %s\n", repeat.c_str());
    std::abort();
  }
}

#endif // ASIO_URING_TEST_PROPERTIES_PROGRAM_HPP
