// asio_uring/ring/perform.hpp: performs a submission entry by the corresponding system call.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_PERFORM_HPP
#define ASIO_URING_RING_PERFORM_HPP

#include <asio_uring/ring/config.hpp>
#include <asio_uring/ring/futex_wait.hpp>
#include <asio_uring/ring/opcodes.hpp>
#include <asio_uring/ring/uapi.hpp>

namespace asio_uring::detail {

/// Whether the descriptor is of a regular file, a block device or a directory, which epoll cannot watch.
ASIO_URING_DECL bool of_a_file(int fd) noexcept;

/// How to perform an entry, according to the opcode table; `never` for an entry that uses what only a ring
/// has.
ASIO_URING_DECL performed how(const io_uring_sqe& entry) noexcept;

/// Makes the system call. Returns what io_uring would: a result or a negative errno. Blocks if the call
/// blocks; with `wait` false, calls on sockets do not.
ASIO_URING_DECL int perform(const io_uring_sqe& entry, bool wait) noexcept;

/// The same in a thread, which may wait for other threads and processes, too, until it is interrupted.
ASIO_URING_DECL int perform(const io_uring_sqe& entry, const interruption& asked) noexcept;

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/perform.ipp>
#endif

#endif // ASIO_URING_RING_PERFORM_HPP
