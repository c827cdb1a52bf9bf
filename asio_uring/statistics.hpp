// asio_uring/statistics.hpp: what a context's ring has done so far.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_STATISTICS_HPP
#define ASIO_URING_STATISTICS_HPP

#include <asio_uring/options.hpp>
#include ASIO_URING_ASIO(execution_context.hpp)
#include <cstdint>
#include <iosfwd>

namespace asio_uring {

/// Counts since the context's first I/O object. Printable.
struct statistics_info
{
  std::uint64_t operations = 0;    ///< begun on sockets and descriptors; not those of files
  std::uint64_t submitted = 0;     ///< of these, given to the kernel as such; the others were plain calls, or
                                   ///< waited for a poll first
  std::uint64_t enters = 0;        ///< times that the ring was entered: system calls, where there is io_uring
  std::uint64_t waits = 0;         ///< of these, to sleep until something completes
  std::uint64_t submissions = 0;   ///< entries: operations of every kind, polls, cancellations
  std::uint64_t completions = 0;   ///< of these, and events of polls
  std::uint64_t largest_batch = 0; ///< completions found at once
  std::uint64_t polls = 0;         ///< armed
  std::uint64_t retries = 0;       ///< submitted operations that began anew: the kernel's own decision
  std::uint64_t kept_bytes = 0;    ///< that cancelled reads had received, kept for the next
  std::uint64_t read_ahead = 0;    ///< datagrams received before they were asked for
  std::uint64_t zero_copy = 0;     ///< sends without a copy, each part of a longer one
  std::uint64_t copied = 0;        ///< of these, what the kernel has copied all the same
  std::uint64_t pauses = 0;        ///< of streams, for want of descriptors or of memory
  std::uint64_t overflows = 0;     ///< enters that found completions without room: options::completions
  std::uint64_t wake_ups = 0;      ///< of a thread that slept in the ring, by others
  std::uint64_t switches = 0;      ///< of the path, trials included
  asio_uring::path path = asio_uring::path::automatic; ///< of reads at the moment; automatic: undecided
};

/// What a context's ring has done; all zero before its first I/O object. Sets up nothing.
/** Thread safety: may be called by any thread once the context's first I/O object exists. */
ASIO_URING_DECL statistics_info statistics(asio::execution_context& context);

/// Writes it in a few lines.
ASIO_URING_DECL std::ostream& operator<<(std::ostream& out, const statistics_info& s);

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/statistics.ipp>
#endif

#endif // ASIO_URING_STATISTICS_HPP
