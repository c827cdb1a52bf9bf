// asio_uring/posix/descriptor.hpp: a descriptor to wait for, on io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_POSIX_DESCRIPTOR_HPP
#define ASIO_URING_POSIX_DESCRIPTOR_HPP

#include <asio_uring/any_io_executor.hpp>
#include ASIO_URING_ASIO(posix/basic_descriptor.hpp)

namespace asio_uring::posix {

/// asio::posix::descriptor on io_uring.
using descriptor = asio::posix::basic_descriptor<any_io_executor>;

} // namespace asio_uring::posix

#endif // ASIO_URING_POSIX_DESCRIPTOR_HPP
