// asio_uring/ring/kept_entry.hpp: a copy of a submission entry.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_KEPT_ENTRY_HPP
#define ASIO_URING_RING_KEPT_ENTRY_HPP

#include <asio_uring/ring/uapi.hpp>
#include <cstddef>
#include <new>

namespace asio_uring {

/// A copy of a submission entry that can be a member. io_uring_sqe itself ends in a flexible array member,
/// which -Wpedantic refuses in a member of another class.
class kept_entry
{
public:
  kept_entry(const io_uring_sqe& entry = {}) noexcept { new (bytes_) io_uring_sqe(entry); }
  kept_entry(const kept_entry&) = default;
  kept_entry& operator=(const kept_entry&) = default;

  io_uring_sqe& get() noexcept { return *std::launder(reinterpret_cast<io_uring_sqe*>(bytes_)); }
  const io_uring_sqe& get() const noexcept
  {
    return *std::launder(reinterpret_cast<const io_uring_sqe*>(bytes_));
  }

private:
  alignas(io_uring_sqe) std::byte bytes_[sizeof(io_uring_sqe)];
};

} // namespace asio_uring

#endif // ASIO_URING_RING_KEPT_ENTRY_HPP
