// asio_uring/ring/fifo_open.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FIFO_OPEN_IPP
#define ASIO_URING_RING_FIFO_OPEN_IPP

#include <asio_uring/ring/fifo_open.hpp>
#include <asio_uring/ring/perform.hpp>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/stat.h>

namespace asio_uring::detail {

/// Opens the entry's file with other flags.
ASIO_URING_DECL int open_with(io_uring_sqe entry, std::uint64_t flags) noexcept
{
  open_how how;
  if (entry.opcode == IORING_OP_OPENAT2) {
    how = *reinterpret_cast<const open_how*>(static_cast<std::uintptr_t>(entry.off));
    how.flags = flags;
    if (!(flags & O_CREAT)) how.mode = 0; // refused otherwise
    entry.off = reinterpret_cast<std::uintptr_t>(&how);
  } else
    entry.open_flags = static_cast<std::uint32_t>(flags);
  return perform(entry, true);
}

ASIO_URING_DECL bool is_fifo(int fd) noexcept
{
  struct stat s;
  return ::fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode);
}

/// Whether the FIFO has or had a writer. Takes no data from the FIFO.
ASIO_URING_DECL bool has_writer(int reader) noexcept
{
  pollfd p{reader, POLLIN, 0};
  if (::poll(&p, 1, 0) == 1) return true;
  // tee(2) returns 0 if there is no writer, and EAGAIN if there is one that has written nothing.
  int scratch[2];
  if (::pipe2(scratch, O_CLOEXEC) < 0) return false;
  const bool present = ::tee(reader, scratch[1], 1, SPLICE_F_NONBLOCK) != 0;
  ::close(scratch[0]);
  ::close(scratch[1]);
  return present;
}

ASIO_URING_DECL int fifo_open::attempt(const io_uring_sqe& entry) noexcept
{
  waits_ = false;
  if (reader_ < 0)
    if (const int result = begin(entry); reader_ < 0) return result;
  waits_ = !has_writer(reader_);
  return waits_ ? -EAGAIN : std::exchange(reader_, -1);
}

/// Returns the result. A FIFO opened for reading, which may have to wait for a writer, is in reader_ as well.
ASIO_URING_DECL int fifo_open::begin(const io_uring_sqe& entry) noexcept
{
  std::uint64_t flags = entry.open_flags;
  if (entry.opcode == IORING_OP_OPENAT2) {
    if (entry.len != sizeof(open_how)) return perform(entry, true);
    flags = reinterpret_cast<const open_how*>(static_cast<std::uintptr_t>(entry.off))->flags;
  }
  const bool writes = (flags & O_ACCMODE) == O_WRONLY;
  if ((!writes && (flags & O_ACCMODE) != O_RDONLY) || flags & (O_NONBLOCK | O_PATH))
    return perform(entry, true);

  const int place = open_with(entry, O_PATH | O_CLOEXEC | (flags & (O_NOFOLLOW | O_DIRECTORY)));
  const bool fifo = place >= 0 && is_fifo(place);
  if (place >= 0) ::close(place);
  if (!fifo) return perform(entry, true);

  const int fd = open_with(entry, flags | O_NONBLOCK);
  waits_ = fd == -ENXIO && writes;
  if (waits_) return -EAGAIN;
  if (fd < 0) return fd;
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  if (!writes && is_fifo(fd)) reader_ = fd;
  return fd;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_FIFO_OPEN_IPP
