// test/slowness.hpp: how much longer a test may take, and how much less it does, where programs run slowly.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SLOWNESS_HPP
#define ASIO_URING_TEST_SLOWNESS_HPP

#include <algorithm>
#include <cstdlib>

/// By which factor the program is slower than usual: ASIO_URING_TEST_SLOWNESS, set where the machine is
/// emulated, and with ThreadSanitizer and valgrind.
inline unsigned slowness()
{
  const char* factor = std::getenv("ASIO_URING_TEST_SLOWNESS");
  return factor && *factor ? static_cast<unsigned>(std::strtoul(factor, nullptr, 10)) : 1;
}

/// How many rounds of `n` to run: ASIO_URING_TEST_SHARE is a divisor, set with valgrind.
inline int rounds(int n)
{
  const char* share = std::getenv("ASIO_URING_TEST_SHARE");
  return share ? std::max(1, n / std::max(1, std::atoi(share))) : n;
}

#endif // ASIO_URING_TEST_SLOWNESS_HPP
