// asio_uring/ring/result.hpp: what the results of completions and of enters mean.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_RESULT_HPP
#define ASIO_URING_RING_RESULT_HPP

#include <cerrno>

namespace asio_uring::detail {

/// Numbers of errors that the kernel keeps to itself, see include/linux/errno.h there: with the first four it
/// has an interrupted system call made again. A ring's worker thread passes them on when it is interrupted,
/// because its operation is cancelled or the thread that submitted it exits.
inline constexpr int first_internal_error = 512, last_internal_error = 531;

/// What such a result means to a program. Nothing has been done.
[[gnu::cold]] inline int external_error(int result) noexcept
{
  switch (-result) {
  case 512: // ERESTARTSYS
  case 513: // ERESTARTNOINTR
  case 514: // ERESTARTNOHAND
  case 516: // ERESTART_RESTARTBLOCK
    return -ECANCELED;
  case 515: // ENOIOCTLCMD
    return -ENOTTY;
  case 524: // ENOTSUPP
    return -EOPNOTSUPP;
  default:
    return -EIO;
  }
}

/// The result as a system call would give it.
inline int result_of_call(int result) noexcept
{
  const bool internal = result <= -first_internal_error && result >= -last_internal_error;
  return internal ? external_error(result) : result;
}

/// Whether an enter is to be made again: a signal, no memory at the moment, or completions that are to be
/// collected first.
inline bool is_momentary(int result) noexcept
{
  return result == -EAGAIN || result == -EINTR || result == -EBUSY || result == -ETIME;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_RESULT_HPP
