// asio_uring/detail/engine/deadlines.hpp: operations that are cancelled at a time.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_DEADLINES_HPP
#define ASIO_URING_DETAIL_ENGINE_DEADLINES_HPP

#include <asio_uring/detail/engine/lock.hpp>
#include <asio_uring/detail/engine/request.hpp>
#include <asio_uring/detail/engine/timing_wheel.hpp>
#include <atomic>
#include ASIO_URING_ASIO(cancellation_signal.hpp)
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace asio_uring::detail {

class deadlines;
class ring_service;

/// Cancels an operation at its time, where the operation's handler runs.
/**
 * The operation's handler holds it from take() to give_back(). In between it waits in the wheel, or the loop
 * has found that its time has come and is about to emit the signal. It is the service's memory, used again
 * and again: so is the memory that the signal has for what an operation puts into its slot.
 */
class deadline final : public timing_wheel::entry, private completion
{
public:
  explicit deadline(deadlines& all) noexcept : completion(&deadline::do_complete), all_(all) {}

  asio::cancellation_signal& signal() noexcept { return signal_; }
  /// The operation has ended. True if its time came before that.
  ASIO_URING_DECL bool give_back() noexcept;
  /// Of the operation that holds it: another one has another.
  unsigned holder() const noexcept { return holder_.load(std::memory_order_relaxed); }

  /// Has a function run where the operation's handler does.
  class executor
  {
  public:
    virtual ~executor() = default;
    /// The function calls d.emit(true); if it is destroyed without having run, d.emit(false).
    virtual void dispatch(deadline& d) = 0;
  };
  /// Its time has come: emits the signal, if this `runs` where the operation's handler does and the operation
  /// has not ended meanwhile.
  ASIO_URING_DECL void emit(bool runs) noexcept;

private:
  friend class deadlines;
  ASIO_URING_DECL static void do_complete(void* owner, completion* base, const error_code&, std::size_t);

  deadlines& all_;
  asio::cancellation_signal signal_;
  std::unique_ptr<executor> executor_; // null: the loop
  deadline* next_free_ = nullptr;
  std::atomic<unsigned> holder_{0};
  bool held_ = false;    // by an operation
  bool due_ = false;     // the loop has it, until the signal has been emitted
  bool expired_ = false; // its time came while it was held
};

struct give_back_deadline
{
  void operator()(deadline* d) const noexcept { d->give_back(); }
};
/// Held by an operation until it ends.
using held_deadline = std::unique_ptr<deadline, give_back_deadline>;

/// All of a context's. One kernel timer, set to the first; a deadline that an operation meets costs no
/// system call. Lives until the context and all handlers that hold a deadline are gone.
class deadlines final : public request
{
public:
  using clock = std::chrono::steady_clock;

  ASIO_URING_DECL explicit deadlines(ring_service& service);

  /// For an operation that is going to be started; `ex` if its handler does not run in the loop. May
  /// allocate.
  ASIO_URING_DECL held_deadline take(std::unique_ptr<deadline::executor> ex);
  /// After it has been started. Nothing happens if it has given its deadline back already.
  ASIO_URING_DECL void start(deadline& d, unsigned holder, clock::time_point at) noexcept;

  /// Whether the timer is with the kernel.
  bool armed() const noexcept { return armed_at_.load(std::memory_order_relaxed) != timing_wheel::never; }
  /// The service ends.
  ASIO_URING_DECL void abandon() noexcept;

private:
  friend class deadline;
  ASIO_URING_DECL static timing_wheel::tick_type ticks_until(clock::time_point t) noexcept;
  ASIO_URING_DECL static const request::type& functions() noexcept;
  ASIO_URING_DECL void expire(completion_queue& out) noexcept;
  ASIO_URING_DECL void arm() noexcept;
  ASIO_URING_DECL void recycle(deadline& d, locked& guard) noexcept;

  ring_service& service_;
  lock lock_{true}; // handlers of other contexts give back, whatever the hint says of this one
  timing_wheel wheel_;
  std::atomic<timing_wheel::tick_type> armed_at_{timing_wheel::never};
  __kernel_timespec until_then_{};
  std::vector<std::unique_ptr<deadline>> made_;
  deadline* free_ = nullptr;
  std::size_t in_use_ = 0;
  bool abandoned_ = false;
};

/// A context's, for as long as its service lives.
struct abandon_deadlines
{
  void operator()(deadlines* d) const noexcept { d->abandon(); }
};
using owned_deadlines = std::unique_ptr<deadlines, abandon_deadlines>;

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/ring_service.hpp> // and then the functions
#endif

#endif // ASIO_URING_DETAIL_ENGINE_DEADLINES_HPP
