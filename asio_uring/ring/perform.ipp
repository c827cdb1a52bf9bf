// asio_uring/ring/perform.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_PERFORM_IPP
#define ASIO_URING_RING_PERFORM_IPP

#include <asio_uring/ring/perform.hpp>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace asio_uring::detail {

ASIO_URING_DECL bool of_a_file(int fd) noexcept
{
  struct stat s;
  return ::fstat(fd, &s) == 0 && (S_ISREG(s.st_mode) || S_ISBLK(s.st_mode) || S_ISDIR(s.st_mode));
}

/// Whether the entry uses what only a ring has: several completions, direct descriptors.
ASIO_URING_DECL bool beyond_the_call(const io_uring_sqe& entry) noexcept
{
  switch (entry.opcode) {
  case IORING_OP_SEND:
  case IORING_OP_RECV:
  case IORING_OP_SENDMSG:
  case IORING_OP_RECVMSG:
    return entry.ioprio & ~unsigned{IORING_RECVSEND_POLL_FIRST};
  case IORING_OP_ACCEPT:
    return entry.ioprio || entry.file_index;
  case IORING_OP_OPENAT:
  case IORING_OP_OPENAT2:
  case IORING_OP_SOCKET:
  case IORING_OP_CLOSE:
    return entry.file_index;
  case IORING_OP_FSYNC:
    return entry.fsync_flags & ~unsigned{IORING_FSYNC_DATASYNC};
  default:
    return false;
  }
}

ASIO_URING_DECL performed how(const io_uring_sqe& entry) noexcept
{
  const opcode_row* const row = row_of(entry.opcode);
  if (!row || beyond_the_call(entry)) return performed::never;
  return row->traits & of_files && of_a_file(entry.fd) ? performed::by_a_thread : row->how;
}

/// Calls preadv2(2) or pwritev2(2). On files without a position, such as pipes, the kernel's ring accepts any
/// offset; these calls accept only -1.
template <typename Call>
long at_an_offset(const Call& call, std::uint64_t value) noexcept
{
  const auto offset = static_cast<off_t>(value);
  const long result = call(offset);
  return result < 0 && errno == ESPIPE && offset != -1 ? call(-1) : result;
}

