// Command lines of the form `--name value` and `--flag`.
#ifndef ASIO_URING_BENCH_OPTIONS_HPP
#define ASIO_URING_BENCH_OPTIONS_HPP

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace bench {

class options
{
public:
  // The usage text is also the list of options: one that it does not mention is refused.
  options(int argc, char** argv, std::string_view usage) : usage_(usage)
  {
    for (int i = 1; i < argc; ++i) {
      std::string name = argv[i];
      if (!name.starts_with("--") || !known(name)) fail("unknown option " + name);
      bool const value = i + 1 < argc && !std::string_view(argv[i + 1]).starts_with("--");
      given_[name.substr(2)] = value ? argv[++i] : "";
    }
  }

  bool has(std::string const& name) const { return given_.contains(name); }

  std::string text(std::string const& name, std::string fallback = {}) const
  {
    auto const at = given_.find(name);
    return at == given_.end() ? fallback : at->second;
  }

  double number(std::string const& name, double fallback) const
  {
    if (!has(name)) return fallback;
    char* end = nullptr;
    auto const value = text(name);
    double const result = std::strtod(value.c_str(), &end);
    if (value.empty() || *end) fail("--" + name + " wants a number");
    return result;
  }

  [[noreturn]] void fail(std::string const& why) const
  {
    std::fprintf(stderr, "%s\nusage: %.*s\n", why.c_str(), static_cast<int>(usage_.size()), usage_.data());
    std::exit(2);
  }

private:
  bool known(std::string const& name) const
  {
    auto const at = usage_.find(name);
    return at != usage_.npos && usage_.find_first_of(" ]|\n", at) == at + name.size();
  }

  std::string_view usage_;
  std::map<std::string, std::string> given_;
};

} // namespace bench

#endif
