// test/simulation/environment.hpp: the surroundings of a simulated kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATION_ENVIRONMENT_HPP
#define ASIO_URING_TEST_SIMULATION_ENVIRONMENT_HPP

#include <atomic>
#include <chrono>

/// A clock that advances when the loop sleeps, and a little whenever it is read.
struct simulated_clock
{
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<simulated_clock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept { return time += std::chrono::microseconds(1); }
  inline static time_point time{std::chrono::hours(1)};
};

/// While one exists, sleeping advances only this clock (simulation/sleep.hpp).
class virtual_sleep
{
public:
  virtual_sleep() noexcept { ++in_use; }
  ~virtual_sleep() { --in_use; }
  virtual_sleep(const virtual_sleep&) = delete;
  virtual_sleep& operator=(const virtual_sleep&) = delete;
  inline static std::atomic<int> in_use{0}; // read by any thread that waits
};

/// What happens outside of the kernel.
class environment
{
public:
  /// Called at each enter, even if it is refused.
  virtual void entered() {}
  /// Called whenever the kernel has taken entries: other processes may have done something meanwhile.
  virtual void others_go_on() = 0;
  /// Called when the loop sleeps and nothing that it waits for will come by itself.
  virtual void asleep() = 0;
  /// Whether the thread that enters is within a handler.
  virtual bool in_handler() const { return false; }
  /// Called when the program does what it must not ask of a kernel.
  [[noreturn]] virtual void fail(const char* what) = 0;

protected:
  ~environment() = default;
};

/// Probabilities, per mille.
struct odds
{
  unsigned refuse = 20;         ///< an enter takes nothing: EAGAIN, EBUSY
  unsigned busy = 0;            ///< EBUSY while a handler runs and nothing is collected
  unsigned partial = 60;        ///< an enter takes only some entries
  unsigned interrupt = 30;      ///< a wait ends with EINTR
  unsigned at_once = 500;       ///< a request may go on when it is taken
  unsigned go_on = 400;         ///< a request may go on in a round
  unsigned deliver = 500;       ///< a result is delivered in a round
  unsigned shorten = 300;       ///< a transfer is cut short
  unsigned consume = 500;       ///< a datagram that finds no room is lost, and an empty one is sent instead
  unsigned no_memory = 8;       ///< ENOBUFS, ENOMEM
  unsigned interrupted = 60;    ///< EINTR; ECONNABORTED where sockets are accepted
  unsigned restart = 300;       ///< ERESTARTSYS where EINTR was meant, or ECANCELED
  unsigned thread_exits = 8;    ///< ECANCELED without a cancellation
  unsigned no_worker = 0;       ///< ECANCELED from here on for requests that need a kernel thread
  unsigned poll_ends = 60;      ///< a multishot poll ends with an event
  unsigned multishot_ends = 60; ///< a multishot accept or receive ends with a result
  unsigned no_descriptor = 20;  ///< EMFILE where sockets are accepted
  unsigned no_queue = 0;        ///< EINVAL for a queue of buffers
  unsigned buffer_used = 100;  ///< a receive that failed, or came to the end, has used up the buffer it chose
  unsigned unasked = 1000;     ///< a poll reports POLLRDHUP, which it was not asked for
  unsigned flags = 300;        ///< a completion has an unexpected flag
  unsigned spurious = 20;      ///< an event without a cause
  unsigned flag_stays = 300;   ///< the flag that asks for an enter stays set when there is nothing to do
  unsigned told = 100;         ///< a thread that does not enter is interrupted to work for its requests
  unsigned cancel_loses = 300; ///< a request may go on once more before it is cancelled
  unsigned cancel_later = 100; ///< EALREADY, and the request ends some time later
};

#endif // ASIO_URING_TEST_SIMULATION_ENVIRONMENT_HPP
