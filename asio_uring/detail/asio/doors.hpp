// asio_uring/detail/asio/doors.hpp: ways past protected members of Asio's classes, each once.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_DOORS_HPP
#define ASIO_URING_DETAIL_ASIO_DOORS_HPP

#include <asio_uring/detail/asio/names.hpp>
#include ASIO_URING_ASIO(buffer_registration.hpp)

namespace asio_uring::detail {

/// The member in which an I/O object of Asio, or a file, keeps its service and implementation.
template <typename Object>
auto& impl_of(Object& object)
{
  struct door : Object
  {
    static auto& of(Object& o) { return o.*(&door::impl_); }
  };
  return door::of(object);
}

/// Asio keeps the making of registered buffers, and so of their identifiers, to itself.
struct registered_buffer_door : asio::detail::buffer_registration_base
{
  using buffer_registration_base::make_buffer;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ASIO_DOORS_HPP
