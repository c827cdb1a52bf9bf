// asio_uring/ring/perform.hpp: a submission entry as the system call it stands for.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_PERFORM_HPP
#define ASIO_URING_RING_PERFORM_HPP

#include <asio_uring/ring/config.hpp>
#include <asio_uring/ring/opcodes.hpp>
#include <asio_uring/ring/uapi.hpp>

namespace asio_uring::detail {

/// Whether it is a file's, of which epoll knows nothing.
ASIO_URING_DECL bool of_a_file(int fd) noexcept;

/// As the table has it; `never` also for an entry that asks for what only a ring can do.
ASIO_URING_DECL performed how(const io_uring_sqe& entry) noexcept;

/// Makes the call. Returns what io_uring would: a result or a negative errno. It blocks where the call does,
/// but for sockets, if `wait` is false.
ASIO_URING_DECL int perform(const io_uring_sqe& entry, bool wait) noexcept;

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/perform.ipp>
#endif

#endif // ASIO_URING_RING_PERFORM_HPP
