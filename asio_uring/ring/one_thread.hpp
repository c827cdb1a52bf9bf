// asio_uring/ring/one_thread.hpp: whether the process has a single thread.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_ONE_THREAD_HPP
#define ASIO_URING_RING_ONE_THREAD_HPP

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace asio_uring::detail {

/// Whether the process has a single thread. Then a plain store replaces a locked instruction, which costs as
/// much as twenty others. Starting a thread synchronizes with it, so the new thread sees all earlier stores.
inline bool one_thread() noexcept
{
#if __has_include(<sys/single_threaded.h>)
  return __libc_single_threaded;
#else
  return false;
#endif
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_ONE_THREAD_HPP
