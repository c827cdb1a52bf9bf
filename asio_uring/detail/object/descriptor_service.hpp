// asio_uring/detail/object/descriptor_service.hpp: what Asio's descriptor and pipe classes call.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_DESCRIPTOR_SERVICE_HPP
#define ASIO_URING_DETAIL_OBJECT_DESCRIPTOR_SERVICE_HPP

#include <asio_uring/detail/object/operations.hpp>
#include <asio_uring/detail/object/service_on_ring.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include ASIO_URING_ASIO(posix/descriptor_base.hpp)
#include <cerrno>
#include <sys/epoll.h>

namespace asio_uring::detail {

using descriptor_base = asio::posix::descriptor_base;

/// The service of posix::descriptor, posix::stream_descriptor, readable_pipe and writable_pipe.
class descriptor_service : public service_on_ring<stock_descriptor_service>
{
  using stock = stock_descriptor_service;
  using on_ring = service_on_ring<stock>;

public:
  using key_type = descriptor_service;
  inline static asio::execution_context::id id;
  using implementation_type = on_ring::implementation_type;

  explicit descriptor_service(asio::execution_context& context) : on_ring(context) {}

  // --- life

  /// Takes over the descriptor of a stock object from Asio's reactor.
  void converting_move_construct(implementation_type& impl, stock& other_service,
                                 stock::implementation_type& other)
  {
    this->construct(impl);
    if (!other_service.is_open(other)) return;
    const auto state = state_of(other);
    error_code ec;
    unique_descriptor fd(other_service.release(other, ec));
    if (!assign(impl, fd.get(), ec)) fd.release();
    state_of(impl) |= state; // a stock object has no not_pollable
  }

  error_code assign(implementation_type& impl, int fd, error_code& ec)
  {
    if (this->is_open(impl)) return ec = asio::error::already_open;
    // epoll_ctl of a descriptor on itself always fails, but first checks that it is open (EBADF) and that it
    // can be polled (EPERM).
    epoll_event event{};
    const bool refused = ::epoll_ctl(fd, EPOLL_CTL_DEL, fd, &event) < 0;
    if (refused && errno == EBADF) return ec = error_code(errno, system_category());
    take(impl, fd, !(refused && errno == EPERM));
    return ec = error_code();
  }

  using on_ring::release;
  int release(implementation_type& impl)
  {
    error_code ec;
    return on_ring::release(impl, ec);
  }

  // --- synchronous functions: what was started before is submitted first, and what a cancelled read left is
  // read first

  error_code wait(implementation_type& impl, descriptor_base::wait_type w, error_code& ec)
  {
    this->flush(impl);
    if (w == descriptor_base::wait_read && finds_kept(impl)) return ec = error_code();
    return stock::wait(impl, w, ec);
  }

  template <typename Buffers>
  std::size_t write_some(implementation_type& impl, const Buffers& buffers, error_code& ec)
  {
    catch_up(impl, lane_kind::out);
    return stock::write_some(impl, buffers, ec);
  }

  template <typename Buffers>
  std::size_t read_some(implementation_type& impl, const Buffers& buffers, error_code& ec)
  {
    if (finds_kept(impl) && !borrowed_buffers<asio::mutable_buffer, Buffers>::all_empty(buffers))
      return this->take_kept(impl, read_op<Buffers>(buffers), ec);
    return stock::read_some(impl, buffers, ec);
  }

  template <no_buffers Buffers>
  std::size_t read_some(implementation_type& impl, const Buffers& buffers, error_code& ec)
  {
    if (finds_kept(impl)) return ec = error_code(), 0;
    return stock::read_some(impl, buffers, ec);
  }

  // --- asynchronous operations: operations.hpp

  template <typename Handler, typename IoExecutor>
  void async_wait(implementation_type& impl, descriptor_base::wait_type what, Handler& handler,
                  const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).wait(static_cast<asio::socket_base::wait_type>(what));
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_write_some(implementation_type& impl, const Buffers& buffers, Handler& handler,
                        const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).write_some(buffers);
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_read_some(implementation_type& impl, const Buffers& buffers, Handler& handler,
                       const IoExecutor& io_ex)
  {
    of(impl, handler, io_ex).read_some(buffers);
  }

  std::optional<int> known_wait(implementation_type& impl, asio::socket_base::wait_type what) const
  {
    return state_of(impl) & not_pollable ? -EOPNOTSUPP : on_ring::known_wait(impl, what);
  }

  static constexpr const char* tracked_as = "descriptor";

protected:
  /// Takes ownership of an open descriptor. If it throws, the caller keeps it.
  void take(implementation_type& impl, int fd, bool pollable)
  {
    uring_.will_poll(fd);
    impl.file_ = &uring_.open_file_state(fd, {.readable = true});
    descriptor_of(impl) = fd;
    state_of(impl) =
        static_cast<descriptor_ops::state_type>(descriptor_ops::possible_dup | (pollable ? 0 : not_pollable));
  }

private:
  /// A flag beside Asio's own, set for regular files for instance: they can be read and written, but not
  /// waited for.
  static constexpr descriptor_ops::state_type not_pollable = 128;

  template <typename Handler, typename IoExecutor>
  auto of(implementation_type& impl, Handler& handler, const IoExecutor& io_ex)
  {
    return operations<started_on_ring<descriptor_service, Handler, IoExecutor>>(*this, impl, handler, io_ex);
  }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_DESCRIPTOR_SERVICE_HPP
