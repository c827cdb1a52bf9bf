// asio_uring/service/registered_files.hpp: files that the ring knows by a number of its own.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_REGISTERED_FILES_HPP
#define ASIO_URING_SERVICE_REGISTERED_FILES_HPP

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

  /// The file's place, or a negative errno: ENFILE when all are taken.
  ASIO_URING_DECL int add(ring& r, int fd);
  ASIO_URING_DECL void remove(ring& r, int place) noexcept;

  /// A forked child's new ring has no table.
  void reset() noexcept
  {
    set_up_ = false;
    free_.clear();
  }

  /// Gives an entry for a file its place, where the operation may go by it.
  static void apply(io_uring_sqe& sqe, int place) noexcept
  {
    switch (sqe.opcode) {
    case IORING_OP_READ:
    case IORING_OP_READV:
    case IORING_OP_READ_FIXED:
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
    case IORING_OP_WRITE_FIXED:
    case IORING_OP_FSYNC:
      sqe.fd = place;
      sqe.flags |= IOSQE_FIXED_FILE;
    }
  }

private:
  ASIO_URING_DECL int set_up(ring& r);

  std::mutex mutex_;
  bool set_up_ = false;
  std::vector<int> free_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_REGISTERED_FILES_HPP
