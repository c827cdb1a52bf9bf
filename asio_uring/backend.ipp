// asio_uring/backend.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_BACKEND_IPP
#define ASIO_URING_BACKEND_IPP

#include <asio_uring/backend.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <ostream>

namespace asio_uring {

ASIO_URING_DECL backend_info backend(asio::execution_context& context)
{
  backend_info b;
  if (!asio::has_service<detail::ring_service>(context)) {
    b.reason =
        "no I/O object of asio_uring exists on this context yet; asio_uring::use_io_uring(context) decides";
    return b;
  }
  auto& service = asio::use_service<detail::ring_service>(context);
  const std::string unavailable = service.unavailable();
  b.io_uring = unavailable.empty();
  b.pump = service.pump().kind();
  b.path = service.paths().path_for(detail::preference::reading);
  b.path_reason = service.path_reason();
  service.with_ring([&b](const ring& r) {
    b.features = r.features();
    b.busy_poll = r.busy_polls();
    b.entries = r.entries();
    b.completions = r.completions();
  });
  b.reason = b.io_uring ? service.pump_reason() : unavailable + "; epoll and threads perform the operations";
  return b;
}

ASIO_URING_DECL std::ostream& operator<<(std::ostream& out, const backend_info& b)
{
  if (!b.entries) return out << "undecided: " << b.reason;
  out << (b.io_uring ? "io_uring: " : "no io_uring: ") << b.reason;
  return out << "; pump " << name(b.pump) << ", path " << name(b.path) << " (" << b.path_reason
             << "), entries " << b.entries << '/' << b.completions << ", set-up ["
             << setup_flag_names(b.features.setup_flags) << "], features ["
             << feature_names(b.features.kernel) << "], " << b.features.opcodes.count() << " opcodes";
}

} // namespace asio_uring

#endif // ASIO_URING_BACKEND_IPP
