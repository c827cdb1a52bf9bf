// test/simulation/decisions.hpp: the source of all random decisions.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATION_DECISIONS_HPP
#define ASIO_URING_TEST_SIMULATION_DECISIONS_HPP

#include <cstddef>
#include <cstdint>

/// Draws from a seed (splitmix64), with the same results on every machine; or from given bytes, and from a
/// seed when they are used up.
class decisions
{
public:
  explicit decisions(std::uint64_t seed) noexcept : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  decisions(const std::uint8_t* bytes, std::size_t size) noexcept
      : state_(size), bytes_(bytes), left_(size), by_bytes_(true)
  {}

  std::uint64_t next() noexcept
  {
    if (left_ > 0) return byte();
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// From 0 to limit - 1.
  std::size_t below(std::size_t limit) noexcept
  {
    if (left_ > 1 && limit > 256) return (byte() << 8 | byte()) % limit;
    return static_cast<std::size_t>(next() % limit);
  }
  /// Draws true with that probability. A byte of 0 means false, unless it is certain.
  bool chance(unsigned per_mille) noexcept
  {
    if (left_ > 0) return (255 - byte()) * 1000 < per_mille * 256;
    return next() % 1000 < per_mille;
  }
  /// Whether there were bytes and all are used up.
  bool used_up() const noexcept { return by_bytes_ && left_ == 0; }

private:
  std::size_t byte() noexcept
  {
    --left_;
    return *bytes_++;
  }

  std::uint64_t state_;
  const std::uint8_t* bytes_ = nullptr;
  std::size_t left_ = 0;
  bool by_bytes_ = false;
};

#endif // ASIO_URING_TEST_SIMULATION_DECISIONS_HPP
