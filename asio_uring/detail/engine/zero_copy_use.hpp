// asio_uring/detail/engine/zero_copy_use.hpp: whether zero-copy sends are worth it on a socket.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_ZERO_COPY_USE_HPP
#define ASIO_URING_DETAIL_ENGINE_ZERO_COPY_USE_HPP

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace asio_uring::detail {

/// What is known of zero-copy sends on a socket. If the kernel reports that it copied nevertheless, as it
/// does towards a receiver on the same machine, the next sends are ordinary ones: 16 at first, up to 4096
/// while that does not change. Six bytes of each file state.
/**
 * All but possible() and refuse() are called with the file state locked.
 */
class zero_copy_use
{
public:
  void begin() noexcept
  {
    refused_ = false;
    outstanding_ = failed_ = copied_ = 0;
    pause_ = 0;
  }

  /// Whether a send that begins now should be a zero-copy send.
  bool wanted() noexcept { return possible() && (pause_ == 0 || pause_-- == 0); }
  /// Whether what is submitted now may be a zero-copy send.
  bool possible() const noexcept { return !refused_.load(std::memory_order_relaxed) && outstanding() < most; }
  /// Notes that the socket does not support them. False if that was known.
  bool refuse() noexcept { return !refused_.exchange(true, std::memory_order_relaxed); }

  /// Notes that a notification will come. `sent`: of a send; otherwise of an attempt that failed.
  void will_notify(bool sent) noexcept
  {
    outstanding_.store(static_cast<unsigned char>(outstanding() + 1), std::memory_order_relaxed);
    if (!sent) ++failed_;
  }
  /// Notes that it has come. True if the kernel had copied what it sent.
  bool notified(bool copied) noexcept
  {
    outstanding_.store(static_cast<unsigned char>(outstanding() - 1), std::memory_order_relaxed);
    if (!copied)
      copied_ = 0;
    else if (failed_ > 0) // the kernel reports a copy for a failed attempt, too
      --failed_;
    else
      return pause(), true;
    return false;
  }
  void pause() noexcept
  {
    constexpr unsigned char longest = 8;
    if (pause_ > 0) return;
    pause_ = static_cast<std::uint16_t>(16U << copied_);
    copied_ = std::min<unsigned char>(static_cast<unsigned char>(copied_ + 1), longest);
  }

  /// Notifications to come.
  unsigned char outstanding() const noexcept { return outstanding_.load(std::memory_order_relaxed); }
  /// Forgets notifications that will not come.
  void forget_outstanding() noexcept { outstanding_ = failed_ = 0; }

private:
  static constexpr unsigned char most = 48; // an operation can count 63

  std::atomic<bool> refused_{false};
  std::atomic<unsigned char> outstanding_{0};
  unsigned char failed_ = 0;
  unsigned char copied_ = 0; // pauses in a row
  std::uint16_t pause_ = 0;  // ordinary sends to come
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_ZERO_COPY_USE_HPP
