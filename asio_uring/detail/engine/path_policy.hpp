// asio_uring/detail/engine/path_policy.hpp: which path operations take: as asked for, or what costs less
// where the program runs.
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

/// Asked by every operation that begins, by any thread; compared and changed, between epochs, by the thread
/// that turns the ring.
class path_policy
{
public:
  /// `switches` counts changes of strategy.
  path_policy(const options& o, counter& switches) noexcept : options_(o), switches_(switches) {}
  path_policy(const path_policy&) = delete;
  path_policy& operator=(const path_policy&) = delete;

  /// `available`: there is io_uring.
  ASIO_URING_DECL void begin(bool available) noexcept;
  /// From now on nothing takes the readiness path.
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
  /// Whether one that begins now may be submitted before it ends.
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

  /// From now on operations begin in this way, where no path is forced.
  ASIO_URING_DECL void use(strategy s) noexcept;
  void use_calls() noexcept
  {
    if (compares()) use(strategy::calls);
  }

  // Epochs, as path_controller has them.
  void begun() noexcept { begun_.store(operations() + 1, std::memory_order_relaxed); } // about
  std::uint64_t operations() const noexcept { return begun_.load(std::memory_order_relaxed); }
  bool epoch_is_over() const noexcept { return operations() - epoch_begun_ >= controller_.epoch(); }
  /// `elsewhere`: handlers run in other threads, too. `thread`: a name of the calling thread.
  ASIO_URING_DECL void end_epoch(bool available, bool elsewhere, std::uint64_t thread,
                                 runner_threads& runners, std::size_t open_files) noexcept;
  /// Processor time that was not the operations'.
  void leave_out(std::chrono::nanoseconds spent) noexcept { epoch_cpu_ += spent; }

  /// Why it is this path.
  ASIO_URING_DECL std::string reason(bool available) const;

private:
  bool compares() const noexcept { return options_.path == path::automatic; }
  ASIO_URING_DECL void choose() noexcept;

  const options& options_;
  counter& switches_;
  std::atomic<bool> readiness_[6] = {}; // by preference: path_for() without its questions
  std::atomic<strategy> strategy_{strategy::calls};
  path_controller controller_;
  std::atomic<unsigned> other_path_costs_{0}; // in thousandths of the one in use; 0: it was not tried yet
  std::atomic<std::uint64_t> begun_{0};       // operations, about
  std::uint64_t epoch_begun_ = 0;             // of these, before the epoch
  std::chrono::nanoseconds epoch_cpu_{0};     // the clock then
  std::uint64_t epoch_clock_ = 0;             // whose
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/path_policy.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_PATH_POLICY_HPP
