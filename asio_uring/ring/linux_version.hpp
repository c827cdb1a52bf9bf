// asio_uring/ring/linux_version.hpp: a version of the kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_LINUX_VERSION_HPP
#define ASIO_URING_RING_LINUX_VERSION_HPP

#include <compare>

namespace asio_uring {

/// A version of Linux, as the upper limit of the features to use.
struct linux_version
{
  unsigned major = ~0u; ///< no limit by default
  unsigned minor = 0;   ///< such as 13 of 5.13
  friend constexpr auto operator<=>(const linux_version&, const linux_version&) = default;
};

} // namespace asio_uring

#endif // ASIO_URING_RING_LINUX_VERSION_HPP
