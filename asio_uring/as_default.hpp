// asio_uring/as_default.hpp: the whole program on io_uring, without a change of its source.
//
//   g++ -std=c++20 -include asio_uring/as_default.hpp program.cpp -luring
//
// Must be the first header of every translation unit. All sockets and acceptors of boost::asio, also those
// inside Boost.Beast and other libraries, then perform their operations through io_uring; with
// ASIO_URING_STANDALONE those of Asio without Boost. The linker refuses a translation unit that lacks it
// (detail/asio/mixed_units.hpp); a shared library that lacks it keeps its stock sockets
// (detail/asio/abi_tag.hpp). Define macros for Asio on the command line (detail/asio/late_macros.hpp).
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_AS_DEFAULT_HPP
#define ASIO_URING_AS_DEFAULT_HPP

#if defined(ASIO_URING_STANDALONE) && defined(ASIO_DETAIL_CONFIG_HPP) && !defined(ASIO_URING_CONFIG_HPP)
#error "asio_uring/as_default.hpp comes too late: include it before any header of Asio, best by -include"
#elif !defined(ASIO_URING_STANDALONE) && defined(BOOST_ASIO_DETAIL_CONFIG_HPP) &&                            \
    !defined(ASIO_URING_CONFIG_HPP)
#error                                                                                                       \
    "asio_uring/as_default.hpp comes too late: include it before any header of Boost.Asio, best by -include"
#elif defined(ASIO_URING_CONFIG_HPP) && !defined(ASIO_URING_AS_DEFAULT)
#error "asio_uring/as_default.hpp comes too late: include it before any other header of asio_uring"
#else

#if !defined(ASIO_URING_AS_DEFAULT)
#define ASIO_URING_AS_DEFAULT
#endif

#include <asio_uring/config.hpp>

#if !defined(ASIO_URING_ALLOW_MIXED_UNITS)
#include <asio_uring/detail/asio/abi_tag.hpp>
#endif

#include <asio_uring/any_io_executor.hpp>
#include <asio_uring/detail/asio/mixed_units.hpp>
#include <asio_uring/detail/object/basic_files.hpp>

#if defined(ASIO_URING_STANDALONE)
#include <asio_uring/detail/asio/boost_asio.hpp>
#include <asio_uring/detail/asio/late_standalone_macros.hpp>
#else
#include <asio_uring/detail/asio/late_macros.hpp>
#include <asio_uring/detail/asio/standalone_asio.hpp>
#endif

#endif

#endif // ASIO_URING_AS_DEFAULT_HPP
