// asio_uring/ring/result.hpp: translates results of completions and of enter().
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_RESULT_HPP
#define ASIO_URING_RING_RESULT_HPP

#include <cerrno>

namespace asio_uring::detail {

/// The range of the kernel's internal errors, see its include/linux/errno.h. The first four have an
/// interrupted system call restarted. A ring's worker thread passes them on when it is interrupted because
/// its operation is cancelled or the thread that submitted it exits.
inline constexpr int first_internal_error = 512, last_internal_error = 531;

/// Translates an internal error to one that programs know. The operation has had no effect.
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

/// Returns the result as a system call would return it.
inline int result_of_call(int result) noexcept
{
  const bool internal = result <= -first_internal_error && result >= -last_internal_error;
  return internal ? external_error(result) : result;
}

/// Whether to call enter again: it was interrupted or timed out, memory is short, or completions must be
/// collected first.
inline bool is_momentary(int result) noexcept
{
  return result == -EAGAIN || result == -EINTR || result == -EBUSY || result == -ETIME;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_RESULT_HPP