/// Makes the system call and returns its result, or -1 with errno set.
ASIO_URING_DECL long system_call(const io_uring_sqe& e, int no_wait) noexcept
{
  const auto at = [](std::uint64_t address) noexcept {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
  };
  const auto text = [&](std::uint64_t address) noexcept { return static_cast<const char*>(at(address)); };
  const auto offset = [&](std::uint64_t value) noexcept { return static_cast<off_t>(value); };
  const int number = static_cast<int>(e.len); // a number of vectors, a mode, ...
  const int flags = static_cast<int>(e.msg_flags) | no_wait;
  const iovec one{at(e.addr), e.len};
  const auto read = [&](const iovec* vectors, int count) noexcept {
    return at_an_offset([&](off_t place) { return ::preadv2(e.fd, vectors, count, place, e.rw_flags); },
                        e.off);
  };
  const auto write = [&](const iovec* vectors, int count) noexcept {
    return at_an_offset([&](off_t place) { return ::pwritev2(e.fd, vectors, count, place, e.rw_flags); },
                        e.off);
  };

  switch (e.opcode) {
  case IORING_OP_NOP:
    return 0;
  case IORING_OP_READ:
    return read(&one, 1);
  case IORING_OP_READV:
    return read(static_cast<const iovec*>(at(e.addr)), number);
  case IORING_OP_WRITE:
    return write(&one, 1);
  case IORING_OP_WRITEV:
    return write(static_cast<const iovec*>(at(e.addr)), number);
  case IORING_OP_RECV:
    return ::recv(e.fd, at(e.addr), e.len, flags);
  case IORING_OP_SEND:
    return ::sendto(e.fd, at(e.addr), e.len, flags, static_cast<const sockaddr*>(at(e.addr2)), e.addr_len);
  case IORING_OP_RECVMSG:
    return ::recvmsg(e.fd, static_cast<msghdr*>(at(e.addr)), flags);
  case IORING_OP_SENDMSG:
    return ::sendmsg(e.fd, static_cast<const msghdr*>(at(e.addr)), flags);
  case IORING_OP_ACCEPT:
    return ::accept4(e.fd, static_cast<sockaddr*>(at(e.addr)), static_cast<socklen_t*>(at(e.addr2)),
                     static_cast<int>(e.accept_flags));
  case IORING_OP_CONNECT:
    return ::connect(e.fd, static_cast<const sockaddr*>(at(e.addr)), static_cast<socklen_t>(e.off));
  case IORING_OP_CLOSE:
    return ::close(e.fd);
  case IORING_OP_SHUTDOWN:
    return ::shutdown(e.fd, number);
  case IORING_OP_SOCKET:
    return ::socket(e.fd, static_cast<int>(e.off), number);
  case IORING_OP_BIND:
    return ::bind(e.fd, static_cast<const sockaddr*>(at(e.addr)), static_cast<socklen_t>(e.addr2));
  case IORING_OP_LISTEN:
    return ::listen(e.fd, number);
  case IORING_OP_FSYNC:
    return e.fsync_flags & IORING_FSYNC_DATASYNC ? ::fdatasync(e.fd) : ::fsync(e.fd);
  case IORING_OP_SYNC_FILE_RANGE:
    return ::sync_file_range(e.fd, offset(e.off), e.len, e.sync_range_flags);
  case IORING_OP_FALLOCATE:
    return ::fallocate(e.fd, number, offset(e.off), offset(e.addr));
  case IORING_OP_FTRUNCATE:
    return ::ftruncate(e.fd, offset(e.off));
  case IORING_OP_OPENAT:
    return ::openat(e.fd, text(e.addr), static_cast<int>(e.open_flags), e.len);
  case IORING_OP_OPENAT2:
    return ::syscall(SYS_openat2, e.fd, at(e.addr), at(e.off), static_cast<std::size_t>(e.len));
  case IORING_OP_STATX:
    return ::statx(e.fd, text(e.addr), static_cast<int>(e.statx_flags), e.len,
                   static_cast<struct statx*>(at(e.off)));
  case IORING_OP_FADVISE:
    // A length of more than 32 bits is in `addr`.
    errno = ::posix_fadvise(e.fd, offset(e.off), offset(e.addr ? e.addr : e.len),
                            static_cast<int>(e.fadvise_advice));
    return errno ? -1 : 0;
  case IORING_OP_MADVISE:
    return ::madvise(at(e.addr), e.off ? static_cast<std::size_t>(e.off) : e.len,
                     static_cast<int>(e.fadvise_advice));
  case IORING_OP_SPLICE: {
    off_t in = offset(e.splice_off_in), out = offset(e.off);
    return ::splice(e.splice_fd_in, in == -1 ? nullptr : &in, e.fd, out == -1 ? nullptr : &out, e.len,
                    e.splice_flags);
  }
  case IORING_OP_TEE:
    return ::tee(e.splice_fd_in, e.fd, e.len, e.splice_flags);
  case IORING_OP_RENAMEAT:
    return ::renameat2(e.fd, text(e.addr), number, text(e.off), e.rename_flags);
  case IORING_OP_UNLINKAT:
    return ::unlinkat(e.fd, text(e.addr), static_cast<int>(e.unlink_flags));
  case IORING_OP_MKDIRAT:
    return ::mkdirat(e.fd, text(e.addr), e.len);
  case IORING_OP_SYMLINKAT:
    return ::symlinkat(text(e.addr), e.fd, text(e.addr2));
  case IORING_OP_LINKAT:
    return ::linkat(e.fd, text(e.addr), number, text(e.addr2), static_cast<int>(e.hardlink_flags));
  case IORING_OP_FSETXATTR:
    return ::fsetxattr(e.fd, text(e.addr), at(e.addr2), e.len, static_cast<int>(e.xattr_flags));
  case IORING_OP_SETXATTR:
    return ::setxattr(text(e.addr3), text(e.addr), at(e.addr2), e.len, static_cast<int>(e.xattr_flags));
  case IORING_OP_FGETXATTR:
    return ::fgetxattr(e.fd, text(e.addr), at(e.addr2), e.len);
  case IORING_OP_GETXATTR:
    return ::getxattr(text(e.addr3), text(e.addr), at(e.addr2), e.len);
  default:
    errno = EINVAL;
    return -1;
  }
}

ASIO_URING_DECL int perform(const io_uring_sqe& entry, bool wait) noexcept
{
  for (;;) {
    const long result = system_call(entry, wait ? 0 : MSG_DONTWAIT);
    if (result >= 0) return static_cast<int>(result);
    // An interrupted close(2) has closed the descriptor, whose number may be reused by now.
    if (errno != EINTR || entry.opcode == IORING_OP_CLOSE) return -errno;
  }
}

ASIO_URING_DECL int perform(const io_uring_sqe& entry, const interruption& asked) noexcept
{
  return entry.opcode == opcode::futex_wait ? wait_for_futex(entry, asked) : perform(entry, true);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_PERFORM_IPP
