// test/soak/main.cpp: a mixed load with faults, for a given time; nothing may be lost, nothing may grow.
//
//   soak [SECONDS]
//
// Streams are numbered: each byte is determined by its session and its position. A session that is not killed
// must get all of its bytes back and then the end; of a killed one, what arrives must be a prefix. Cancelled
// operations are started again where they stopped. Handlers are counted: each is called once, or destroyed
// once with a context that was abandoned. Exit code 0 only if all of that holds, no descriptor is left, and
// memory is flat.
//
// This is plain Asio: built without the library, it proves that what it demands is Asio's own behaviour.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "process.hpp"
#include "site.hpp"

#include <csignal>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

using namespace soak;

namespace {

unsigned long long value(const counter& c) { return c.load(); }

} // namespace

int main(int argc, char** argv)
{
  const double seconds = argc > 1 ? std::atof(argv[1]) : 600;
  if (seconds < 1) {
    std::fprintf(stderr, "usage: soak [SECONDS]\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN); // writes to pipes whose reader is gone raise it
  ::mallopt(M_ARENA_MAX, 1);     // one heap, so that live memory is not spread over one for each thread

  { // Memory that is allocated once, at the first use, is no leak.
    site first(2, 16);
    std::this_thread::sleep_for(500ms);
    first.finish();
    site second(2, 16);
    std::this_thread::sleep_for(100ms);
    second.abandon();
  }
  const auto start = clock_type::now();
  std::vector<sample> samples;
  samples.reserve(static_cast<std::size_t>(seconds * 10) + 100);
  random_engine random(11);
  const sample before = measure(start);

  {
    site many_threads(3, crowd), one_thread(1, crowd);
    std::printf("%8s %12s %10s %10s %12s %10s %10s\n", "seconds", "MiB", "cancels", "sessions",
                "resident MiB", "live MiB", "open files");
    double next_row = 0;
    for (unsigned round = 0; samples.empty() || samples.back().seconds < seconds; ++round) {
      std::this_thread::sleep_for(100ms);
      const sample& s = samples.emplace_back(measure(start));
      if (s.seconds >= next_row) {
        next_row += seconds / 20;
        std::printf("%8.0f %12.0f %10llu %10llu %12.1f %10.2f %10.0f\n", s.seconds,
                    static_cast<double>(total.bytes) / (1 << 20),
                    value(total.cancels) + value(total.slot_cancels), value(total.sessions), s.resident,
                    s.live, s.descriptors);
        std::fflush(stdout);
      }
      if (round % 10 == 5) exhaust_descriptors();
      if (round % 10 == 0) {
        site passing(random() % 2 ? 1 : 2, 8);
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
        round % 20 ? passing.finish() : passing.abandon();
      }
    }
    many_threads.finish();
    one_thread.finish();
  }
  const sample after = measure(start);

  const auto resident = medians(samples, &sample::resident);
  const auto live = medians(samples, &sample::live);
  const auto files = medians(samples, &sample::descriptors);
  const double left = (after.live - before.live) * 1024;

  const bool complete = total.lost == 0 && total.wrong == 0 &&
                        total.sessions == total.whole + total.killed + total.refused + total.abandoned;
  const bool steady = files.second == 0 || files.last <= files.second * 1.1 + 8; // 0: no time for a sample
  const bool closed = after.descriptors == before.descriptors && steady;
#ifdef SANITIZED
  const bool flat = true; // the sanitizer's memory, not ours
#else
  const bool flat =
      resident.last <= resident.second * 1.05 + 4 && live.last <= live.second * 1.05 + 1 && left <= 64;
#endif

  std::printf(
      "\noperations   %llu, of these aborted and started again %llu, destroyed with their context %llu\n",
      value(total.operations), value(total.aborted), value(total.destroyed));
  std::printf("data         %.1f GiB, %llu datagrams, %llu blocks of files, %llu timers\n",
              static_cast<double>(total.bytes) / (1 << 30), value(total.datagrams), value(total.blocks),
              value(total.timers));
  std::printf("cancels      %llu by slot, %llu by cancel()\n", value(total.slot_cancels),
              value(total.cancels));
  std::printf("sessions     %llu: %llu whole, %llu killed, %llu not connected, %llu abandoned\n",
              value(total.sessions), value(total.whole), value(total.killed), value(total.refused),
              value(total.abandoned));
  std::printf("kills        %llu resets, %llu closes, %llu destructions\n", value(total.resets),
              value(total.closes), value(total.destructions));
  std::printf("contexts     %llu, %llu of them destroyed in the middle\n", value(total.contexts),
              value(total.contexts_abandoned));
  std::printf("exhaustion   %llu times, %llu operations without a descriptor\n", value(total.exhaustions),
              value(total.no_descriptor));
  std::printf(
      "resident     %.1f MiB in the second quarter, %.1f MiB in the last (allowed: 5 %% and 4 MiB more)\n",
      resident.second, resident.last);
  std::printf(
      "live         %.2f MiB in the second quarter, %.2f MiB in the last (allowed: 5 %% and 1 MiB more); "
      "%.1f KiB left (allowed: 64)\n",
      live.second, live.last, left);
  std::printf("descriptors  %.0f in the second quarter, %.0f in the last; %.0f before, %.0f after\n",
              files.second, files.last, before.descriptors, after.descriptors);
  std::printf("lost         %llu\nwrong        %llu\n", value(total.lost), value(total.wrong));
  const bool passed = complete && closed && flat;
  std::printf("verdict      %s%s%s%s\n", passed ? "passed" : "FAILED", complete ? "" : ": lost or wrong",
              closed ? "" : ": descriptors leaked", flat ? "" : ": memory grew");
  return passed ? 0 : 1;
}
