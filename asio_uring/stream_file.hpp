// asio_uring/stream_file.hpp: a file with a position.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_STREAM_FILE_HPP
#define ASIO_URING_STREAM_FILE_HPP

#include <asio_uring/any_io_executor.hpp>
#include <asio_uring/detail/object/basic_files.hpp>

namespace asio_uring {

/// Asio's basic_stream_file, on io_uring whatever the executor, on every build of Asio.
/**
 * The position is the kernel's, shared with all that share the open file. Reads and writes are performed one
 * after the other, in the order in which they were started. A cancelled read leaves the position where it
 * was. The file may be the next layer of Asio's buffered streams. Thread safety: as Asio's; distinct objects
 * safe, shared objects unsafe. Since Linux 5.11.
 */
template <typename Executor = any_io_executor>
class basic_stream_file : public asio::basic_stream_file<Executor>
{
  using base = asio::basic_stream_file<Executor>;

public:
  using base::base;

  /// The file with another executor.
  template <typename Executor1>
  struct rebind_executor
  {
    using other = basic_stream_file<Executor1>;
  };

  /// A file is its own lowest layer. Asio's file has none, and so cannot be buffered.
  using lowest_layer_type = basic_stream_file;
  lowest_layer_type& lowest_layer() noexcept { return *this; }
  const lowest_layer_type& lowest_layer() const noexcept { return *this; }
};

/// The file with the default executor.
using stream_file = basic_stream_file<>;

} // namespace asio_uring

#endif // ASIO_URING_STREAM_FILE_HPP
