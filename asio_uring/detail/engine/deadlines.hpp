// asio_uring/detail/engine/deadlines.hpp: cancels operations at a given time.
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

/// Cancels an operation when its time has come, in the executor of the operation's handler.
/**
 * The operation's handler holds it from take() to give_back(). Meanwhile it is in the wheel, or its time has
 * come and the loop is about to emit the signal. Deadlines are recycled, and with them the memory that their
 * signals hold for cancellation handlers.
 */
class deadline final : public timing_wheel::entry, private completion
{
public:
  explicit deadline(deadlines& all) noexcept : completion(&deadline::do_complete), all_(all) {}

  asio::cancellation_signal& signal() noexcept { return signal_; }
  /// Called when the operation has ended. True if its time came before that.
  ASIO_URING_DECL bool give_back() noexcept;
  /// A number that changes with the operation that holds it.
  unsigned holder() const noexcept { return holder_.load(std::memory_order_relaxed); }

  /// Runs a function where the operation's handler runs.
  class executor
  {
  public:
    virtual ~executor() = default;
    /// Has a function run that calls d.emit(true). If it is destroyed without having run, it calls
    /// d.emit(false).
    virtual void dispatch(deadline& d) = 0;
  };
  /// Emits the signal if the operation has not ended meanwhile. `runs`: whether this runs where the
  /// operation's handler does; if not, the signal is not emitted.
  ASIO_URING_DECL void emit(bool runs) noexcept;

private:
  friend class deadlines;
  ASIO_URING_DECL static void do_complete(void* owner, completion* base, const error_code&, std::size_t);

  deadlines& all_;
  asio::cancellation_signal signal_;
  std::unique_ptr<executor> executor_; // null: the handler runs in the loop
  deadline* next_free_ = nullptr;
  std::atomic<unsigned> holder_{0};
  bool held_ = false;    // by an operation
  bool due_ = false;     // from when its time has come until emit() has run
  bool expired_ = false; // its time came while it was held
};

struct give_back_deadline
{
  void operator()(deadline* d) const noexcept { d->give_back(); }
};
/// Held by an operation until it ends.
using held_deadline = std::unique_ptr<deadline, give_back_deadline>;

/// The deadlines of a context. One kernel timer is set to the earliest; an operation that ends in time costs
/// no system call. Lives until the context and all handlers that hold a deadline are gone.
class deadlines final : public request
{
public:
  using clock = std::chrono::steady_clock;

  ASIO_URING_DECL explicit deadlines(ring_service& service);

  /// Returns a deadline for an operation that is about to start; `ex` if its handler does not run in the
  /// loop. May allocate.
  ASIO_URING_DECL held_deadline take(std::unique_ptr<deadline::executor> ex);
  /// Starts the deadline after its operation. Does nothing if the operation has given it back already.
  ASIO_URING_DECL void start(deadline& d, unsigned holder, clock::time_point at) noexcept;

  /// Whether the timer is in the kernel.
  bool armed() const noexcept { return armed_at_.load(std::memory_order_relaxed) != timing_wheel::never; }
  /// Called when the service ends.
  ASIO_URING_DECL void abandon() noexcept;

private:
  friend class deadline;
  ASIO_URING_DECL static timing_wheel::tick_type ticks_until(clock::time_point t) noexcept;
  ASIO_URING_DECL static const request::type& functions() noexcept;
  ASIO_URING_DECL void expire(completion_queue& out) noexcept;
  ASIO_URING_DECL void arm() noexcept;
  ASIO_URING_DECL void recycle(deadline& d, locked& guard) noexcept;

  ring_service& service_;
  lock lock_{true}; // needed whatever the concurrency hint: handlers of other contexts give back
  timing_wheel wheel_;
  std::atomic<timing_wheel::tick_type> armed_at_{timing_wheel::never};
  __kernel_timespec until_then_{};
  std::vector<std::unique_ptr<deadline>> made_;
  deadline* free_ = nullptr;
  std::size_t in_use_ = 0;
  bool abandoned_ = false;
};

/// Abandons the deadlines of a context when its service ends.
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
