// asio_uring/backend.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_BACKEND_IPP
#define ASIO_URING_BACKEND_IPP

#include <asio_uring/backend.hpp>
#include <asio_uring/service/io_uring_service.hpp>
#include <ostream>

namespace asio_uring {

ASIO_URING_DECL backend_info backend(boost::asio::execution_context& context)
{
  backend_info b;
  if (!boost::asio::has_service<detail::io_uring_service>(context)) {
    b.reason = "no I/O object of asio_uring exists on this context yet";
    return b;
  }
  auto& service = boost::asio::use_service<detail::io_uring_service>(context);
  const std::string unavailable = service.unavailable();
  b.io_uring = unavailable.empty();
  b.pump = service.pump().kind();
  b.path = service.get_options().path;
  service.with_ring([&b](const ring& r) {
    b.features = r.features();
    b.entries = r.entries();
    b.completions = r.completions();
  });
  if (!b.io_uring)
    b.reason = unavailable + "; epoll and threads perform the operations";
  else
    b.reason = b.pump == pump_kind::ring ? "the context's reactor is the ring"
               : service.get_options().pump == pump_kind::guest
                   ? "guest pump, as asked for"
                   : "guest pump: the context had a reactor already, or is not run by Asio's scheduler";
  return b;
}

ASIO_URING_DECL const char* name(pump_kind k) noexcept
{
  return k == pump_kind::ring ? "ring" : k == pump_kind::guest ? "guest" : "automatic";
}

ASIO_URING_DECL const char* name(path p) noexcept
{
  return p == path::completion ? "completion" : p == path::readiness ? "readiness" : "automatic";
}

ASIO_URING_DECL std::ostream& operator<<(std::ostream& out, const backend_info& b)
{
  out << (b.io_uring ? "io_uring: " : "no io_uring: ") << b.reason;
  if (!b.entries) return out;
  return out << "; pump " << name(b.pump) << ", path " << name(b.path) << ", entries " << b.entries << '/'
             << b.completions << ", set-up [" << setup_flag_names(b.features.setup_flags) << "], features ["
             << feature_names(b.features.kernel) << "], " << b.features.opcodes.count() << " opcodes";
}

} // namespace asio_uring

#endif // ASIO_URING_BACKEND_IPP
