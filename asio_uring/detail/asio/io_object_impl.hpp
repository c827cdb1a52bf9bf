// asio_uring/detail/asio/io_object_impl.hpp: where Asio's I/O objects find our services instead of the stock
// ones.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_IO_OBJECT_IMPL_HPP
#define ASIO_URING_DETAIL_ASIO_IO_OBJECT_IMPL_HPP

#include <asio_uring/enable_io_uring.hpp>
#include ASIO_URING_ASIO(detail/io_object_impl.hpp)

namespace asio_uring::detail {

/// What takes the place of a stock service: object/io_object.hpp has the specialisations.
template <typename Stock>
struct replacement
{};
template <typename Stock>
using replacement_t = typename replacement<Stock>::type;

} // namespace asio_uring::detail

/// Every I/O object class of Asio keeps its service in an io_object_impl. For executors on io_uring it is
/// ours; the classes themselves, and so their whole public surface, stay Asio's.
template <typename Stock, typename Executor>
requires(asio_uring::enable_io_uring<Executor>&& requires {
  typename asio_uring::detail::replacement_t<Stock>;
}) class asio_uring::asio::detail::io_object_impl<Stock, Executor>
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

#endif // ASIO_URING_DETAIL_ASIO_IO_OBJECT_IMPL_HPP
