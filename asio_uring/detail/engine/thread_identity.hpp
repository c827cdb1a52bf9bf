// asio_uring/detail/engine/thread_identity.hpp: the calling thread, and whether another one lives.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_THREAD_IDENTITY_HPP
#define ASIO_URING_DETAIL_ENGINE_THREAD_IDENTITY_HPP

#include <atomic>
#include <cstdint>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace asio_uring::detail {

class thread_identity
{
public:
  /// The kernel's number of the calling thread.
  static pid_t number() noexcept
  {
    if (!number_) [[unlikely]]
      number_ = ::gettid();
    return number_;
  }
  /// A name of the calling thread that no other ever has.
  static std::uint64_t name() noexcept
  {
    if (!name_) [[unlikely]]
      name_ = ++names_;
    return name_;
  }
  /// Whether a thread of the process has not exited.
  static bool lives(pid_t thread) noexcept
  {
    return thread == number() || ::syscall(SYS_tgkill, ::getpid(), thread, 0) == 0;
  }
  /// In a forked child the number is another.
  static void renew() noexcept { number_ = 0; }

private:
  inline static thread_local pid_t number_ = 0;
  inline static thread_local std::uint64_t name_ = 0;
  inline static std::atomic<std::uint64_t> names_{0};
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_THREAD_IDENTITY_HPP
