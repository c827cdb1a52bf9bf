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

ASIO_URING_DECL performed how(const io_uring_sqe& entry) noexcept
{
  switch (entry.opcode) {
  case IORING_OP_NOP:
  case IORING_OP_CLOSE:
  case IORING_OP_SHUTDOWN:
  case IORING_OP_SOCKET:
  case IORING_OP_BIND:
  case IORING_OP_LISTEN:
    return performed::at_once;
  case IORING_OP_READ:
  case IORING_OP_READV:
  case IORING_OP_WRITE:
  case IORING_OP_WRITEV: {
    // Of files, epoll knows nothing.
    struct stat s;
    if (::fstat(entry.fd, &s) < 0) return performed::at_once;
    if (S_ISREG(s.st_mode) || S_ISBLK(s.st_mode) || S_ISDIR(s.st_mode)) return performed::by_a_thread;
    return entry.opcode == IORING_OP_READ || entry.opcode == IORING_OP_READV ? performed::when_readable
                                                                             : performed::when_writable;
  }
  case IORING_OP_RECV:
  case IORING_OP_RECVMSG:
  case IORING_OP_ACCEPT:
    return performed::when_readable;
  case IORING_OP_SEND:
  case IORING_OP_SENDMSG:
  case IORING_OP_CONNECT:
    return performed::when_writable;
  case IORING_OP_FSYNC:
  case IORING_OP_SYNC_FILE_RANGE:
  case IORING_OP_FALLOCATE:
  case IORING_OP_FTRUNCATE:
  case IORING_OP_OPENAT:
  case IORING_OP_OPENAT2:
  case IORING_OP_STATX:
  case IORING_OP_FADVISE:
  case IORING_OP_MADVISE:
  case IORING_OP_SPLICE:
  case IORING_OP_TEE:
  case IORING_OP_RENAMEAT:
  case IORING_OP_UNLINKAT:
  case IORING_OP_MKDIRAT:
  case IORING_OP_SYMLINKAT:
  case IORING_OP_LINKAT:
  case IORING_OP_FSETXATTR:
  case IORING_OP_SETXATTR:
  case IORING_OP_FGETXATTR:
  case IORING_OP_GETXATTR:
    return performed::by_a_thread;
  default:
    return performed::never;
  }
}

/// The system call itself: -1 and errno, or its result.
ASIO_URING_DECL long system_call(const io_uring_sqe& e, int no_wait) noexcept
{
  const auto at = [](std::uint64_t address) noexcept {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
  };
  const auto text = [&](std::uint64_t address) noexcept { return static_cast<const char*>(at(address)); };
  const auto offset = [&](std::uint64_t value) noexcept { return static_cast<off_t>(value); };
  const int length = static_cast<int>(e.len);
  const int flags = static_cast<int>(e.msg_flags) | no_wait;
  const iovec one{at(e.addr), e.len};

  switch (e.opcode) {
  case IORING_OP_NOP:
    return 0;
  case IORING_OP_READ:
    return ::preadv2(e.fd, &one, 1, offset(e.off), e.rw_flags);
  case IORING_OP_READV:
    return ::preadv2(e.fd, static_cast<const iovec*>(at(e.addr)), length, offset(e.off), e.rw_flags);
  case IORING_OP_WRITE:
    return ::pwritev2(e.fd, &one, 1, offset(e.off), e.rw_flags);
  case IORING_OP_WRITEV:
    return ::pwritev2(e.fd, static_cast<const iovec*>(at(e.addr)), length, offset(e.off), e.rw_flags);
  case IORING_OP_RECV:
    return ::recv(e.fd, at(e.addr), e.len, flags);
  case IORING_OP_SEND:
    return ::send(e.fd, at(e.addr), e.len, flags);
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
    return ::shutdown(e.fd, length);
  case IORING_OP_SOCKET:
    return ::socket(e.fd, static_cast<int>(e.off), length);
  case IORING_OP_BIND:
    return ::bind(e.fd, static_cast<const sockaddr*>(at(e.addr)), static_cast<socklen_t>(e.addr2));
  case IORING_OP_LISTEN:
    return ::listen(e.fd, length);
  case IORING_OP_FSYNC:
    return e.fsync_flags & IORING_FSYNC_DATASYNC ? ::fdatasync(e.fd) : ::fsync(e.fd);
  case IORING_OP_SYNC_FILE_RANGE:
    return ::sync_file_range(e.fd, offset(e.off), e.len, e.sync_range_flags);
  case IORING_OP_FALLOCATE:
    return ::fallocate(e.fd, length, offset(e.off), offset(e.addr));
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
    errno = ::posix_fadvise(e.fd, offset(e.off), length, static_cast<int>(e.fadvise_advice));
    return errno ? -1 : 0;
  case IORING_OP_MADVISE:
    return ::madvise(at(e.addr), e.len, static_cast<int>(e.fadvise_advice));
  case IORING_OP_SPLICE: {
    off_t in = offset(e.splice_off_in), out = offset(e.off);
    return ::splice(e.splice_fd_in, in < 0 ? nullptr : &in, e.fd, out < 0 ? nullptr : &out, e.len,
                    e.splice_flags);
  }
  case IORING_OP_TEE:
    return ::tee(e.splice_fd_in, e.fd, e.len, e.splice_flags);
  case IORING_OP_RENAMEAT:
    return ::renameat2(e.fd, text(e.addr), length, text(e.off), e.rename_flags);
  case IORING_OP_UNLINKAT:
    return ::unlinkat(e.fd, text(e.addr), static_cast<int>(e.unlink_flags));
  case IORING_OP_MKDIRAT:
    return ::mkdirat(e.fd, text(e.addr), e.len);
  case IORING_OP_SYMLINKAT:
    return ::symlinkat(text(e.addr), e.fd, text(e.addr2));
  case IORING_OP_LINKAT:
    return ::linkat(e.fd, text(e.addr), length, text(e.addr2), static_cast<int>(e.hardlink_flags));
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
    if (errno != EINTR) return -errno;
  }
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_PERFORM_IPP
