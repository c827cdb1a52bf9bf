// asio_uring/detail/engine/pause.hpp: waiting for another thread that needs a moment.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_PAUSE_HPP
#define ASIO_URING_DETAIL_ENGINE_PAUSE_HPP

#include <algorithm>
#include <chrono>
#include <thread>

namespace asio_uring::detail {

/// Lets others go on, longer and longer. A real-time thread that yields lets no ordinary one on its
/// processor, where the one that it waits for may have been preempted: only sleep does.
inline void pause(unsigned times) noexcept
{
  if (times < 16)
    std::this_thread::yield();
  else
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(20u * (times - 15), 1000u)));
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_PAUSE_HPP
