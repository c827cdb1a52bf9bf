// asio_uring/detail/engine/counters.hpp: what a context's ring has done so far.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_COUNTERS_HPP
#define ASIO_URING_DETAIL_ENGINE_COUNTERS_HPP

#include <asio_uring/ring/counter.hpp>
#include <cstdint>

namespace asio_uring::detail {

/// Counted where they happen; none of them for each operation that is a plain call.
struct counters
{
  counter enters, waits, overflows; // of former rings
  counter completions, largest_batch;
  counter submitted, polls, retries, kept_bytes, read_ahead, wake_ups, switches, pauses;
  counter zero_copy, copied;
  counter promised, notified; // notifications of zero-copy sends
  std::uint64_t outstanding() const noexcept { return promised.get() - notified.get(); }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_COUNTERS_HPP
