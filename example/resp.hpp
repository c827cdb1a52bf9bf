// resp.hpp: the protocol of Redis (RESP2): requests of bounded size, replies, and errors in Redis's words.
#ifndef EXAMPLE_RESP_HPP
#define EXAMPLE_RESP_HPP

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace resp {

constexpr std::size_t longest_request = 1024 * 1024; // bytes
constexpr std::size_t longest_inline_request = 64 * 1024;
constexpr std::int64_t most_arguments = 1024;

/// The bytes are no request. No request can be found behind them, so the connection has to end.
struct protocol_error : std::runtime_error
{
  using std::runtime_error::runtime_error;
};

using arguments = std::vector<std::string_view>;

/// Returns the number that the whole text stands for, if it is one.
inline std::optional<std::int64_t> integer(std::string_view text)
{
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Reads a line of a type's character and a number, and moves `at` behind it. Returns nothing if the line is
/// not complete.
inline std::optional<std::int64_t> take_length(std::string_view input, std::size_t& at, const char* error)
{
  constexpr std::size_t longest = 32;
  const std::size_t end = input.substr(at, longest).find("\r\n");
  if (end != input.npos) {
    const auto length = integer(input.substr(at + 1, end - 1));
    if (!length) throw protocol_error(error);
    at += end + 2;
    return length;
  }
  if (input.size() - at >= longest) throw protocol_error(error);
  return std::nullopt;
}

/// Reads a request that is a line of words. Quotes have no meaning.
inline std::size_t parse_inline(std::string_view input, arguments& found)
{
  const std::size_t end = input.find('\n');
  if (end > longest_inline_request) {
    if (input.size() > longest_inline_request) throw protocol_error("too big inline request");
    return 0;
  }
  std::string_view line = input.substr(0, end);
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty()) return end + 1;
    found.push_back(line.substr(0, line.find_first_of(" \t\r")));
    line.remove_prefix(found.back().size());
  }
}

/// Reads one request: returns its size in bytes, and its arguments, which are views of the input; 0 if it is
/// not complete. An empty line is a request without arguments. @throws protocol_error
inline std::size_t parse(std::string_view input, arguments& found)
{
  found.clear();
  if (!input.starts_with('*')) return parse_inline(input, found);
  std::size_t at = 0;
  const auto count = take_length(input, at, "invalid multibulk length");
  if (!count) return 0;
  if (*count > most_arguments) throw protocol_error("invalid multibulk length");
  for (std::int64_t i = 0; i < *count; ++i) {
    if (at == input.size()) return 0;
    if (input[at] != '$') throw protocol_error(std::string("expected '$', got '") + input[at] + "'");
    const auto length = take_length(input, at, "invalid bulk length");
    if (!length) return 0;
    const auto size = static_cast<std::size_t>(*length); // huge, if negative
    if (size > longest_request || at + size > longest_request) throw protocol_error("invalid bulk length");
    if (input.size() - at < size + 2) return 0;
    found.push_back(input.substr(at, size));
    at += size + 2;
  }
  return at;
}

/// Replies, one after the other, as they are sent.
class replies
{
public:
  const std::string& bytes() const { return bytes_; }

  void simple(std::string_view text) { line('+', text); }
  void integer(std::int64_t value) { line(':', std::to_string(value)); }
  void null() { line('$', "-1"); }
  void array(std::size_t size) { line('*', std::to_string(size)); } // so many replies follow
  void bulk(std::string_view data)
  {
    line('$', std::to_string(data.size()));
    bytes_.append(data).append("\r\n");
  }
  void error(std::string text)
  {
    for (char& c : text)
      if (c == '\r' || c == '\n') c = ' '; // what the client has sent may be quoted
    line('-', text);
  }

private:
  void line(char type, std::string_view text) { bytes_.append(1, type).append(text).append("\r\n"); }

  std::string bytes_;
};

} // namespace resp

#endif // EXAMPLE_RESP_HPP
