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

/// A context's backend. Printable.
struct backend_info
{
  bool io_uring = false;                 ///< false: the kernel gives none, or it is undecided: `entries` is 0
  std::string reason;                    ///< why, in words that a person can act on
  pump_kind pump = pump_kind::automatic; ///< ring or guest
  asio_uring::path path = asio_uring::path::automatic; ///< of reads at the moment
  std::string path_reason;                             ///< why: what a system call costs, what was compared
  asio_uring::features features;                       ///< what the kernel, or what emulates it, granted
  bool busy_poll = false;   ///< the kernel polls network devices: options::busy_poll
  unsigned entries = 0;     ///< submission queue entries; 0: undecided, for no I/O object exists yet
  unsigned completions = 0; ///< completion queue entries
};

/// Describes the backend of a context; sets up nothing.
/** Thread safety: may be called by any thread once the context's first I/O object exists. */
ASIO_URING_DECL backend_info backend(asio::execution_context& context);

/// Writes it in a line.
ASIO_URING_DECL std::ostream& operator<<(std::ostream& out, const backend_info& b);

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/backend.ipp>
#endif

#endif // ASIO_URING_BACKEND_HPP
