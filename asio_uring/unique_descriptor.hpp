// asio_uring/unique_descriptor.hpp: a file descriptor with one owner, which closes it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_UNIQUE_DESCRIPTOR_HPP
#define ASIO_URING_UNIQUE_DESCRIPTOR_HPP

#include <unistd.h>
#include <utility>

namespace asio_uring {

/// Owns a file descriptor, and closes it. Operations that open a descriptor return it so, and a result that
/// is dropped leaks none. An I/O object takes it over by `object.assign(d.release())`.
class unique_descriptor
{
public:
  unique_descriptor() noexcept = default;
  /// Takes over a descriptor; -1: none.
  explicit unique_descriptor(int fd) noexcept : fd_(fd) {}
  unique_descriptor(unique_descriptor&& other) noexcept : fd_(other.release()) {}
  unique_descriptor& operator=(unique_descriptor&& other) noexcept
  {
    reset(other.release());
    return *this;
  }
  ~unique_descriptor() { reset(); }

  int get() const noexcept { return fd_; } ///< the descriptor; -1: none
  /// Whether it owns a descriptor.
  explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Returns the descriptor, and owns it no longer.
  int release() noexcept { return std::exchange(fd_, -1); }
  /// Closes the descriptor, and takes over another; -1: none.
  void reset(int fd = -1) noexcept
  {
    if (const int old = std::exchange(fd_, fd); old >= 0) ::close(old);
  }

private:
  int fd_ = -1;
};

} // namespace asio_uring

#endif // ASIO_URING_UNIQUE_DESCRIPTOR_HPP
