// asio_uring/random_access_file.hpp: a file read and written at offsets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RANDOM_ACCESS_FILE_HPP
#define ASIO_URING_RANDOM_ACCESS_FILE_HPP

#include <asio_uring/any_io_executor.hpp>
#include <asio_uring/detail/object/basic_files.hpp>

namespace asio_uring {

/// Asio's basic_random_access_file, on io_uring whatever the executor, on every build of Asio.
/**
 * Any number of reads and writes may be in flight on one file; they are performed concurrently, and complete
 * in any order. A single operation transfers at most 0x7ffff000 bytes, and at most 1024 buffers. Thread
 * safety: as Asio's; distinct objects safe, shared objects unsafe. Since Linux 5.11.
 */
template <typename Executor = any_io_executor>
using basic_random_access_file = asio::basic_random_access_file<Executor>;

/// The file with the default executor.
using random_access_file = basic_random_access_file<>;

} // namespace asio_uring

#endif // ASIO_URING_RANDOM_ACCESS_FILE_HPP
