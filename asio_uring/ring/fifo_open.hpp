// asio_uring/ring/fifo_open.hpp: opens a FIFO without blocking a thread until its other end is opened.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FIFO_OPEN_HPP
#define ASIO_URING_RING_FIFO_OPEN_HPP

#include <asio_uring/ring/config.hpp>
#include <asio_uring/ring/uapi.hpp>
#include <unistd.h>
#include <utility>

namespace asio_uring::detail {

ASIO_URING_DECL bool is_fifo(int fd) noexcept;

/// Performs OPENAT or OPENAT2 like the kernel's ring, except that where open(2) would wait for the other end
/// of a FIFO, the attempt must be repeated.
/**
 * For reading, the FIFO is opened at once, as by a blocking open(2): writers find a reader. For writing, it
 * is opened when there is a reader. Giving up leaves nothing behind; a thread blocked in open(2) could not
 * give up.
 */
class fifo_open
{
public:
  fifo_open() = default;
  fifo_open(const fifo_open&) = delete;
  fifo_open& operator=(const fifo_open&) = delete;
  ~fifo_open() { give_up(); }

  /// Returns a file descriptor or a negative errno. If waits() is true afterwards, call it again later.
  ASIO_URING_DECL int attempt(const io_uring_sqe& entry) noexcept;
  bool waits() const noexcept { return waits_; }
  void give_up() noexcept
  {
    if (reader_ >= 0) ::close(std::exchange(reader_, -1));
    waits_ = false;
  }

private:
  ASIO_URING_DECL int begin(const io_uring_sqe& entry) noexcept;

  int reader_ = -1;
  bool waits_ = false;
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/fifo_open.ipp>
#endif

#endif // ASIO_URING_RING_FIFO_OPEN_HPP
