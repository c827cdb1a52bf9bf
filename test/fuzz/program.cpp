// test/fuzz/program.cpp: random programs on a simulated kernel whose decisions are the fuzzer's bytes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "../properties/program.hpp"
#include "../simulation/sleep.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
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
  // It goes on as long as there are bytes.
  run_program(random, 100'000, s, std::string("fuzz_program FILE, which is a program of ") + s.name);
  return 0;
}
