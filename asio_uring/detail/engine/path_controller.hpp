// asio_uring/detail/engine/path_controller.hpp: finds out at run time which path is the cheapest.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_HPP
#define ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_HPP

#include <algorithm>
#include <asio_uring/config.hpp>
#include <chrono>
#include <cstddef>

namespace asio_uring::detail {

/// The ways to read, and to send one buffer, when neither program nor environment forces a path.
enum class strategy : unsigned char
{
  calls,           ///< plain calls, reads when a poll reports data: fewest instructions
  submitted_sends, ///< the same, but sends are submitted: fewer calls at whose end the kernel does other work
  submitted        ///< both are submitted: hardly any call
};
inline constexpr unsigned strategies = 3;

/// Compares strategies by the processor time that an operation takes; the program's own part in that is
/// always the same.
/**
 * An epoch is a number of operations. Most epochs use the current strategy. Now and then another one is
 * tried: in a first short epoch, which does not count, sockets change over; a second short one shows whether
 * the strategy is much worse, which ends the trial; else a whole one is compared with the epochs before and
 * after. One that lost is tried less and less often, until the load changes.
 *
 * Pure arithmetic: the caller measures. Thread safety: one thread at a time.
 */
class path_controller
{
public:
  using duration = std::chrono::nanoseconds;

  explicit path_controller(strategy first = strategy::calls) noexcept : used_(first), now_(first) {}

  /// The strategy for operations that start now.
  strategy now() const noexcept { return now_; }
  /// The one in use while none is tried.
  strategy used() const noexcept { return used_; }
  /// How many operations the epoch should have.
  unsigned epoch() const noexcept
  {
    const bool changes = phase_ == phase::change || phase_ == phase::give_up;
    return std::max(changes                  ? fewest
                    : phase_ == phase::probe ? std::min(epoch_, probe_epoch)
                                             : epoch_,
                    turnover_);
  }
  /// Sets how many sockets there are. Each should have its turn in an epoch, so that all change over in one.
  void serves(std::size_t sockets) noexcept
  {
    turnover_ = static_cast<unsigned>(std::min<std::size_t>(2 * sockets, 1U << 20));
  }
  /// The cost of an operation with that strategy, relative to the one in use; 0 if it was not tried.
  double ratio(strategy s) const noexcept { return of(s).samples ? of(s).ratio : 0; }

  /// Ends an epoch: how many operations ended in it, the processor time that they took, and the time.
  ASIO_URING_DECL void ended(unsigned operations, duration processor_time, duration now) noexcept;
  /// Ends an epoch that cannot be compared: another thread went on with it, or there were too few operations.
  void discard(duration now) noexcept
  {
    if (phase_ != phase::use) of(tried_).next = now + of(tried_).pause;
    phase_ = phase::use;
    now_ = used_;
    before_ = 0;
  }

private:
  enum class phase : unsigned char
  {
    use,
    change, ///< sockets change over
    probe,
    give_up, ///< they change back after the probe
    trial,
    change_back,
    compare
  };
  struct other
  {
    double ratio = 1;
    unsigned samples = 0;
    bool of_another_load = false; // the samples
    duration pause = shortest_pause;
    duration next{0};
  };
  static constexpr duration shortest_pause = std::chrono::milliseconds(20);
  static constexpr duration longest_pause = std::chrono::seconds(8);
  static constexpr duration longest_pause_if_close =
      std::chrono::milliseconds(500); // a trial costs next to nothing then
  static constexpr duration longest_rest = std::chrono::milliseconds(320);
  static constexpr duration shortest_epoch = std::chrono::milliseconds(2);
  static constexpr duration longest_epoch = std::chrono::milliseconds(10);
  static constexpr double much_worse = 1.25;
  static constexpr unsigned fewest = 128, probe_epoch = 256, most = 8192;

  /// Whether the phase is one in which another strategy than the one in use is to be used.
  bool tries() const noexcept
  {
    return phase_ == phase::change || phase_ == phase::probe || phase_ == phase::trial;
  }
  other& of(strategy s) noexcept { return others_[static_cast<unsigned>(s)]; }
  const other& of(strategy s) const noexcept { return others_[static_cast<unsigned>(s)]; }
  ASIO_URING_DECL void look_for_change(double cost, duration now) noexcept;
  ASIO_URING_DECL void try_next(duration now) noexcept;
  ASIO_URING_DECL void judge(double after, duration now) noexcept;
  /// Another load: the others are tried before long, but what is known of them may still be true.
  ASIO_URING_DECL void load_changed(duration now) noexcept;
  /// Uses a strategy, and forgets what is known of the others.
  ASIO_URING_DECL void use(strategy s) noexcept;
  void forget_costs() noexcept
  {
    usual_ = spread_ = last_difference_ = 0;
    unusual_ = 0;
  }

  strategy used_, now_, tried_ = strategy::calls;
  phase phase_ = phase::use;
  unsigned epoch_ = 512, turnover_ = 0;
  unsigned epochs_ = 0; // since the strategy is used
  double excess_ = 0;   // nanoseconds that the trial took more than the strategy in use would have
  other others_[strategies];
  double before_ = 0, during_ = 0; // processor time of an operation
  double usual_ = 0, spread_ = 0;  // of many epochs
  double last_difference_ = 0;     // from the usual
  int unusual_ = 0;                // epochs in a row; below 0: they cost less
  duration changed_{0}, rest_{0};  // when the load changed last, and the rest from trials after that
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/path_controller.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_HPP
