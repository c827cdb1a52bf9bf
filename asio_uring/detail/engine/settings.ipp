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
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asio_uring {
namespace detail {

/// Returns the value of a variable, or null if it is not set, empty or "automatic".
inline const char* chosen(const char* variable) noexcept
{
  const char* const value = std::getenv(variable);
  return value && *value && std::strcmp(value, "automatic") != 0 ? value : nullptr;
}

[[noreturn]] inline void refuse_setting(const std::string& what, const std::string& allowed)
{
  throw std::invalid_argument("asio_uring: " + what + ": allowed " + allowed);
}

ASIO_URING_DECL int chosen_word(const char* variable, std::initializer_list<const char*> words)
{
  const char* const value = chosen(variable);
  if (!value) return 0;
  std::string allowed = "are automatic";
  int choice = 0;
  for (const char* word : words) {
    ++choice;
    if (std::strcmp(word, value) == 0) return choice;
    (allowed += ", ") += word;
  }
  refuse_setting(std::string(variable) + '=' + value, allowed);
}

// Conversions between values and text. read_setting() returns false unless the whole text is a value; a
// function called parse would be taken for std::chrono::parse.

template <typename Number>
bool read_setting(std::string_view text, Number& value) noexcept requires std::unsigned_integral<Number>
{
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}
inline std::string text_of(std::size_t value) { return std::to_string(value); }

/// A version, such as "5.13".
inline bool read_setting(std::string_view text, linux_version& version) noexcept
{
  const std::size_t point = text.find('.');
  return point != text.npos && read_setting(text.substr(0, point), version.major) &&
         read_setting(text.substr(point + 1), version.minor);
}
inline std::string text_of(linux_version version)
{
  return std::to_string(version.major) + '.' + std::to_string(version.minor);
}

/// A time, such as "50us".
template <typename Period>
bool read_setting(std::string_view text, std::chrono::duration<std::int64_t, Period>& value) noexcept
{
  constexpr std::pair<std::string_view, std::int64_t> units[] = {
      {"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}};
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::uint64_t count = 0;
  std::int64_t nanoseconds = 0;
  if (!read_setting(text.substr(0, digits), count)) return false;
  const auto unit = std::find_if(std::begin(units), std::end(units),
                                 [&](const auto& u) { return u.first == text.substr(digits); });
  if (unit == std::end(units) ? count != 0 || digits != text.size()
                              : __builtin_mul_overflow(count, unit->second, &nanoseconds))
    return false;
  value = std::chrono::duration_cast<std::decay_t<decltype(value)>>(std::chrono::nanoseconds(nanoseconds));
  return true;
}
template <typename Period>
std::string text_of(std::chrono::duration<std::int64_t, Period> value)
{
  return std::to_string(value.count()) + (std::is_same_v<Period, std::nano> ? " ns" : " us");
}

/// Takes an option from the environment if the program has left it at its default, and checks it.
template <typename T, typename Allowed>
void settle(options& o, T options::*option, const char* name, const char* variable, Allowed&& is_allowed,
            const std::string& allowed)
{
  T& value = o.*option;
  std::string given = std::string("options.") + name + " = " + text_of(value);
  bool understood = true;
  if (const char* const text = chosen(variable); text && value == options().*option) {
    given = std::string(variable) + '=' + text;
    understood = read_setting(text, value);
  }
  if (!understood || !is_allowed(value)) refuse_setting(given, allowed);
}

template <typename T>
void settle_range(options& o, T options::*option, const char* name, const char* variable,
                  std::type_identity_t<T> lowest, std::type_identity_t<T> highest, const std::string& allowed)
{
  const auto is_allowed = [&](T value) { return lowest <= value && value <= highest; };
  settle(o, option, name, variable, is_allowed, "is " + allowed);
}
inline void settle_range(options& o, unsigned options::*option, const char* name, const char* variable,
                         unsigned lowest, unsigned highest)
{
  settle_range(o, option, name, variable, lowest, highest, text_of(lowest) + " to " + text_of(highest));
}

ASIO_URING_DECL options checked(options o)
{
  using namespace std::chrono_literals;
  settle(
      o, &options::newest, "newest", "ASIO_URING_NEWEST",
      [](linux_version v) {
        return v >= linux_version{5, 11};
      },
      "are versions from 5.11 on");
  settle_range(o, &options::entries, "entries", "ASIO_URING_ENTRIES", 2, 32768);
  const unsigned fewest = 2 * o.entries;
  if (o.completions == 0 && !chosen("ASIO_URING_COMPLETIONS")) o.completions = std::max(4096U, fewest);
  settle_range(o, &options::completions, "completions", "ASIO_URING_COMPLETIONS", fewest, 65536);
  settle_range(o, &options::read_ahead, "read_ahead", "ASIO_URING_READ_AHEAD", 0, 64);
  settle_range(o, &options::spin, "spin", "ASIO_URING_SPIN", 0ns, 1s, "0 to 1 s, such as 50us");
  settle_range(o, &options::min_wait, "min_wait", "ASIO_URING_MIN_WAIT", 0us, 100ms,
               "0 to 100 ms, such as 50us");
  settle_range(o, &options::busy_poll, "busy_poll", "ASIO_URING_BUSY_POLL", 0us, 1s,
               "0 to 1 s, such as 50us");
  settle(
      o, &options::zero_copy_threshold, "zero_copy_threshold", "ASIO_URING_ZERO_COPY_THRESHOLD",
      [](std::size_t) { return true; }, "are numbers of bytes");
  // The words are in the order of the enumerators; "reactor" is a synonym of "fallback".
  constexpr int force = static_cast<int>(fallback::force);
  if (o.path == path::automatic) o.path = path{chosen_word("ASIO_URING_PATH", {"completion", "readiness"})};
  if (o.pump == pump_kind::automatic) o.pump = pump_kind{chosen_word("ASIO_URING_PUMP", {"ring", "guest"})};
  if (o.closing == closing::automatic)
    o.closing = closing{chosen_word("ASIO_URING_CLOSING", {"at_once", "with_next_enter"})};
  if (o.fallback == fallback::automatic)
    o.fallback =
        fallback{std::min(chosen_word("ASIO_URING_BACKEND", {"io_uring", "fallback", "reactor"}), force)};
  return o;
}

ASIO_URING_DECL std::string setup_advice(const std::system_error& e)
{
  switch (e.code().value()) {
  case EACCES:
    return "io_uring: a security module or seccomp forbids io_uring_setup";
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
  default: // a security module may return any error
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
