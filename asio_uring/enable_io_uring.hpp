// asio_uring/enable_io_uring.hpp: which executors put their I/O objects on io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_ENABLE_IO_URING_HPP
#define ASIO_URING_ENABLE_IO_URING_HPP

#include <asio_uring/config.hpp>
#include ASIO_URING_ASIO(strand.hpp)

namespace asio_uring {

/// True for an executor whose I/O objects are on io_uring. Programs may specialise it for their own
/// executors; the specialisation must precede the first instantiation of an I/O object with that executor.
/// asio_uring/as_default.hpp makes it true for all.
template <typename Executor>
inline constexpr bool enable_io_uring =
#if defined(ASIO_URING_AS_DEFAULT)
    true;
#else
    false;
#endif

/// A strand is as its inner executor.
template <typename Executor>
inline constexpr bool enable_io_uring<asio::strand<Executor>> = enable_io_uring<Executor>;

} // namespace asio_uring

#endif // ASIO_URING_ENABLE_IO_URING_HPP
