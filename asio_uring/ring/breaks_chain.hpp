// asio_uring/ring/breaks_chain.hpp: which results end a chain of linked entries.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_BREAKS_CHAIN_HPP
#define ASIO_URING_RING_BREAKS_CHAIN_HPP

#include <asio_uring/ring/uapi.hpp>
#include <cerrno>
#include <cstddef>
#include <sys/socket.h>
#include <sys/uio.h>

namespace asio_uring::detail {

/// Whether an entry with this successful result transferred less than it asked for.
inline bool is_short(const io_uring_sqe& entry, int result) noexcept
{
  std::size_t asked = entry.len;
  const iovec* vectors = nullptr;
  std::size_t count = 0;
  switch (entry.opcode) {
  case IORING_OP_READ:
  case IORING_OP_WRITE:
  case IORING_OP_READ_FIXED:
  case IORING_OP_WRITE_FIXED:
  case IORING_OP_SPLICE:
  case IORING_OP_TEE:
    break;
  case IORING_OP_READV:
  case IORING_OP_WRITEV:
    vectors = reinterpret_cast<const iovec*>(static_cast<std::uintptr_t>(entry.addr));
    count = entry.len;
    break;
  case IORING_OP_SEND:
  case IORING_OP_RECV:
    if (!(entry.msg_flags & MSG_WAITALL)) return false;
    break;
  case IORING_OP_SENDMSG:
  case IORING_OP_RECVMSG: {
    if (!(entry.msg_flags & MSG_WAITALL)) return false;
    const auto& message = *reinterpret_cast<const msghdr*>(static_cast<std::uintptr_t>(entry.addr));
    vectors = message.msg_iov;
    count = message.msg_iovlen;
    break;
  }
  default:
    return false;
  }
  if (vectors) {
    asked = 0;
    for (std::size_t i = 0; i < count; ++i)
      asked += vectors[i].iov_len;
  }
  return static_cast<std::size_t>(result) < asked;
}

/// Whether the kernel cancels the entries linked behind one that ended with this result.
inline bool breaks_chain(const io_uring_sqe& entry, int result) noexcept
{
  if (entry.flags & IOSQE_IO_HARDLINK) return false;
  if (result >= 0) return is_short(entry, result);
  const bool elapsed = entry.opcode == IORING_OP_TIMEOUT && result == -ETIME;
  return !(elapsed && entry.timeout_flags & IORING_TIMEOUT_ETIME_SUCCESS);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_BREAKS_CHAIN_HPP
