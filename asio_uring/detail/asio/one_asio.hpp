// asio_uring/detail/asio/one_asio.hpp: has the linker refuse a program that is built on both Asios.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_ONE_ASIO_HPP
#define ASIO_URING_DETAIL_ASIO_ONE_ASIO_HPP

#include <asio_uring/config.hpp>

// The same names of asio_uring mean other classes with ASIO_URING_STANDALONE than without. As in
// mixed_units.hpp, a symbol is thread-local in the one, and not in the other, which linkers refuse:
//
//   TLS definition in a.o section .tbss.asio_uring_on_asio_without_boost mismatches non-TLS definition in b.o
//   section .bss.asio_uring_on_boost_asio
//
// A shared library has its own.

#if defined(__GNUC__) && defined(__ELF__)
namespace asio_uring::detail {
#if defined(ASIO_URING_STANDALONE)
[[gnu::used, gnu::visibility("hidden"),
  gnu::section(".tbss.asio_uring_on_asio_without_boost")]] inline constinit thread_local char
    built_on asm("asio_uring_built_on");
#else
[[gnu::used, gnu::visibility("hidden"),
  gnu::section(".bss.asio_uring_on_boost_asio")]] inline constinit char built_on asm("asio_uring_built_on");
#endif
} // namespace asio_uring::detail
#endif

#endif // ASIO_URING_DETAIL_ASIO_ONE_ASIO_HPP
