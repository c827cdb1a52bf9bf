// test/fuzz/options.cpp: fuzzes options, environment variables and submission entries.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio_uring/asio_uring.hpp>
#include <asio_uring/async_submit.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace asio_uring;

[[noreturn]] void fail(const std::string& what)
{
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

/// Takes values from the input; behind its end there are zeros.
class input
{
public:
  input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  template <typename T>
  T take()
  {
    T value{};
    const std::size_t n = std::min(left_, sizeof(T));
    std::memcpy(&value, data_, n);
    skip(n);
    return value;
  }
  /// Takes text up to the next zero; for some first bytes, returns a word with a meaning instead.
  std::string text()
  {
    static constexpr const char* words[] = {"",      "automatic", "completion", "readiness", "ring",
                                            "guest", "io_uring",  "reactor",    "5.11",      "6.18"};
    const auto choice = take<std::uint8_t>();
    if (choice < std::size(words)) return words[choice];
    const std::size_t n = ::strnlen(reinterpret_cast<const char*>(data_), left_);
    const std::string s(reinterpret_cast<const char*>(data_), n);
    skip(std::min(left_, n + 1));
    return s;
  }

private:
  void skip(std::size_t n)
  {
    data_ += n;
    left_ -= n;
  }
  const std::uint8_t* data_;
  std::size_t left_;
};

/// Parses a decimal number, if it fits.
std::optional<unsigned> number(std::string_view s)
{
  std::uint64_t value = 0;
  for (const char c : s) {
    if (c < '0' || c > '9') return std::nullopt;
    value = 10 * value + static_cast<std::uint64_t>(c - '0');
    if (value > ~0u) return std::nullopt;
  }
  if (s.empty()) return std::nullopt;
  return static_cast<unsigned>(value);
}
std::optional<linux_version> version(std::string_view s)
{
  const std::size_t point = s.find('.');
  if (point == s.npos) return std::nullopt;
  const auto major = number(s.substr(0, point)), minor = number(s.substr(point + 1));
  if (!major || !minor) return std::nullopt;
  return linux_version{*major, *minor};
}

/// What a word in the environment chooses; nothing if it must be refused.
std::optional<int> choice(const std::string& word, std::initializer_list<const char*> words)
{
  if (word.empty()) return 0; // as automatic, the first of the words
  int n = 0;
  for (const char* w : words) {
    if (word == w) return n;
    ++n;
  }
  return std::nullopt;
}

struct words
{
  std::string path, pump, backend, newest;
};

/// The options that must be in effect; nothing if these must be refused. (Other members are not checked.)
std::optional<options> expected(options o, const words& w)
{
  if (o.entries < 2 || o.entries > 32768) return std::nullopt;
  if (o.completions == 0) o.completions = std::max(4096U, 2 * o.entries);
  if (o.completions < 2 * o.entries || o.completions > 65536) return std::nullopt;
  if (o.newest == linux_version() && !w.newest.empty() && w.newest != "automatic") {
    const auto v = version(w.newest);
    if (!v) return std::nullopt;
    o.newest = *v;
  }
  if (o.newest < linux_version{5, 11}) return std::nullopt;
  const auto path = choice(w.path, {"automatic", "completion", "readiness"});
  const auto pump = choice(w.pump, {"automatic", "ring", "guest"});
  const auto backend = choice(w.backend, {"automatic", "io_uring", "fallback", "reactor"});
  if ((o.path == path::automatic && !path) || (o.pump == pump_kind::automatic && !pump) ||
      (o.fallback == fallback::automatic && !backend))
    return std::nullopt;
  if (o.path == path::automatic) o.path = asio_uring::path{*path};
  if (o.pump == pump_kind::automatic) o.pump = pump_kind{*pump};
  if (o.fallback == fallback::automatic) o.fallback = fallback{std::min(*backend, 2)};
  return o;
}

void check_options(input& in)
{
  options o;
  o.entries = in.take<std::uint8_t>() & 1 ? in.take<std::uint16_t>() : in.take<std::uint32_t>();
  o.completions = in.take<std::uint8_t>() & 1 ? in.take<std::uint16_t>() : in.take<std::uint32_t>();
  o.path = path{in.take<std::uint8_t>() % 3};
  o.pump = pump_kind{in.take<std::uint8_t>() % 3};
  o.fallback = fallback{in.take<std::uint8_t>() % 3};
  if (in.take<std::uint8_t>() & 1) o.newest = {in.take<std::uint8_t>(), in.take<std::uint8_t>()};
  const words w{in.text(), in.text(), in.text(), in.text()};
  ::setenv("ASIO_URING_PATH", w.path.c_str(), 1);
  ::setenv("ASIO_URING_PUMP", w.pump.c_str(), 1);
  ::setenv("ASIO_URING_BACKEND", w.backend.c_str(), 1);
  ::setenv("ASIO_URING_NEWEST", w.newest.c_str(), 1);

  const std::optional<options> right = expected(o, w);
  try {
    const options is = detail::checked(o);
    if (!right) fail("wrong options are taken: NEWEST=\"" + w.newest + "\"");
    if (is.entries != right->entries || is.completions != right->completions || is.path != right->path ||
        is.pump != right->pump || is.fallback != right->fallback || is.newest != right->newest)
      fail("options are not what was chosen");
  } catch (const std::invalid_argument& e) {
    if (right) fail(std::string("right options are refused: ") + e.what());
    if (!std::strstr(e.what(), "ASIO_URING_") && !std::strstr(e.what(), "options."))
      fail("a refusal does not tell what is wrong");
  }
}

/// Stands for any kernel: it supports some of the opcodes.
class some_kernel final : public emulated_kernel
{
public:
  some_kernel(std::uint64_t opcodes, linux_version newest) : emulated_kernel(2, 4)
  {
    for (unsigned i = 0; i < 64; ++i)
      features_.opcodes[i] = opcodes >> i & 1;
    features_.limit(newest);
  }
  int enter(unsigned, const __kernel_timespec*) noexcept override { return 0; }
  int fd() noexcept override { return -1; }
};

void check_entry(input& in)
{
  const auto entry = in.take<io_uring_sqe>();
  const auto opcodes = in.take<std::uint64_t>();
  const linux_version newest{5 + in.take<std::uint8_t>() % 3u, in.take<std::uint8_t>() % 24u};
  const ring r(std::make_unique<some_kernel>(opcodes, newest));
  const bool single = !detail::misuse_of(entry);
  std::optional<int> refused = detail::refused(entry, r);
  if (refused) refused = detail::kernel_result(*refused);
  const std::optional<int> right = !single                              ? std::optional(-EINVAL)
                                   : !r.features().opcode(entry.opcode) ? std::optional(-EOPNOTSUPP)
                                                                        : std::nullopt;
  if (refused != right) fail("an entry is refused for the wrong reason");
  if (single && entry.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_IO_DRAIN | IOSQE_CQE_SKIP_SUCCESS))
    fail("an entry that is bound to others is taken");
  detail::for_each_late_number(entry, in.take<std::uint8_t>() & 1, [&](int fd) {
    if (fd != entry.fd && fd != entry.splice_fd_in) fail("a number that is not in the entry");
  });
}

void check_texts(input& in)
{
  const auto error = in.take<std::int32_t>();
  const std::system_error e(error, std::system_category(), in.text());
  if (detail::setup_advice(e).empty()) fail("no advice");
  const auto bits = in.take<std::uint32_t>();
  for (const std::string& names : {setup_flag_names(bits), feature_names(bits)})
    if (names.empty() != (bits == 0)) fail("names of bits");
  if (!opcode_name(in.take<std::uint32_t>())) fail("name of an opcode");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
  input in(data, size);
  switch (in.take<std::uint8_t>() % 3) {
  case 0:
    check_options(in);
    break;
  case 1:
    check_entry(in);
    break;
  default:
    check_texts(in);
  }
  return 0;
}
