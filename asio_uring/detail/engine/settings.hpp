// asio_uring/detail/engine/settings.hpp: options as they are in force, and what to say where a ring cannot be
// had.
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

/// A choice left open by the program, made in the environment: which of the words, from 1 on; 0 if none is
/// given, or "automatic". Throws std::invalid_argument for another word, naming it.
ASIO_URING_DECL int chosen_word(const char* variable, std::initializer_list<const char*> words);

/// With what the environment says where the program leaves it open. Throws std::invalid_argument for a value
/// out of range, naming it.
ASIO_URING_DECL options checked(options o);

/// What a person can do about a ring that cannot be had.
ASIO_URING_DECL std::string setup_advice(const std::system_error& e);
[[noreturn]] ASIO_URING_DECL void refuse_setup(const std::system_error& e);

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/settings.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_SETTINGS_HPP
