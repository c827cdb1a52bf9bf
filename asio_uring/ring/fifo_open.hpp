// asio_uring/ring/fifo_open.hpp: opening a FIFO, which waits for its other end, without a thread that waits.
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

/// OPENAT or OPENAT2 as the kernel's ring performs it, but that it is to be tried again where open(2) would
/// wait for somebody to open the other end of a FIFO.
/**
 * To read it is opened at once, as it is by an open(2) that waits: writers find a reader. To write it is
 * opened when there is a reader. If it is given up, nothing of it is left, which could not be had of a thread
 * that waits in open(2).
 */
class fifo_open
{
public:
  fifo_open() = default;
  fifo_open(const fifo_open&) = delete;
  fifo_open& operator=(const fifo_open&) = delete;
  ~fifo_open() { give_up(); }

  /// A file descriptor or a negative errno; or nothing has come of it yet: see waits().
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
