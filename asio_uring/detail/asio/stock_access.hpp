// asio_uring/detail/asio/stock_access.hpp: what stock I/O objects keep in their services.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ASIO_STOCK_ACCESS_HPP
#define ASIO_URING_DETAIL_ASIO_STOCK_ACCESS_HPP

#include <asio_uring/detail/asio/doors.hpp>
#include <asio_uring/detail/asio/members.hpp>
#include ASIO_URING_ASIO(basic_readable_pipe.hpp)
#include ASIO_URING_ASIO(basic_socket.hpp)
#include ASIO_URING_ASIO(basic_socket_acceptor.hpp)
#include ASIO_URING_ASIO(basic_writable_pipe.hpp)
#include ASIO_URING_ASIO(posix/basic_descriptor.hpp)

namespace asio_uring::detail {

struct stock_access;

} // namespace asio_uring::detail

// Acceptors and pipes keep their service private, but are friends of each other.
template <>
class asio_uring::asio::basic_socket_acceptor<asio_uring::detail::stock_access,
                                              asio_uring::detail::stock_access>
{
public:
  template <typename Protocol, typename Executor>
  static auto& impl_of(basic_socket_acceptor<Protocol, Executor>& acceptor)
  {
    return acceptor.impl_;
  }
};
template <>
class asio_uring::asio::basic_readable_pipe<asio_uring::detail::stock_access>
{
public:
  template <typename Executor>
  static auto& impl_of(basic_readable_pipe<Executor>& pipe)
  {
    return pipe.impl_;
  }
};
template <>
class asio_uring::asio::basic_writable_pipe<asio_uring::detail::stock_access>
{
public:
  template <typename Executor>
  static auto& impl_of(basic_writable_pipe<Executor>& pipe)
  {
    return pipe.impl_;
  }
};

namespace asio_uring::detail {

// doors.hpp's function for these.
template <typename Protocol, typename Executor>
auto& impl_of(asio::basic_socket_acceptor<Protocol, Executor>& acceptor)
{
  return asio::basic_socket_acceptor<stock_access, stock_access>::impl_of(acceptor);
}
template <typename Executor>
auto& impl_of(asio::basic_readable_pipe<Executor>& pipe)
{
  return asio::basic_readable_pipe<stock_access>::impl_of(pipe);
}
template <typename Executor>
auto& impl_of(asio::basic_writable_pipe<Executor>& pipe)
{
  return asio::basic_writable_pipe<stock_access>::impl_of(pipe);
}

/// Reaches what a stock object keeps in its service.
struct stock_access
{
  template <typename Protocol, typename Executor>
  static auto& implementation_of(asio::basic_socket<Protocol, Executor>& socket)
  {
    return impl_of(socket).get_implementation();
  }
  template <typename Executor>
  static auto& implementation_of(asio::posix::basic_descriptor<Executor>& descriptor)
  {
    return impl_of(descriptor).get_implementation();
  }
  template <typename Protocol, typename Executor>
  static auto& implementation_of(asio::basic_socket_acceptor<Protocol, Executor>& acceptor)
  {
    return impl_of(acceptor).get_implementation();
  }
  template <typename Executor>
  static auto& implementation_of(asio::basic_readable_pipe<Executor>& pipe)
  {
    return impl_of(pipe).get_implementation();
  }
  template <typename Executor>
  static auto& implementation_of(asio::basic_writable_pipe<Executor>& pipe)
  {
    return impl_of(pipe).get_implementation();
  }
};

/// A socket, acceptor, descriptor or pipe of Asio, or what is derived from one.
template <typename Object>
concept stock_io_object = requires(Object& o)
{
  stock_access::implementation_of(o);
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ASIO_STOCK_ACCESS_HPP
