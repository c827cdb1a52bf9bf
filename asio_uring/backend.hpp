// asio_uring/backend.hpp: what performs the operations of a context, and why.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_BACKEND_HPP
#define ASIO_URING_BACKEND_HPP

#include <asio_uring/options.hpp>
#include <asio_uring/ring/features.hpp>
#include ASIO_URING_ASIO(execution_context.hpp)
#include <iosfwd>
#include <string>

namespace asio_uring {

/// Description of a context's backend. Printable.
struct backend_info
{
  bool io_uring = false; ///< false: the kernel provides none, or it is undecided: `entries` is 0
  std::string reason;    ///< why, and what to do about it
  pump_kind pump = pump_kind::automatic;               ///< ring or guest
  asio_uring::path path = asio_uring::path::automatic; ///< the path of reads at the moment
  std::string path_reason;       ///< why: the cost of a system call, and of the other path
  asio_uring::features features; ///< those of the kernel, or of what emulates it
  bool busy_poll = false;        ///< the kernel polls network devices: options::busy_poll
  unsigned entries = 0;          ///< submission queue entries; 0: undecided, because no I/O object exists yet
  unsigned completions = 0;      ///< completion queue entries
};

/// Returns the backend of a context; sets up nothing.
/** Thread safety: may be called by any thread once the context's first I/O object exists. */
ASIO_URING_DECL backend_info backend(asio::execution_context& context);

/// Writes the description as one line.
ASIO_URING_DECL std::ostream& operator<<(std::ostream& out, const backend_info& b);

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/backend.ipp>
#endif

#endif // ASIO_URING_BACKEND_HPP
