// asio_uring/detail/engine/registered_files.hpp: files that the ring knows by a number of its own.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_REGISTERED_FILES_HPP
#define ASIO_URING_DETAIL_ENGINE_REGISTERED_FILES_HPP

#include <asio_uring/ring/entry_kinds.hpp>
#include <asio_uring/ring/ring.hpp>
#include <mutex>
#include <vector>

namespace asio_uring::detail {

/// The ring's table of registered files: an operation that names its file by a place in it spares the kernel
/// the look-up of the descriptor. Any thread.
class registered_files
{
public:
  /// Files at most, fewer where RLIMIT_NOFILE is lower.
  static constexpr unsigned most = 1024;

  /// The file's place, or a negative errno: ENFILE when all are taken. To be called by a thread that may
  /// register, as remove is.
  ASIO_URING_DECL int add(ring& r, int fd) noexcept;
  ASIO_URING_DECL int remove(ring& r, int place) noexcept;

  /// Another ring takes the place of the one before it, which gets the same table. False: it has none.
  ASIO_URING_DECL bool move_to(ring& r) noexcept;

  /// Gives an entry for a file its place, where the operation may go by it.
  static void apply(io_uring_sqe& sqe, int place) noexcept
  {
    if (!is_transfer(sqe) && sqe.opcode != IORING_OP_FSYNC) return;
    sqe.fd = place;
    sqe.flags |= IOSQE_FIXED_FILE;
  }

private:
  ASIO_URING_DECL int set_up(ring& r);
  ASIO_URING_DECL static int put(ring& r, std::size_t place, int fd) noexcept;

  std::mutex mutex_;
  std::vector<int> table_; // the files by their place, -1 where there is none; empty until the first
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/registered_files.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_REGISTERED_FILES_HPP
