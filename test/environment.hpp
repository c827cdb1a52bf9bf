// test/environment.hpp: what the environment asks of a test.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_ENVIRONMENT_HPP
#define ASIO_URING_TEST_ENVIRONMENT_HPP

#include <algorithm>
#include <cstdlib>
#include <string_view>

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

/// Whether a variable of the environment is that word.
inline bool environment_says(const char* variable, std::string_view word)
{
  const char* value = std::getenv(variable);
  return value && word == value;
}

/// Whether there is the fallback instead of the kernel's ring.
inline bool with_fallback()
{
  return environment_says("ASIO_URING_BACKEND", "fallback") ||
         environment_says("ASIO_URING_BACKEND", "reactor");
}

/// Whether a context's reactor has to be the ring.
inline bool with_ring_pump() { return environment_says("ASIO_URING_PUMP", "ring"); }

#endif // ASIO_URING_TEST_ENVIRONMENT_HPP
