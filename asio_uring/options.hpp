// asio_uring/options.hpp: options of a context's ring.
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
  automatic,  ///< reads and sends: the cheaper one, found by comparison while the program runs; accept,
              ///< connect, waits and sends of several buffers: completion
  completion, ///< the operation itself is submitted: hardly any system call
  readiness   ///< a standing poll is submitted, plain calls transfer the data: fewest instructions
};

/// What turns the ring: submits, waits and collects.
enum class pump_kind
{
  automatic, ///< ring on an io_context or thread_pool, but guest if a thread is in its reactor already
  ring,      ///< the ring takes the place of the context's reactor
  guest      ///< the context's reactor watches the ring
};

/// When a connection that a handler closes is closed.
enum class closing
{
  automatic,      ///< at once
  at_once,        ///< by a system call of its own, as by Asio
  with_next_enter ///< when the loop enters the ring next, without a system call
};

/// What happens if the kernel provides no io_uring.
enum class fallback
{
  automatic, ///< epoll and threads perform the operations; backend() says why
  forbid,    ///< system_error with the reason is thrown; a ring that fails later is replaced all the same
  force      ///< epoll and threads perform the operations in any case
};

/// Returns the path's name, as it is written in the environment.
ASIO_URING_DECL const char* name(path p) noexcept;
/// Returns the pump's name, as it is written in the environment.
ASIO_URING_DECL const char* name(pump_kind k) noexcept;

/// Options of a context's ring. The environment may set those that the program leaves at their defaults:
/// use_io_uring().
struct options
{
  unsigned entries = 256;   ///< submission queue entries, 2 to 32768
  unsigned completions = 0; ///< completion queue entries, 2 * entries to 65536; 0: 4096, or 2 * entries if
                            ///< that is more
  asio_uring::path path = asio_uring::path::automatic;             ///< how sockets are served
  pump_kind pump = pump_kind::automatic;                           ///< what turns the ring
  asio_uring::fallback fallback = asio_uring::fallback::automatic; ///< what happens without io_uring
  /// How long a thread that runs the context looks for completions before it sleeps, 0 to 1 s. This lowers
  /// latency, at the expense of a processor. The more often it finds none, the more rarely it looks. No
  /// effect with the guest pump, where the thread sleeps in the context's own reactor.
  std::chrono::nanoseconds spin{0};
  /// How long a thread that sleeps in the ring waits for more completions after the first one, 0 to 100 ms.
  /// This raises throughput, at the expense of latency, also that of functions that other threads post. Since
  /// Linux 6.12; no effect before, nor with the guest pump.
  std::chrono::microseconds min_wait{0};
  /// How long the kernel polls the queues of network devices before such a thread sleeps (NAPI), 0 to 1 s.
  /// This lowers latency over a network card, at the expense of a processor. Since Linux 6.9; backend() says
  /// whether the kernel does it.
  std::chrono::microseconds busy_poll{0};
  /// How many datagrams one call may receive beyond the one that was asked for, if many wait in a socket: 0
  /// to 64. The next receives get them. They are lost if the socket is closed, as are those in the kernel's
  /// queue. No effect with path::completion, nor once native_handle() was called, because the program may
  /// then receive without the socket object.
  unsigned read_ahead = 15;
  /// From how many bytes on async_send_zero_copy and async_write_zero_copy send without a copy; 0 and 1: all.
  /// To copy a few bytes costs less than to hold their memory and to report when it is free again.
  std::size_t zero_copy_threshold = 65536;
  /// When a TCP connection is closed that was accepted, has nothing in flight, and is closed by a handler.
  /// With `with_next_enter` a server of short connections needs a system call less for each. Until the loop
  /// goes on, the number is in use (the program must not replace it by dup2 or close_range), processes that
  /// are started inherit the connection, and its peer sees no end: call shutdown() before close() if a
  /// handler waits for that. No effect where reads are calls, with linger set, with the guest pump, if
  /// several threads run the context, and before Linux 6.6.
  asio_uring::closing closing = closing::automatic;
  linux_version newest = {}; ///< use no feature newer than this Linux, 5.11 or later; {}: all
  /// For tests and experiments: makes an emulated kernel, for each ring that is set up, also in a forked
  /// child. If it throws std::system_error, that counts as the kernel's refusal of a ring. It must not return
  /// null.
  std::function<std::unique_ptr<emulated_kernel>()> kernel = nullptr;
  /// For tests and experiments: the clock by which paths are compared, in place of the processor time of the
  /// threads that run the context.
  std::function<std::chrono::nanoseconds()> processor_time = nullptr;
};

/// Sets up io_uring for a context. Must be called before the context's first I/O object, which otherwise does
/// it with default options.
/**
 * An option that the program leaves at its default is taken from the environment. An empty value and
 * `automatic` leave the default.
 *
 * - ASIO_URING_BACKEND: io_uring (no fallback) or fallback;
 * - ASIO_URING_PUMP: ring or guest; ASIO_URING_PATH: completion or readiness;
 * - ASIO_URING_NEWEST: a version of Linux from 5.11 on;
 * - ASIO_URING_ENTRIES: 2 to 32768; ASIO_URING_COMPLETIONS: twice the entries to 65536;
 * - ASIO_URING_SPIN and ASIO_URING_BUSY_POLL: a time up to 1s, such as 50us (ns, us, ms, s);
 *   ASIO_URING_MIN_WAIT: up to 100ms;
 * - ASIO_URING_READ_AHEAD: 0 to 64; ASIO_URING_ZERO_COPY_THRESHOLD: a number of bytes;
 * - ASIO_URING_CLOSING: at_once or with_next_enter.
 *
 * With ASIO_URING_REPORT=1 each context reports on standard error its backend, pump and path, and why.
 *
 * The ring takes the place of the context's reactor even if the context already has stock timers, signal sets
 * or sockets, as long as no thread is in that reactor. Timers cost less on a context that had its ring first.
 *
 * @throws std::invalid_argument for a value that is not allowed: what() names the option or the variable, the
 * value, and what is allowed; std::logic_error if the context has its ring already, or pump_kind::ring is
 * asked for and a thread is in the context's reactor; system_error if the kernel provides no ring and the
 * fallback is forbidden, or no descriptor is left for it. Thread safety: as the context's construction. Since
 * Linux 5.11.
 */
ASIO_URING_DECL void use_io_uring(asio::execution_context& context, const options& = {});

} // namespace asio_uring

#endif // ASIO_URING_OPTIONS_HPP
