// asio_uring/statistics.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_STATISTICS_IPP
#define ASIO_URING_STATISTICS_IPP

#include <asio_uring/backend.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/statistics.hpp>
#include <ostream>

namespace asio_uring {

ASIO_URING_DECL statistics_info statistics(asio::execution_context& context)
{
  statistics_info s;
  if (!asio::has_service<detail::ring_service>(context)) return s;
  auto& service = asio::use_service<detail::ring_service>(context);
  const detail::counters& c = service.counts();
  s.operations = service.paths().operations();
  s.submitted = c.submitted.get();
  service.with_ring([&](const ring& r) {
    s.enters = c.enters.get() + r.enters();
    s.waits = c.waits.get() + r.waits();
    s.overflows = c.overflows.get() + r.overflows();
  });
  s.submissions = service.submissions();
  s.completions = c.completions.get();
  s.largest_batch = c.largest_batch.get();
  s.polls = c.polls.get();
  s.retries = c.retries.get();
  s.kept_bytes = c.kept_bytes.get();
  s.read_ahead = c.read_ahead.get();
  s.zero_copy = c.zero_copy.get();
  s.copied = c.copied.get();
  s.pauses = c.pauses.get();
  s.wake_ups = c.wake_ups.get();
  s.switches = c.switches.get();
  s.path = service.paths().path_for(detail::preference::reading);
  return s;
}

ASIO_URING_DECL std::ostream& operator<<(std::ostream& out, const statistics_info& s)
{
  return out << "operations " << s.operations << " (submitted " << s.submitted << "), enters " << s.enters
             << " (waits " << s.waits << "), submissions " << s.submissions << ", completions "
             << s.completions << " (at most " << s.largest_batch << " at once), polls " << s.polls
             << ", retries " << s.retries << ", kept bytes " << s.kept_bytes << ", datagrams read ahead "
             << s.read_ahead << ", zero-copy sends " << s.zero_copy << " (copied " << s.copied << "), pauses "
             << s.pauses << ", overflows " << s.overflows << ", wake-ups " << s.wake_ups << ", path "
             << name(s.path) << " (switches " << s.switches << ')';
}

} // namespace asio_uring

#endif // ASIO_URING_STATISTICS_IPP
