// asio_uring/detail/object/io_object.hpp: where Asio's I/O objects find our services instead of the stock
// ones.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_IO_OBJECT_HPP
#define ASIO_URING_DETAIL_OBJECT_IO_OBJECT_HPP

#include <asio_uring/detail/object/descriptor_service.hpp>
#include <asio_uring/detail/object/socket_service.hpp>
#include <asio_uring/enable_io_uring.hpp>
#include <boost/asio/detail/deadline_timer_service.hpp>
#include <boost/asio/detail/io_object_impl.hpp>
#include <boost/asio/detail/signal_set_service.hpp>

namespace asio_uring::detail {

/// A stock service that must not create the context's reactor before the ring has taken its place. It is its
/// base and nothing else: inline functions of other libraries that have a timer as a member, ssl::stream's
/// for instance, are of one name with and without as_default.hpp, and either may meet the other's timers.
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

/// What takes the place of a stock service.
template <typename Stock>
struct replacement
{};
template <typename Protocol>
struct replacement<asio::detail::reactive_socket_service<Protocol>>
{
  using type = socket_service<Protocol>;
};
template <>
struct replacement<asio::detail::reactive_descriptor_service>
{
  using type = descriptor_service;
};
template <typename TimeTraits>
struct replacement<asio::detail::deadline_timer_service<TimeTraits>>
{
  using type = stock_service_on_ring<asio::detail::deadline_timer_service<TimeTraits>>;
};
template <>
struct replacement<asio::detail::signal_set_service>
{
  using type = stock_service_on_ring<asio::detail::signal_set_service>;
};
template <typename Stock>
using replacement_t = typename replacement<Stock>::type;

} // namespace asio_uring::detail

namespace boost::asio::detail {

/// Every I/O object class of Asio keeps its service in an io_object_impl. For executors on io_uring it is
/// ours; the classes themselves, and so their whole public surface, stay Asio's.
template <typename Stock, typename Executor>
requires(asio_uring::enable_io_uring<Executor>&& requires {
  typename asio_uring::detail::replacement_t<Stock>;
}) class io_object_impl<Stock, Executor>
    : public io_object_impl<asio_uring::detail::replacement_t<Stock>, Executor>
{
  using base = io_object_impl<asio_uring::detail::replacement_t<Stock>, Executor>;

public:
  using base::base;
  io_object_impl(io_object_impl&& other) : base(static_cast<base&&>(other)) {}

  /// From one on another executor, which may be a stock one.
  template <typename Stock1, typename Executor1>
  io_object_impl(io_object_impl<Stock1, Executor1>&& other) : base(with_its_service(other))
  {}

  io_object_impl& operator=(io_object_impl&& other)
  {
    base::operator=(static_cast<base&&>(other));
    return *this;
  }

private:
  template <typename Stock1, typename Executor1>
  static auto&& with_its_service(io_object_impl<Stock1, Executor1>& other) noexcept
  {
    if constexpr (asio_uring::enable_io_uring<Executor1>)
      return static_cast<io_object_impl<asio_uring::detail::replacement_t<Stock1>, Executor1>&&>(other);
    else
      return std::move(other);
  }
};

} // namespace boost::asio::detail

#endif // ASIO_URING_DETAIL_OBJECT_IO_OBJECT_HPP
