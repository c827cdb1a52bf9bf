// asio_uring/ring/ends_by_itself.hpp: which entries end without anything from outside.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_ENDS_BY_ITSELF_HPP
#define ASIO_URING_RING_ENDS_BY_ITSELF_HPP

#include <asio_uring/ring/entry_kinds.hpp>
#include <liburing.h>
#include <sys/stat.h>

namespace asio_uring::detail {

/// Whether the entry waits for a disk at most, so that it ends without cancellation. False for an open: a
/// FIFO's waits for its other end.
inline bool ends_by_itself(const io_uring_sqe& entry) noexcept
{
  if (has_trait(entry, for_a_disk)) return true;
  // A transfer ends by itself on a regular file or a block device.
  if (!is_transfer(entry) || entry.flags & IOSQE_FIXED_FILE) return false;
  struct stat file;
  return ::fstat(entry.fd, &file) == 0 && (S_ISREG(file.st_mode) || S_ISBLK(file.st_mode));
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_ENDS_BY_ITSELF_HPP
