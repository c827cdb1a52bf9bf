// asio_uring/ring/config.hpp: requirements on platform and compiler; header-only or separate compilation.
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

// Including a missing file stops the compiler here; otherwise hundreds of further errors would hide the one
// above.
#if !defined(ASIO_URING_HAS_ITS_PLATFORM)
#include <asio_uring/see_the_error_above>
#endif

#include <sys/types.h>
static_assert(sizeof(off_t) == 8,
              "asio_uring: offsets in files need 64 bits: compile with -D_FILE_OFFSET_BITS=64");

// Marks functions that are not templates: inline in a header-only build; with
// ASIO_URING_SEPARATE_COMPILATION, ordinary functions of the one translation unit that includes
// asio_uring/src.hpp.
#if defined(ASIO_URING_SEPARATE_COMPILATION)
#define ASIO_URING_DECL
#else
#define ASIO_URING_DECL inline
#define ASIO_URING_HEADER_ONLY
#endif

// Declares a function off the fast path and keeps it out of line. Do not repeat it at the definition: g++
// warns of "inline" on a noinline function.
#define ASIO_URING_COLD [[gnu::noinline, gnu::cold]] ASIO_URING_DECL

#endif // ASIO_URING_RING_CONFIG_HPP
