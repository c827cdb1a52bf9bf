// asio_uring/backend.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_BACKEND_IPP
#define ASIO_URING_BACKEND_IPP

#include <asio_uring/backend.hpp>
#include <asio_uring/service/call_cost.hpp>
#include <asio_uring/service/io_uring_service.hpp>
#include <cstdio>
#include <ostream>

namespace asio_uring {

inline void describe_path(backend_info& b, detail::io_uring_service& service)
{
  b.path = service.path_for(detail::preference::reading);
  if (service.get_options().path != path::automatic)
    b.path_reason = "as asked for";
  else if (!b.io_uring)
    b.path_reason = "without io_uring";
  else {
    char text[128];
    const double call = static_cast<double>(detail::call_cost().count()) / 1000;
    int n = std::snprintf(text, sizeof(text), "a system call costs %.2f us here", call);
    if (const unsigned other = service.other_path_costs())
      std::snprintf(text + n, sizeof(text) - static_cast<std::size_t>(n), ", %s would cost %.2f times as much",
                    name(b.path == path::completion ? path::readiness : path::completion), other / 1000.);
    b.path_reason = text;
  }
}

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
  describe_path(b, service);
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
  return out << "; pump " << name(b.pump) << ", path " << name(b.path) << " (" << b.path_reason << "), entries " << b.entries << '/'
             << b.completions << ", set-up [" << setup_flag_names(b.features.setup_flags) << "], features ["
             << feature_names(b.features.kernel) << "], " << b.features.opcodes.count() << " opcodes";
}

} // namespace asio_uring

#endif // ASIO_URING_BACKEND_IPP
