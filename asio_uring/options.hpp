// asio_uring/options.hpp: how a context uses its ring. All optional.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_OPTIONS_HPP
#define ASIO_URING_OPTIONS_HPP

#include <asio_uring/config.hpp>
#include <asio_uring/ring/features.hpp>
#include ASIO_URING_ASIO(execution_context.hpp)
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace asio_uring {

class emulated_kernel;

/// How a socket's operations are performed.
enum class path
{
  automatic,  ///< what costs less where the program runs, as compared while it does; accept, connect, waits
              ///< and what sends several buffers by completion
  completion, ///< the operation itself is submitted: hardly any system call
  readiness   ///< a standing poll on the ring, plain calls when data is there: fewest instructions
};

/// Who turns the ring.
enum class pump_kind
{
  automatic, ///< ring on an io_context or thread_pool, but guest where a thread is in its reactor already
  ring,      ///< the ring is in the place of the context's reactor
  guest      ///< the context's reactor watches the ring
};

/// What happens where the kernel gives no io_uring.
enum class fallback
{
  automatic, ///< the operations are performed with epoll and threads; backend() tells why
  forbid,    ///< system_error, with the reason; a ring that fails later is replaced all the same
  force      ///< epoll and threads in any case
};

/// The word of the environment for it.
ASIO_URING_DECL const char* name(path p) noexcept;
/// The word of the environment for it.
ASIO_URING_DECL const char* name(pump_kind k) noexcept;

/// Options of a context's ring. What is left as it is here, the environment may set: use_io_uring().
struct options
{
  unsigned entries = 256;   ///< submission queue entries, 2 to 32768
  unsigned completions = 0; ///< completion queue entries, 2 * entries to 65536; 0: 4096, or the fewest
  asio_uring::path path = asio_uring::path::automatic;             ///< how sockets are served
  pump_kind pump = pump_kind::automatic;                           ///< who turns the ring
  asio_uring::fallback fallback = asio_uring::fallback::automatic; ///< what happens without io_uring
  /// How long a thread that runs the context looks for completions before it sleeps, 0 to 1 s: for latency,
  /// at the expense of a processor. Looked for ever more rarely where it is in vain. Not with the guest pump,
  /// where it is the context's own reactor that sleeps.
  std::chrono::nanoseconds spin{0};
  /// How long a thread that sleeps in the ring goes on sleeping when something has completed, for more to
  /// complete, 0 to 100 ms: for throughput, at the expense of latency, that of what other threads post
  /// included. Since Linux 6.12; nothing before, nor with the guest pump.
  std::chrono::microseconds min_wait{0};
  /// How long the kernel polls the queues of network devices before such a thread sleeps (NAPI), 0 to 1 s:
  /// for latency over a network card, at the expense of a processor. Since Linux 6.9; backend() tells whether
  /// the kernel does it.
  std::chrono::microseconds busy_poll{0};
  /// Datagrams that one call may receive, besides the one that is asked for, where many wait in a socket: up
  /// to 64; 0: none. They are the next receives' and are lost where the socket is closed, as those in the
  /// kernel's queue are. Not with path::completion, nor from native_handle() on: the program may receive past
  /// the socket object.
  unsigned read_ahead = 15;
  /// From how many bytes on async_send_zero_copy and async_write_zero_copy send without a copy; 0 and 1: all.
  /// For few a copy costs less than to hold the memory and to tell when it is free again.
  std::size_t zero_copy_threshold = 65536;
  linux_version newest = {}; ///< use nothing that came after this Linux, 5.11 or later
  /// For tests and experiments: makes an emulated kernel, now and in a forked child. What it
  /// throws, std::system_error, is taken as the kernel's refusal of a ring; it must not return null.
  std::function<std::unique_ptr<emulated_kernel>()> kernel = nullptr;
  /// For tests and experiments: the clock by which paths are compared, in place of the processor time of the
  /// thread that runs the context.
  std::function<std::chrono::nanoseconds()> processor_time = nullptr;
};

/// Sets up io_uring for a context. To be called before the context's first I/O object; without it the first
/// object does so with default options.
/**
 * An option that the program has left at its default is taken from the environment. `automatic`, or nothing,
 * leaves it as it is.
 *
 * - ASIO_URING_BACKEND: io_uring (no fallback) or fallback;
 * - ASIO_URING_PUMP: ring or guest; ASIO_URING_PATH: completion or readiness;
 * - ASIO_URING_NEWEST: a version of Linux from 5.11 on;
 * - ASIO_URING_ENTRIES: 2 to 32768; ASIO_URING_COMPLETIONS: twice the entries to 65536;
 * - ASIO_URING_SPIN and ASIO_URING_BUSY_POLL: a time up to 1s, such as 50us (ns, us, ms, s);
 *   ASIO_URING_MIN_WAIT: up to 100ms;
 * - ASIO_URING_READ_AHEAD: 0 to 64; ASIO_URING_ZERO_COPY_THRESHOLD: a number of bytes.
 *
 * With ASIO_URING_REPORT=1 each context says on standard error what it has: backend, pump, path, and why.
 *
 * A context with a stock timer, signal set or socket already gets the ring in the place of its reactor all
 * the same, if no thread is within that. Timers cost less on a context that had its ring first.
 *
 * @throws std::invalid_argument for a value that is not allowed, naming the option or the variable, the
 * value, and what is allowed; std::logic_error when the context has its ring already, or pump_kind::ring is
 * asked for and a thread is within the context's reactor; system_error when the kernel gives no ring and the
 * fallback is forbidden, or there is no descriptor left for it. Thread safety: as the context's construction.
 * Since Linux 5.11.
 */
ASIO_URING_DECL void use_io_uring(asio::execution_context& context, const options& = {});

} // namespace asio_uring

#endif // ASIO_URING_OPTIONS_HPP
