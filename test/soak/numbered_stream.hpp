// test/soak/numbered_stream.hpp: a session's bytes and course, both determined by its number.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SOAK_NUMBERED_STREAM_HPP
#define ASIO_URING_TEST_SOAK_NUMBERED_STREAM_HPP

#include "books.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace soak {

enum class manner
{
  steady,
  dribbling,    // a few bytes now and then
  slow_reading, // reads nothing until the other end cannot write any more
  reset,        // in these three, the client ends the session in the middle
  close,
  destroy,
  reset_by_server,
  close_by_server,
  destroy_by_server
};
inline constexpr std::size_t manners = 9;

inline bool is_killed(manner m) { return m >= manner::reset; }
inline bool is_killed_by_server(manner m) { return m >= manner::reset_by_server; }
inline bool is_destroyed(manner m) { return m == manner::destroy || m == manner::destroy_by_server; }

/// A session's bytes: first its number, from which both ends know its course, then bytes that are determined
/// by it.
class numbered_stream
{
  static constexpr std::size_t period = 1'000'003;
  std::uint32_t id_;

  static const std::string& bytes()
  {
    static const std::string block = [] {
      std::mt19937 random(7);
      std::string s(period, '\0');
      for (char& c : s)
        c = static_cast<char>(random());
      return s + s.substr(0, largest);
    }();
    return block;
  }

public:
  static constexpr std::size_t largest = 1 << 17; // the largest piece

  explicit numbered_stream(std::uint32_t id) : id_(id) {}
  std::uint32_t id() const { return id_; }
  manner how() const { return static_cast<manner>(id_ % manners); }

  void copy(std::uint64_t at, char* to, std::size_t size) const
  {
    std::memcpy(to, bytes().data() + (id_ * 7919ull + at) % period, size);
    for (std::uint64_t i = at; i < sizeof id_ && i < at + size; ++i)
      to[i - at] = reinterpret_cast<const char*>(&id_)[i];
  }
  bool matches(std::uint64_t at, const char* data, std::size_t size) const
  {
    std::array<char, 4096> expected;
    for (std::size_t done = 0, n; done != size; done += n) {
      n = std::min(size - done, expected.size());
      copy(at + done, expected.data(), n);
      if (std::memcmp(expected.data(), data + done, n) != 0) return false;
    }
    return true;
  }
};

inline std::atomic<std::uint32_t> next_session{1};

/// A buffer in four pieces, some of them empty.
template <class Buffer>
std::array<Buffer, 4> in_pieces(Buffer whole, random_engine& random)
{
  std::array<Buffer, 4> pieces;
  for (auto& piece : pieces) {
    const bool rest = &piece == &pieces.back() || random() % 2;
    piece = Buffer(whole.data(), rest ? whole.size() : random() % (whole.size() + 1));
    whole += piece.size();
  }
  return pieces;
}
inline auto cut(asio::mutable_buffer whole, random_engine& random) { return in_pieces(whole, random); }
inline auto cut(asio::const_buffer whole, random_engine& random) { return in_pieces(whole, random); }

/// Returns a random size; many are small, few are large.
inline std::size_t random_size(random_engine& random, unsigned bits)
{
  return 1 + random() % (1u << random() % bits);
}

} // namespace soak

#endif // ASIO_URING_TEST_SOAK_NUMBERED_STREAM_HPP
