// asio_uring/detail/engine/pump.hpp: the seam between the ring and whoever runs handlers.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_PUMP_HPP
#define ASIO_URING_DETAIL_ENGINE_PUMP_HPP

#include <asio_uring/detail/engine/request.hpp>
#include <asio_uring/options.hpp>

namespace asio_uring::detail {

/// Decides when the ring is turned.
class pump
{
public:
  virtual ~pump() = default;

  virtual pump_kind kind() const noexcept = 0;

  /// Makes an idle loop look at the ready list.
  virtual void wake() noexcept = 0;

  /// Withdraws the pump's own requests from the ring. Not named shutdown: a pump that is a service would
  /// hide the service's own.
  virtual void withdraw() noexcept = 0;

  /// Calls f(request, argument) for each of the pump's own requests that was given to the kernel.
  virtual void for_each_submitted(void (*)(request&, const void*), const void*) {}

  /// The ring is going to be given up.
  virtual void stop_watching() noexcept {}

  /// Another ring has taken the place of the one before it.
  virtual void restart() = 0;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_PUMP_HPP
