// test/properties/from_bytes.hpp: a random program that takes its decisions from given bytes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_FROM_BYTES_HPP
#define ASIO_URING_TEST_PROPERTIES_FROM_BYTES_HPP

#include "program.hpp"

/// Runs a program as long as there are bytes.
inline void run_program(const std::uint8_t* data, std::size_t size)
{
  using asio_uring::path;
  using asio_uring::pump_kind;
  static constexpr settings all[] = {{"ring_automatic"},
                                     {"ring_readiness", path::readiness},
                                     {"ring_completion", path::completion},
                                     {"guest_automatic", path::automatic, pump_kind::guest},
                                     {"guest_readiness", path::readiness, pump_kind::guest},
                                     {"guest_completion", path::completion, pump_kind::guest}};
  decisions random(data, size);
  const settings& s = all[random.below(std::size(all))];
  run_program(random, 100'000, s, std::string("fuzz_program FILE, which is a program of ") + s.name);
}

#endif // ASIO_URING_TEST_PROPERTIES_FROM_BYTES_HPP
