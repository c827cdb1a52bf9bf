// asio_uring/ring/config.hpp: what the library needs of platform and compiler, and how its functions are
// compiled.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_CONFIG_HPP
#define ASIO_URING_RING_CONFIG_HPP

#if !defined(__linux__)
#error "asio_uring: needs Linux"
#elif __cplusplus < 202002L
#error "asio_uring: needs C++20 (-std=c++20)"
#elif !defined(__cpp_exceptions)
#error "asio_uring: needs exceptions: one tells that a ring cannot be had, and why"
#else
#define ASIO_URING_HAS_ITS_PLATFORM
#endif

// A file that does not exist ends the compilation; hundreds of errors would hide the one that counts.
#if !defined(ASIO_URING_HAS_ITS_PLATFORM)
#include <asio_uring/see_the_error_above>
#endif

// Functions that are not templates: inline in a header-only build, ordinary functions of one translation unit
// (the one that includes asio_uring/src.hpp) with ASIO_URING_SEPARATE_COMPILATION.
#if defined(ASIO_URING_SEPARATE_COMPILATION)
#define ASIO_URING_DECL
#else
#define ASIO_URING_DECL inline
#define ASIO_URING_HEADER_ONLY
#endif

// Declares a function off the fast path: kept out of line. Its definition says nothing, for g++ warns of
// "inline" there.
#define ASIO_URING_COLD [[gnu::noinline, gnu::cold]] ASIO_URING_DECL

#endif // ASIO_URING_RING_CONFIG_HPP
