// number.hpp: a number that an example is given as an argument.
#ifndef EXAMPLE_NUMBER_HPP
#define EXAMPLE_NUMBER_HPP

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>

/// @throws std::invalid_argument, saying what it is to be.
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

#endif // EXAMPLE_NUMBER_HPP
