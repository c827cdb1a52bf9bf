// asio_uring/any_io_executor.hpp: asio::any_io_executor, for I/O objects on io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_ANY_IO_EXECUTOR_HPP
#define ASIO_URING_ANY_IO_EXECUTOR_HPP

#include <asio_uring/detail/object/io_object.hpp>
#include <asio_uring/enable_io_uring.hpp>
#include ASIO_URING_ASIO(any_io_executor.hpp)
#include <concepts>

namespace asio_uring {

/// Holds any executor that asio::any_io_executor holds, and converts from and to it. An I/O object
/// with this executor type performs its operations through the io_uring of the executor's context.
class any_io_executor : public asio::any_io_executor
{
public:
  using asio::any_io_executor::any_io_executor;
  any_io_executor() = default;
  /// Copies Asio's: both have the same target.
  any_io_executor(const asio::any_io_executor& ex) noexcept : asio::any_io_executor(ex) {}
  /// Moves Asio's, which is left without a target.
  any_io_executor(asio::any_io_executor&& ex) noexcept : asio::any_io_executor(std::move(ex)) {}
};

/// True also for executors that Asio derives from it, as use_awaitable_t<>::as_default_on does.
template <std::derived_from<any_io_executor> Executor>
inline constexpr bool enable_io_uring<Executor> = true;

} // namespace asio_uring

#endif // ASIO_URING_ANY_IO_EXECUTOR_HPP
