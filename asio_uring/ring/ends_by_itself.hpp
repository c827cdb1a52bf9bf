// asio_uring/ring/ends_by_itself.hpp: which entries wait for nobody.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_ENDS_BY_ITSELF_HPP
#define ASIO_URING_RING_ENDS_BY_ITSELF_HPP

#include <asio_uring/ring/entry_kinds.hpp>
#include <asio_uring/ring/opcodes.hpp>
#include <liburing.h>
#include <sys/stat.h>

namespace asio_uring::detail {

/// Whether the kernel waits for nothing but a disk to end it. Not an open: a FIFO waits for its other end.
inline bool ends_by_itself(const io_uring_sqe& entry) noexcept
{
  switch (entry.opcode) {
  case IORING_OP_NOP:
  case IORING_OP_FSYNC:
  case IORING_OP_SYNC_FILE_RANGE:
  case IORING_OP_FALLOCATE:
  case IORING_OP_FADVISE:
  case IORING_OP_MADVISE:
  case IORING_OP_STATX:
  case IORING_OP_CLOSE:
  case IORING_OP_RENAMEAT:
  case IORING_OP_UNLINKAT:
  case IORING_OP_MKDIRAT:
  case IORING_OP_SYMLINKAT:
  case IORING_OP_LINKAT:
  case IORING_OP_FSETXATTR:
  case IORING_OP_SETXATTR:
  case IORING_OP_FGETXATTR:
  case IORING_OP_GETXATTR:
  case opcode::ftruncate:
    return true;
  default:
    break;
  }
  // A transfer does if its file is an ordinary one, or a block device.
  if (!is_transfer(entry) || entry.flags & IOSQE_FIXED_FILE) return false;
  struct stat file;
  return ::fstat(entry.fd, &file) == 0 && (S_ISREG(file.st_mode) || S_ISBLK(file.st_mode));
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_ENDS_BY_ITSELF_HPP
