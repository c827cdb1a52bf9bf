// asio_uring/detail/engine/use_ring_service.hpp: the ring's service of a context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_USE_RING_SERVICE_HPP
#define ASIO_URING_DETAIL_ENGINE_USE_RING_SERVICE_HPP

#include <asio_uring/detail/engine/ring_service.hpp>
#include <cstdint>
#include <mutex>

namespace asio_uring::detail {

/// The context's service, constructed if need be. Asio lets several threads construct a service and keeps
/// one; ours puts itself in the reactor's place, so no second one must begin.
inline ring_service& use_ring_service(asio::execution_context& context)
{
  static std::mutex constructing;
  const std::lock_guard guard(constructing);
  return asio::use_service<ring_service>(context);
}

/// The same for what asks with each operation: the last one is remembered, while no service has ended since.
inline ring_service& find_ring_service(asio::execution_context& context)
{
  thread_local asio::execution_context* last = nullptr;
  thread_local ring_service* service = nullptr;
  thread_local std::uint64_t ended = 0;
  const std::uint64_t now = ring_service::services_ended();
  if (last != &context || ended != now) {
    service = &use_ring_service(context);
    last = &context;
    ended = now;
  }
  return *service;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_USE_RING_SERVICE_HPP
