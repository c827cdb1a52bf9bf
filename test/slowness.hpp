// test/slowness.hpp: how much longer a test may take.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SLOWNESS_HPP
#define ASIO_URING_TEST_SLOWNESS_HPP

#include <cstdlib>

/// By which factor the program is slower than usual: ASIO_URING_TEST_SLOWNESS, set where the machine is
/// emulated, and with ThreadSanitizer and valgrind.
inline unsigned slowness()
{
  const char* factor = std::getenv("ASIO_URING_TEST_SLOWNESS");
  return factor && *factor ? static_cast<unsigned>(std::strtoul(factor, nullptr, 10)) : 1;
}

#endif // ASIO_URING_TEST_SLOWNESS_HPP
