// asio_uring/service/pump.hpp: the seam between the ring and whoever runs handlers.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_PUMP_HPP
#define ASIO_URING_SERVICE_PUMP_HPP

#include <asio_uring/options.hpp>
#include <asio_uring/service/request.hpp>

namespace asio_uring::detail {

/// Decides when the ring is turned, and counts operations as work of the execution context.
class pump
{
public:
  virtual ~pump() = default;

  virtual pump_kind kind() const noexcept = 0;

  /// An operation was started. Its completion, when run, ends the work.
  virtual void work_started() noexcept = 0;

  /// A queued completion ran and found nothing to complete.
  virtual void nothing_completed() noexcept = 0;

  /// Whether the calling thread will turn the ring by itself when the current handler returns.
  virtual bool here() const noexcept = 0;

  /// Makes an idle loop look at the ready list.
  virtual void wake() noexcept = 0;

  /// Whether the loop runs handlers as a stock io_context's thread: no executor needs to be asked.
  virtual bool native() const noexcept = 0;

  /// Withdraws the pump's own requests from the ring. Not named shutdown: a pump that is a service would
  /// hide the service's own.
  virtual void withdraw() noexcept = 0;

  /// Calls f(request, argument) for each of the pump's own requests that was given to the kernel.
  virtual void for_each_submitted(void (*)(request&, const void*), const void*) noexcept {}

  /// Another ring has taken the place of the one before it.
  virtual void restart() = 0;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_PUMP_HPP
