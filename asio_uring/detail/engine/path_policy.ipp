// asio_uring/detail/engine/path_policy.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_PATH_POLICY_IPP
#define ASIO_URING_DETAIL_ENGINE_PATH_POLICY_IPP

#include <asio_uring/detail/engine/call_cost.hpp>
#include <asio_uring/detail/engine/path_policy.hpp>
#include <asio_uring/detail/engine/settings.hpp>
#include <cstdio>
#include <iterator>

namespace asio_uring::detail {

ASIO_URING_DECL void path_policy::begin(bool available) noexcept
{
  if (compares() && available && call_is_dear()) controller_ = path_controller(strategy::submitted);
  strategy_.store(controller_.now(), std::memory_order_relaxed);
  choose();
}

ASIO_URING_DECL void path_policy::choose() noexcept
{
  for (unsigned p = 0; p != std::size(readiness_); ++p)
    readiness_[p].store(path_for(preference(p)) == path::readiness, std::memory_order_relaxed);
}

ASIO_URING_DECL void path_policy::use(strategy s) noexcept
{
  if (strategy_.exchange(s, std::memory_order_relaxed) == s) return;
  switches_.count();
  choose();
}

ASIO_URING_DECL void path_policy::end_epoch(bool available, bool elsewhere, std::uint64_t thread,
                                            runner_threads& runners, std::size_t open_files) noexcept
{
  const std::uint64_t begun = operations();
  if (compares() && available) {
    const auto cpu = options_.processor_time ? options_.processor_time()
                     : elsewhere             ? runners.processor_time()
                                             : runner_threads::time_of_this();
    const auto now = options_.processor_time ? *cpu : std::chrono::steady_clock::now().time_since_epoch();
    constexpr std::uint64_t of_all_threads = 1;
    const std::uint64_t clock = !cpu ? 0 : elsewhere ? of_all_threads : 2 * thread;
    if (cpu && epoch_clock_ == clock)
      controller_.ended(static_cast<unsigned>(begun - epoch_begun_), *cpu - epoch_cpu_, now);
    else
      controller_.discard(now);
    epoch_clock_ = clock;
    epoch_cpu_ = cpu.value_or(epoch_cpu_);
    controller_.serves(open_files);
    use(controller_.now());
    const strategy other = controller_.used() == strategy::submitted ? strategy::calls : strategy::submitted;
    other_path_costs_.store(static_cast<unsigned>(controller_.ratio(other) * 1000),
                            std::memory_order_relaxed);
  }
  epoch_begun_ = begun;
}

ASIO_URING_DECL std::string path_policy::reason(bool available) const
{
  if (!compares()) return "as asked for";
  if (!available) return "without io_uring";
  char text[128];
  const int n = std::snprintf(text, sizeof(text), "a system call costs %.2f us here",
                              static_cast<double>(call_cost().count()) / 1000);
  if (const unsigned other = other_path_costs_.load(std::memory_order_relaxed))
    std::snprintf(
        text + n, sizeof(text) - static_cast<std::size_t>(n), ", %s would cost %.2f times as much",
        name(path_for(preference::reading) == path::completion ? path::readiness : path::completion),
        other / 1000.);
  return text;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_PATH_POLICY_IPP
