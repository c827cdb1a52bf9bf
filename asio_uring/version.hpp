// asio_uring/version.hpp: the library's version.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_VERSION_HPP
#define ASIO_URING_VERSION_HPP

/// Encoded like BOOST_ASIO_VERSION: ASIO_URING_VERSION % 100 is the patch level,
/// ASIO_URING_VERSION / 100 % 1000 the minor version, ASIO_URING_VERSION / 100000 the major version.
#define ASIO_URING_VERSION 100
/// The same as text. The build system and the packages read it.
#define ASIO_URING_VERSION_STRING "0.1.0"

#endif // ASIO_URING_VERSION_HPP
