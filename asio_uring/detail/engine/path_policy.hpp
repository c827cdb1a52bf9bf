// asio_uring/detail/engine/path_policy.hpp: which path operations take: the one that is forced, or the one
// that costs less.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_PATH_POLICY_HPP
#define ASIO_URING_DETAIL_ENGINE_PATH_POLICY_HPP

#include <asio_uring/detail/engine/operation.hpp>
#include <asio_uring/detail/engine/path_controller.hpp>
#include <asio_uring/detail/engine/runner_threads.hpp>
#include <asio_uring/options.hpp>
#include <asio_uring/ring/counter.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace asio_uring::detail {

/// Every operation that begins asks for its path, in any thread. Between epochs the thread that turns the
/// ring compares the paths and may change the strategy.
class path_policy
{
public:
  /// `switches` counts changes of strategy.
  path_policy(const options& o, counter& switches) noexcept : options_(o), switches_(switches) {}
  path_policy(const path_policy&) = delete;
  path_policy& operator=(const path_policy&) = delete;

  /// Chooses the first strategy. `available`: there is io_uring.
  ASIO_URING_DECL void begin(bool available) noexcept;
  /// Called when the context ends: keeps operations from the readiness path.
  void stop() noexcept
  {
    for (auto& r : readiness_)
      r = false;
  }

  path path_for(preference preferred) const noexcept
  {
    if (preferred == preference::always_submitted) return path::completion;
    if (preferred == preference::always_called) return path::readiness;
    if (options_.path != path::automatic) return options_.path;
    const strategy s = strategy_.load(std::memory_order_relaxed);
    const bool calls = preferred == preference::by_calls ||
                       (preferred == preference::reading && s != strategy::submitted) ||
                       (preferred == preference::sending && s == strategy::calls);
    return calls ? path::readiness : path::completion;
  }
  /// Whether an operation that begins may be submitted before it ends.
  bool may_submit(preference preferred) const noexcept
  {
    if (preferred == preference::always_called) return false;
    return preferred == preference::always_submitted || options_.path == path::completion ||
           (options_.path == path::automatic && preferred != preference::by_calls);
  }
  /// Whether operations of this preference take the readiness path, and the context has not ended.
  bool readiness(preference preferred) const noexcept
  {
    return readiness_[static_cast<unsigned>(preferred)].load(std::memory_order_relaxed);
  }

  /// Changes the strategy of operations whose path is not forced.
  ASIO_URING_DECL void use(strategy s) noexcept;
  void use_calls() noexcept
  {
    if (compares()) use(strategy::calls);
  }

  // The epochs of path_controller.
  void begun() noexcept { begun_.store(operations() + 1, std::memory_order_relaxed); } // not exact
  std::uint64_t operations() const noexcept { return begun_.load(std::memory_order_relaxed); }
  bool epoch_is_over() const noexcept { return operations() - epoch_begun_ >= controller_.epoch(); }
  /// Ends an epoch. `elsewhere`: handlers run in other threads, too. `thread`: identifies the calling thread.
  ASIO_URING_DECL void end_epoch(bool available, bool elsewhere, std::uint64_t thread,
                                 runner_threads& runners, std::size_t open_files) noexcept;
  /// Excludes processor time that the operations did not use.
  void leave_out(std::chrono::nanoseconds spent) noexcept { epoch_cpu_ += spent; }

  /// Says why reads take their path.
  ASIO_URING_DECL std::string reason(bool available) const;

private:
  bool compares() const noexcept { return options_.path == path::automatic; }
  ASIO_URING_DECL void choose() noexcept;

  const options& options_;
  counter& switches_;
  std::atomic<bool> readiness_[6] = {}; // by preference: path_for() without its questions
  std::atomic<strategy> strategy_{strategy::calls};
  path_controller controller_;
  std::atomic<unsigned> other_path_costs_{0}; // in thousandths of the path in use; 0: not tried yet
  std::atomic<std::uint64_t> begun_{0};       // operations, not exact
  std::uint64_t epoch_begun_ = 0;             // operations at the start of the epoch
  std::chrono::nanoseconds epoch_cpu_{0};     // processor time at the start of the epoch
  std::uint64_t epoch_clock_ = 0;             // which clock measured it; 0: none
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/path_policy.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_PATH_POLICY_HPP
