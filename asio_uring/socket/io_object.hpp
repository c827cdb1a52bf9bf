// asio_uring/socket/io_object.hpp: where Asio's I/O objects find our services instead of the stock ones.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SOCKET_IO_OBJECT_HPP
#define ASIO_URING_SOCKET_IO_OBJECT_HPP

#include <asio_uring/enable_io_uring.hpp>
#include <asio_uring/socket/socket_service.hpp>
#include <boost/asio/detail/deadline_timer_service.hpp>
#include <boost/asio/detail/io_object_impl.hpp>
#include <boost/asio/detail/signal_set_service.hpp>

namespace asio_uring::detail {

/// A stock service that must not create the context's reactor before the ring has taken its place.
template <typename Service>
class stock_service_on_ring : private with_ring, public Service
{
public:
  using key_type = stock_service_on_ring;
  inline static asio::execution_context::id id;
  explicit stock_service_on_ring(asio::execution_context& context) : with_ring(context), Service(context) {}
};

} // namespace asio_uring::detail

namespace boost::asio::detail {

/// Every socket and acceptor class of Asio keeps its service in an io_object_impl. For executors on io_uring
/// it is ours; the classes themselves, and so their whole public surface, stay Asio's.
template <typename Protocol, typename Executor>
requires asio_uring::enable_io_uring<Executor>
class io_object_impl<reactive_socket_service<Protocol>, Executor>
    : public io_object_impl<asio_uring::detail::socket_service<Protocol>, Executor>
{
  using base = io_object_impl<asio_uring::detail::socket_service<Protocol>, Executor>;

  template <typename Protocol1, typename Executor1>
  using ours = io_object_impl<asio_uring::detail::socket_service<Protocol1>, Executor1>;

public:
  using base::base;
  io_object_impl(io_object_impl&& other) : base(static_cast<base&&>(other)) {}

  template <typename Protocol1, typename Executor1>
  requires asio_uring::enable_io_uring<Executor1>
  io_object_impl(io_object_impl<reactive_socket_service<Protocol1>, Executor1>&& other)
      : base(static_cast<ours<Protocol1, Executor1>&&>(other))
  {}

  template <typename Protocol1, typename Executor1>
  requires(!asio_uring::enable_io_uring<Executor1>)
      io_object_impl(io_object_impl<reactive_socket_service<Protocol1>, Executor1>&& other)
      : base(static_cast<io_object_impl<reactive_socket_service<Protocol1>, Executor1>&&>(other))
  {}

  io_object_impl& operator=(io_object_impl&& other)
  {
    base::operator=(static_cast<base&&>(other));
    return *this;
  }
};

/// Timers and signal sets stay stock, and bring the ring to their context first.
template <typename TimeTraits, typename Executor>
requires asio_uring::enable_io_uring<Executor>
class io_object_impl<deadline_timer_service<TimeTraits>, Executor>
    : public io_object_impl<asio_uring::detail::stock_service_on_ring<deadline_timer_service<TimeTraits>>,
                            Executor>
{
  using base =
      io_object_impl<asio_uring::detail::stock_service_on_ring<deadline_timer_service<TimeTraits>>, Executor>;

public:
  using base::base;
  io_object_impl(io_object_impl&& other) : base(static_cast<base&&>(other)) {}
  template <typename Executor1>
  io_object_impl(io_object_impl<deadline_timer_service<TimeTraits>, Executor1>&& other)
      : base(static_cast<io_object_impl<
                 asio_uring::detail::stock_service_on_ring<deadline_timer_service<TimeTraits>>, Executor1>&&>(
            other))
  {}
  io_object_impl& operator=(io_object_impl&& other)
  {
    base::operator=(static_cast<base&&>(other));
    return *this;
  }
};

template <typename Executor>
requires asio_uring::enable_io_uring<Executor>
class io_object_impl<signal_set_service, Executor>
    : public io_object_impl<asio_uring::detail::stock_service_on_ring<signal_set_service>, Executor>
{
  using base = io_object_impl<asio_uring::detail::stock_service_on_ring<signal_set_service>, Executor>;

public:
  using base::base;
};

} // namespace boost::asio::detail

#endif // ASIO_URING_SOCKET_IO_OBJECT_HPP
