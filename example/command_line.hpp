// command_line.hpp: the command lines of the examples.
#ifndef EXAMPLE_COMMAND_LINE_HPP
#define EXAMPLE_COMMAND_LINE_HPP

#include <charconv>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

/// Returns the number that an argument stands for. @throws std::invalid_argument, whose text names the
/// allowed range.
inline int number(const char* what, std::string_view text, int least, int most)
{
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
    throw std::invalid_argument("'" + std::string(text) + "' is not a " + what + " (" +
                                std::to_string(least) + " to " + std::to_string(most) + ")");
  return value;
}

inline unsigned short port_number(std::string_view text)
{
  return static_cast<unsigned short>(number("port", text, 0, 65535));
}

/// Removes the option from the arguments if it is the first of them, and returns whether it was.
/// @throws std::invalid_argument if another option is there.
inline bool take_option(std::string_view option, int& argc, char**& argv)
{
  if (argc < 2 || !std::string_view(argv[1]).starts_with("--")) return false;
  if (argv[1] != option)
    throw std::invalid_argument("unknown option '" + std::string(argv[1]) +
                                "'; for a file of that name use './" + argv[1] + "'");
  argv[1] = argv[0];
  --argc;
  ++argv;
  return true;
}

/// The arguments of a server: [address] port [threads].
struct server_arguments
{
  std::string address = "127.0.0.1";
  unsigned short port = 0;
  int threads = 1;

  server_arguments(int argc, char** argv)
  {
    int next = 1;
    if (argc > 1 && std::string_view(argv[1]).find_first_of(".:") != std::string_view::npos)
      address = argv[next++];
    if (argc < next + 1 || argc > next + 2) throw std::invalid_argument("wrong number of arguments");
    port = port_number(argv[next]);
    if (argc > next + 1) threads = number("number of threads", argv[next + 1], 1, 256);
  }
};

/// Runs the program and returns its exit code. Writes what it throws to standard error.
template <typename Program>
int run_example(const char* name, const char* arguments, Program program)
{
  try {
    program();
    return 0;
  } catch (const std::invalid_argument& error) {
    std::cerr << name << ": " << error.what() << "\nusage: " << name << ' ' << arguments << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}

#endif // EXAMPLE_COMMAND_LINE_HPP
