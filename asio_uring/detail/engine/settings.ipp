// asio_uring/detail/engine/settings.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SETTINGS_IPP
#define ASIO_URING_DETAIL_ENGINE_SETTINGS_IPP

#include <algorithm>
#include <asio_uring/detail/engine/settings.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace asio_uring {
namespace detail {

ASIO_URING_DECL int chosen_word(const char* variable, std::initializer_list<const char*> words)
{
  const char* value = std::getenv(variable);
  if (!value || !*value) return 0;
  std::string allowed;
  int choice = 0;
  for (const char* word : words) {
    if (std::strcmp(word, value) == 0) return choice;
    if (choice++ > 0) allowed += ", ";
    allowed += word;
  }
  throw std::invalid_argument("asio_uring: " + std::string(variable) + "=" + value + ": allowed are " +
                              allowed);
}

inline void check_range(const char* name, unsigned value, unsigned lowest, unsigned highest)
{
  if (value < lowest || value > highest)
    throw std::invalid_argument("asio_uring: options." + std::string(name) + " = " + std::to_string(value) +
                                ": allowed is " + std::to_string(lowest) + " to " + std::to_string(highest));
}

template <typename Duration>
void check_duration(const char* name, Duration value, const char* unit, std::chrono::nanoseconds highest,
                    const char* limit)
{
  if (value < Duration(0) || value > highest)
    throw std::invalid_argument("asio_uring: options." + std::string(name) + " = " +
                                std::to_string(value.count()) + ' ' + unit + ": allowed is 0 to " + limit);
}

/// "5.13": two numbers with a point between them, and nothing else.
inline bool parse(const char* text, linux_version& version) noexcept
{
  const char* const end = text + std::strlen(text);
  const auto [point, major_error] = std::from_chars(text, end, version.major);
  if (major_error != std::errc() || point == end || *point != '.') return false;
  const auto [last, minor_error] = std::from_chars(point + 1, end, version.minor);
  return minor_error == std::errc() && last == end;
}

inline linux_version checked_version(linux_version chosen)
{
  std::string given = "options.newest = " + std::to_string(chosen.major) + "." + std::to_string(chosen.minor);
  bool understood = true;
  const char* value = std::getenv("ASIO_URING_NEWEST");
  if (chosen == linux_version() && value && *value) {
    given = std::string("ASIO_URING_NEWEST=") + value;
    understood = parse(value, chosen);
  }
  if (understood && chosen >= linux_version{5, 11}) return chosen;
  throw std::invalid_argument("asio_uring: " + given + ": allowed are versions from 5.11 on");
}

ASIO_URING_DECL options checked(options o)
{
  o.newest = checked_version(o.newest);
  check_range("entries", o.entries, 2, 32768);
  check_range("completions", o.completions, 2 * o.entries, 65536);
  check_range("read_ahead", o.read_ahead, 0, 64);
  check_duration("spin", o.spin, "ns", std::chrono::seconds(1), "1 s");
  check_duration("min_wait", o.min_wait, "us", std::chrono::milliseconds(100), "100 ms");
  check_duration("busy_poll", o.busy_poll, "us", std::chrono::seconds(1), "1 s");
  // The words are in the order of the enumerators; the last is an older name of the fallback.
  constexpr int force = static_cast<int>(fallback::force);
  if (o.path == path::automatic)
    o.path = path{chosen_word("ASIO_URING_PATH", {"automatic", "completion", "readiness"})};
  if (o.pump == pump_kind::automatic)
    o.pump = pump_kind{chosen_word("ASIO_URING_PUMP", {"automatic", "ring", "guest"})};
  if (o.fallback == fallback::automatic)
    o.fallback = fallback{
        std::min(chosen_word("ASIO_URING_BACKEND", {"automatic", "io_uring", "fallback", "reactor"}), force)};
  return o;
}

ASIO_URING_DECL std::string setup_advice(const std::system_error& e)
{
  switch (e.code().value()) {
  case EPERM:
    if (std::strstr(e.what(), "io_uring_enter"))
      return "io_uring: seccomp forbids io_uring_enter, though not io_uring_setup";
    return "io_uring: seccomp or kernel.io_uring_disabled forbids io_uring_setup";
  case ENOSYS:
    return "io_uring: the kernel has no io_uring, or is older than Linux 5.11";
  case ENOMEM:
    return "io_uring: no memory for the ring; raise RLIMIT_MEMLOCK (ulimit -l) or options.entries is too "
           "large";
  case EMFILE:
  case ENFILE:
    return "io_uring: no file descriptor left for the ring (ulimit -n)";
  default: // of a security module, for instance
    return std::string("io_uring: the kernel gives no ring: ") + e.what();
  }
}

[[noreturn]] ASIO_URING_DECL void refuse_setup(const std::system_error& e)
{
  throw system_error(error_code(e.code().value(), system_category()), setup_advice(e));
}

} // namespace detail

ASIO_URING_DECL const char* name(pump_kind k) noexcept
{
  return k == pump_kind::ring ? "ring" : k == pump_kind::guest ? "guest" : "automatic";
}

ASIO_URING_DECL const char* name(path p) noexcept
{
  return p == path::completion ? "completion" : p == path::readiness ? "readiness" : "automatic";
}

} // namespace asio_uring

#endif // ASIO_URING_DETAIL_ENGINE_SETTINGS_IPP
