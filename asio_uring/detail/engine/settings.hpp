// asio_uring/detail/engine/settings.hpp: completes and checks options, and explains why a ring cannot be set
// up.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SETTINGS_HPP
#define ASIO_URING_DETAIL_ENGINE_SETTINGS_HPP

#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/options.hpp>
#include <initializer_list>
#include <string>
#include <system_error>

namespace asio_uring::detail {

/// Returns the position, from 1 on, of an environment variable's value among the words; 0 if it is not set,
/// empty or "automatic". Throws std::invalid_argument, which names the value, if it is none of them.
ASIO_URING_DECL int chosen_word(const char* variable, std::initializer_list<const char*> words);

/// Returns the options, those at their defaults replaced by the environment's. Throws std::invalid_argument,
/// which names the option or the variable, for a value that is not allowed.
ASIO_URING_DECL options checked(options o);

/// Says why a ring could not be set up and, where possible, what to do.
ASIO_URING_DECL std::string setup_advice(const std::system_error& e);
/// Throws the error with that text.
[[noreturn]] ASIO_URING_DECL void refuse_setup(const std::system_error& e);

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/settings.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_SETTINGS_HPP
