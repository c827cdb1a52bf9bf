// asio_uring/ring/entry_kinds.hpp: groups of opcodes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_ENTRY_KINDS_HPP
#define ASIO_URING_RING_ENTRY_KINDS_HPP

#include <asio_uring/ring/uapi.hpp>

namespace asio_uring::detail {

/// Whether the entry reads from a descriptor or writes to it.
inline bool is_transfer(const io_uring_sqe& entry) noexcept
{
  switch (entry.opcode) {
  case IORING_OP_READ:
  case IORING_OP_READV:
  case IORING_OP_READ_FIXED:
  case IORING_OP_WRITE:
  case IORING_OP_WRITEV:
  case IORING_OP_WRITE_FIXED:
    return true;
  default:
    return false;
  }
}

/// Whether the entry moves data from one descriptor to another.
inline bool has_two_ends(const io_uring_sqe& entry) noexcept
{
  return entry.opcode == IORING_OP_SPLICE || entry.opcode == IORING_OP_TEE;
}

/// Whether the entry's opcode has one of opcode_traits.
inline bool has_trait(const io_uring_sqe& entry, opcode_traits trait) noexcept
{
  const opcode_row* const row = row_of(entry.opcode);
  return row && row->traits & trait;
}

/// Whether `fd` of the entry is a descriptor.
inline bool names_descriptor(const io_uring_sqe& entry) noexcept
{
  return !has_trait(entry, without_descriptor);
}

/// Whether the entry only waits. Such an entry can be submitted again while an abandoned copy is still in
/// flight.
inline bool only_waits(const io_uring_sqe& entry) noexcept
{
  return entry.opcode == IORING_OP_POLL_ADD || entry.opcode == IORING_OP_TIMEOUT;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_ENTRY_KINDS_HPP
