// test/environment.hpp: how environment variables configure the tests.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_ENVIRONMENT_HPP
#define ASIO_URING_TEST_ENVIRONMENT_HPP

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

/// A variable of the environment, for as long as this lives; null: unset.
class environment
{
public:
  environment(const char* variable, const char* value) : variable_(variable)
  {
    if (const char* const former = std::getenv(variable)) former_ = former;
    set(value);
  }
  ~environment() { set(former_ ? former_->c_str() : nullptr); }
  environment(const environment&) = delete;

private:
  void set(const char* value) const
  {
    if (value)
      ::setenv(variable_, value, 1);
    else
      ::unsetenv(variable_);
  }

  const char* const variable_;
  std::optional<std::string> former_;
};

/// The factor by which the program is slower than usual: ASIO_URING_TEST_SLOWNESS, set where the machine is
/// emulated, and with ThreadSanitizer and valgrind.
inline unsigned slowness()
{
  const char* factor = std::getenv("ASIO_URING_TEST_SLOWNESS");
  return factor && *factor ? static_cast<unsigned>(std::strtoul(factor, nullptr, 10)) : 1;
}

/// How many of `n` rounds to run: ASIO_URING_TEST_SHARE is a divisor, set with valgrind.
inline int rounds(int n)
{
  const char* share = std::getenv("ASIO_URING_TEST_SHARE");
  return share ? std::max(1, n / std::max(1, std::atoi(share))) : n;
}

/// Whether an environment variable has this value.
inline bool environment_says(const char* variable, std::string_view word)
{
  const char* value = std::getenv(variable);
  return value && word == value;
}

/// Whether the fallback is used instead of the kernel's ring.
inline bool with_fallback()
{
  return environment_says("ASIO_URING_BACKEND", "fallback") ||
         environment_says("ASIO_URING_BACKEND", "reactor");
}

/// Whether the ring must replace a context's reactor.
inline bool with_ring_pump() { return environment_says("ASIO_URING_PUMP", "ring"); }

#endif // ASIO_URING_TEST_ENVIRONMENT_HPP
