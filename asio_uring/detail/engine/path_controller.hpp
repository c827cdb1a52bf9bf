// asio_uring/detail/engine/path_controller.hpp: which path is the cheaper one, as seen where the program
// runs.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_HPP
#define ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_HPP

#include <algorithm>
#include <asio_uring/config.hpp>
#include <chrono>
#include <cstddef>

namespace asio_uring::detail {

/// What reading and sending one buffer may be left to, where neither program nor environment forces a path.
enum class strategy : unsigned char
{
  calls,           ///< plain calls, reads when a poll tells of data: fewest instructions
  submitted_sends, ///< the same, but sends are submitted: fewer calls that the kernel ends with others' work
  submitted        ///< both are submitted: hardly any call
};
inline constexpr unsigned strategies = 3;

/// Compares strategies by the processor time that an operation takes, of which the program's own part is the
/// same with each.
/**
 * Time is divided into epochs of a number of operations. Most are left to the strategy in use. Now and then
 * another is tried for two epochs, of which the first, in which sockets change over, does not count, and
 * compared with the epochs before and after. What it costs to be wrong for that long is bounded by trying
 * what lost less and less often, until the load changes.
 *
 * Pure arithmetic: who uses it measures. Thread safety: one thread at a time.
 */
class path_controller
{
public:
  using duration = std::chrono::nanoseconds;

  explicit path_controller(strategy first = strategy::calls) noexcept : used_(first), now_(first) {}

  /// What operations are left to now.
  strategy now() const noexcept { return now_; }
  /// The one in use while none is tried.
  strategy used() const noexcept { return used_; }
  /// Operations that the epoch is to have.
  unsigned epoch() const noexcept { return std::max(epoch_, turnover_); }
  /// How many sockets there are. In an epoch each is to have its turn, so that they change over in one.
  void serves(std::size_t sockets) noexcept
  {
    turnover_ = static_cast<unsigned>(std::min<std::size_t>(2 * sockets, 1U << 20));
  }
  /// What an operation costs with another one, of what it costs with the one in use; 0: it was not tried.
  double ratio(strategy s) const noexcept { return of(s).samples ? of(s).ratio : 0; }

  /// An epoch has ended: how many operations ended in it, the processor time that they took, and the time.
  ASIO_URING_DECL void ended(unsigned operations, duration processor_time, duration now) noexcept;
  /// It cannot be compared: another thread went on with it, or there were too few operations.
  void discard() noexcept
  {
    phase_ = phase::use;
    now_ = used_;
    before_ = 0;
  }

private:
  enum class phase : unsigned char
  {
    use,
    change, ///< sockets change over
    trial,
    change_back,
    compare
  };
  struct other
  {
    double ratio = 1;
    unsigned samples = 0;
    duration pause = shortest_pause;
    duration next{0};
  };
  static constexpr duration shortest_pause = std::chrono::milliseconds(20);
  static constexpr duration longest_pause = std::chrono::seconds(8);
  static constexpr duration longest_pause_if_close =
      std::chrono::seconds(1); // to ask costs next to nothing then
  static constexpr duration shortest_epoch = std::chrono::milliseconds(2);
  static constexpr duration longest_epoch = std::chrono::milliseconds(10);
  static constexpr unsigned fewest = 128, most = 8192;

  other& of(strategy s) noexcept { return others_[static_cast<unsigned>(s)]; }
  const other& of(strategy s) const noexcept { return others_[static_cast<unsigned>(s)]; }
  ASIO_URING_DECL void look_for_change(double cost) noexcept;
  ASIO_URING_DECL void try_next(duration now) noexcept;
  ASIO_URING_DECL void judge(double after, duration now) noexcept;
  /// As if nothing were known of the others.
  ASIO_URING_DECL void use(strategy s) noexcept;

  strategy used_, now_, tried_ = strategy::calls;
  phase phase_ = phase::use;
  unsigned epoch_ = 512, turnover_ = 0;
  unsigned epochs_ = 0; // since the strategy is used
  duration trial_began_{0};
  other others_[strategies];
  double before_ = 0, during_ = 0; // processor time of an operation
  double usual_ = 0, spread_ = 0;  // of many epochs
  double last_difference_ = 0;     // from the usual
  int unusual_ = 0;                // epochs in a row; below 0: they cost less
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/path_controller.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_PATH_CONTROLLER_HPP
