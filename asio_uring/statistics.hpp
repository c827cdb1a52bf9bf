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
  std::uint64_t operations = 0;    ///< operations begun on sockets and descriptors; not on files
  std::uint64_t submitted = 0;     ///< of these, submitted to the ring; the others were plain calls, perhaps
                                   ///< after a poll
  std::uint64_t enters = 0;        ///< entries into the ring: system calls, if there is io_uring
  std::uint64_t waits = 0;         ///< of these, to sleep until something completes
  std::uint64_t submissions = 0;   ///< submission entries: operations of every kind, polls, cancellations
  std::uint64_t completions = 0;   ///< completions of these, and events of polls
  std::uint64_t largest_batch = 0; ///< most completions found at once
  std::uint64_t polls = 0;         ///< polls armed
  std::uint64_t retries = 0;       ///< submitted operations that the kernel ended early, and that began anew
  std::uint64_t kept_bytes = 0;    ///< bytes that cancelled reads had received, kept for the next read
  std::uint64_t read_ahead = 0;    ///< datagrams received before they were asked for
  std::uint64_t zero_copy = 0;     ///< sends without a copy, each part of a longer write
  std::uint64_t copied = 0;        ///< of these, those that the kernel copied all the same
  std::uint64_t pauses = 0;        ///< pauses of streams that lacked descriptors or memory
  std::uint64_t overflows = 0; ///< enters with more completions than the queue holds: options::completions
  std::uint64_t wake_ups = 0;  ///< times that another thread woke one that slept in the ring
  std::uint64_t switches = 0;  ///< changes of the path, trials included
  asio_uring::path path = asio_uring::path::automatic; ///< of reads at the moment; automatic: undecided
};

/// Returns what a context's ring has done; all zero before its first I/O object. Sets up nothing.
/** Thread safety: may be called by any thread once the context's first I/O object exists. */
ASIO_URING_DECL statistics_info statistics(asio::execution_context& context);

/// Writes the statistics as one line of text.
ASIO_URING_DECL std::ostream& operator<<(std::ostream& out, const statistics_info& s);

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/statistics.ipp>
#endif

#endif // ASIO_URING_STATISTICS_HPP
