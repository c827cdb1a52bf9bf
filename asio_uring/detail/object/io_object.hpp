// asio_uring/detail/object/io_object.hpp: which services replace the stock ones.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_IO_OBJECT_HPP
#define ASIO_URING_DETAIL_OBJECT_IO_OBJECT_HPP

#include <asio_uring/detail/asio/io_object_impl.hpp>
#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/detail/engine/use_ring_service.hpp>
#include <asio_uring/detail/object/descriptor_service.hpp>
#include <asio_uring/detail/object/socket_service.hpp>

namespace asio_uring::detail {

/// A stock service that sets up the ring before it can create the context's reactor.
/// It adds nothing to its base: inline functions of other libraries that have a timer as a member, those of
/// ssl::stream for instance, have the same name with and without as_default.hpp, and either may meet the
/// other's timers.
template <typename Service>
class stock_service_on_ring : public Service
{
public:
  using key_type = stock_service_on_ring;
  inline static asio::execution_context::id id;
  explicit stock_service_on_ring(asio::execution_context& context)
      : Service((use_ring_service(context), context))
  {
    static_assert(sizeof(stock_service_on_ring) == sizeof(Service));
  }
};

template <typename Protocol>
struct replacement<stock_socket_service<Protocol>>
{
  using type = socket_service<Protocol>;
};
template <>
struct replacement<stock_descriptor_service>
{
  using type = descriptor_service;
};
template <typename TimeTraits>
struct replacement<stock_timer_service<TimeTraits>>
{
  using type = stock_service_on_ring<stock_timer_service<TimeTraits>>;
};
template <>
struct replacement<stock_signal_service>
{
  using type = stock_service_on_ring<stock_signal_service>;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_IO_OBJECT_HPP
