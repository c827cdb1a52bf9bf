// test/fuzz/program.cpp: fuzzes random programs on a simulated kernel: the fuzzer's bytes decide.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "../properties/from_bytes.hpp"
#include "../simulation/sleep.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  run_program(data, size);
  return 0;
}
