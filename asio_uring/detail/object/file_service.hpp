// asio_uring/detail/object/file_service.hpp: what Asio's file classes call.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_FILE_SERVICE_HPP
#define ASIO_URING_DETAIL_OBJECT_FILE_SERVICE_HPP

#include <asio_uring/detail/asio/file_base.hpp>
#include <asio_uring/detail/object/descriptor_service.hpp>
#include <asio_uring/detail/op/transfer_at.hpp>
#include <fcntl.h>
#include <sys/stat.h>

namespace asio_uring::detail {

// Reads and writes of a stream file share one position, the kernel's, so they are performed one after the
// other in one lane. A regular file is always ready, so they are always submitted.
template <typename Buffers>
struct stream_file_read : read_op<Buffers>
{
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::always_submitted;
  explicit stream_file_read(const Buffers& buffers) : read_op<Buffers>(buffers) {}

  /// Moves the position back after a read that was cancelled too late. If the file cannot seek (a terminal),
  /// the bytes are kept for the next read instead.
  bool undo(int fd, int result) const noexcept
  {
    return ::lseek(fd, -static_cast<off_t>(result), SEEK_CUR) >= 0;
  }
};
template <typename Buffers>
struct stream_file_write : write_op<Buffers>
{
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::always_submitted;
  explicit stream_file_write(const Buffers& buffers) : write_op<Buffers>(buffers) {}
};

/// The service of basic_stream_file and basic_random_access_file.
class file_service : public descriptor_service
{
public:
  using key_type = file_service;
  inline static asio::execution_context::id id;

  struct implementation_type : descriptor_service::implementation_type
  {
    bool is_stream_ = false;
  };

  explicit file_service(asio::execution_context& context) : descriptor_service(context) {}

  // --- life

  void construct(implementation_type& impl)
  {
    descriptor_service::construct(impl);
    impl.is_stream_ = false;
  }
  void move_construct(implementation_type& impl, implementation_type& other) noexcept
  {
    descriptor_service::move_construct(impl, other);
    impl.is_stream_ = other.is_stream_;
  }
  void move_assign(implementation_type& impl, file_service& other_service, implementation_type& other)
  {
    descriptor_service::move_assign(impl, other_service, other);
    impl.is_stream_ = other.is_stream_;
  }
  void set_is_stream(implementation_type& impl, bool is_stream) noexcept { impl.is_stream_ = is_stream; }

  error_code open(implementation_type& impl, const char* path, asio::file_base::flags flags, error_code& ec)
  {
    if (this->is_open(impl)) return ec = asio::error::already_open;
    unique_descriptor fd(::open(path, static_cast<int>(flags), 0777));
    if (!fd) return ec = last_error(false);
    adopt(impl, fd.get(), ec);
    fd.release();
    return ec;
  }

  /// Takes over a newly opened file, and tells the kernel how it will be read.
  error_code adopt(implementation_type& impl, int fd, error_code& ec)
  {
    if (this->is_open(impl)) return ec = asio::error::already_open;
    this->take(impl, fd, false);
    ::posix_fadvise(fd, 0, 0, impl.is_stream_ ? POSIX_FADV_SEQUENTIAL : POSIX_FADV_RANDOM);
    return ec = error_code();
  }

  // O_NONBLOCK is not set: it has no effect on a file. Whoever takes the number may ask for the position.

  int native_handle(const implementation_type& impl) const noexcept
  {
    come_to_position(impl);
    return descriptor_of(impl);
  }

  int release(implementation_type& impl, error_code& ec)
  {
    come_to_position(impl);
    this->close_descriptor(impl);
    return stock_descriptor_service::release(impl, ec);
  }

  error_code register_with_ring(implementation_type& impl)
  {
    return impl.file_ ? error_of(impl.file_->register_file()) : asio::error::bad_descriptor;
  }

  // --- the file as a whole; what was started before is submitted first

  std::uint64_t size(const implementation_type& impl, error_code& ec) const
  {
    this->flush(impl);
    struct stat status;
    ec = last_error(::fstat(descriptor_of(impl), &status) == 0);
    return ec ? 0 : static_cast<std::uint64_t>(status.st_size);
  }
  error_code resize(implementation_type& impl, std::uint64_t size, error_code& ec)
  {
    this->flush(impl);
    return ec = last_error(::ftruncate(descriptor_of(impl), static_cast<off_t>(size)) == 0);
  }
  error_code sync_all(implementation_type& impl, error_code& ec)
  {
    this->flush(impl);
    return ec = last_error(::fsync(descriptor_of(impl)) == 0);
  }
  error_code sync_data(implementation_type& impl, error_code& ec)
  {
    this->flush(impl);
    return ec = last_error(::fdatasync(descriptor_of(impl)) == 0);
  }
  std::uint64_t seek(implementation_type& impl, std::int64_t offset, asio::file_base::seek_basis whence,
                     error_code& ec)
  {
    come_to_position(impl);
    const off_t position = ::lseek(descriptor_of(impl), offset, whence);
    ec = last_error(position >= 0);
    return ec ? 0 : static_cast<std::uint64_t>(position);
  }

  // --- at an offset

  template <typename Buffers>
  std::size_t read_some_at(implementation_type& impl, std::uint64_t offset, const Buffers& buffers,
                           error_code& ec)
  {
    return transfer<asio::mutable_buffer>(impl, offset, buffers, ec);
  }
  template <typename Buffers>
  std::size_t write_some_at(implementation_type& impl, std::uint64_t offset, const Buffers& buffers,
                            error_code& ec)
  {
    return transfer<asio::const_buffer>(impl, offset, buffers, ec);
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_read_some_at(implementation_type& impl, std::uint64_t offset, const Buffers& buffers,
                          Handler& handler, const IoExecutor& io_ex)
  {
    this->start(
        impl, done_at_once<asio::mutable_buffer>(impl, offset, buffers),
        [&] { return read_at<Buffers>(offset, buffers, uring_.buffers()); }, handler, io_ex, "file",
        "async_read_some_at");
  }
  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_write_some_at(implementation_type& impl, std::uint64_t offset, const Buffers& buffers,
                           Handler& handler, const IoExecutor& io_ex)
  {
    this->start(
        impl, done_at_once<asio::const_buffer>(impl, offset, buffers),
        [&] { return write_at<Buffers>(offset, buffers, uring_.buffers()); }, handler, io_ex, "file",
        "async_write_some_at");
  }

  // --- at the file's position

  template <typename Buffers>
  std::size_t read_some(implementation_type& impl, const Buffers& buffers, error_code& ec)
  {
    return descriptor_service::read_some(impl, buffers, ec);
  }
  template <typename Buffers>
  std::size_t write_some(implementation_type& impl, const Buffers& buffers, error_code& ec)
  {
    come_to_position(impl);
    return descriptor_service::write_some(impl, buffers, ec);
  }

  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_read_some(implementation_type& impl, const Buffers& buffers, Handler& handler,
                       const IoExecutor& io_ex)
  {
    this->start(
        impl, done_at_once<asio::mutable_buffer>(impl, buffers),
        [&] { return stream_file_read<Buffers>(buffers); }, handler, io_ex, "file", "async_read_some");
  }
  template <typename Buffers, typename Handler, typename IoExecutor>
  void async_write_some(implementation_type& impl, const Buffers& buffers, Handler& handler,
                        const IoExecutor& io_ex)
  {
    this->start(
        impl, done_at_once<asio::const_buffer>(impl, buffers),
        [&] { return stream_file_write<Buffers>(buffers); }, handler, io_ex, "file", "async_write_some");
  }

private:
  static error_code last_error(bool succeeded) noexcept
  {
    return succeeded ? error_code() : error_code(errno, system_category());
  }

  /// An empty transfer succeeds without asking the kernel, as in Asio.
  template <typename Buffer, typename Buffers>
  static std::optional<int> done_at_once(const implementation_type& impl, const Buffers& buffers)
  {
    if (!impl.file_) return -EBADF;
    if (borrowed_buffers<Buffer, Buffers>::all_empty(buffers)) return 0;
    return std::nullopt;
  }
  template <typename Buffer, typename Buffers>
  static std::optional<int> done_at_once(const implementation_type& impl, std::uint64_t offset,
                                         const Buffers& buffers)
  {
    const std::optional<int> result = done_at_once<Buffer>(impl, buffers);
    return !result && !is_offset(offset) ? -EINVAL : result;
  }

  template <typename Buffer, typename Buffers>
  std::size_t transfer(implementation_type& impl, std::uint64_t offset, const Buffers& buffers,
                       error_code& ec)
  {
    if (!impl.file_) return ec = asio::error::bad_descriptor, 0;
    std::size_t size = 0;
    int result = done_at_once<Buffer>(impl, offset, buffers).value_or(1);
    transfer_at<Buffer, Buffers> description(offset, buffers, uring_.buffers());
    if (result > 0) {
      this->flush(impl);
      result = description.perform(descriptor_of(impl));
    }
    std::tie(ec, size) = description.arguments(result);
    return size;
  }

  /// Before a function that uses the position: reads and writes of a stream file that were cancelled may
  /// still move it.
  void come_to_position(const implementation_type& impl) const
  {
    if (impl.is_stream_) this->catch_up(impl, lane_kind::in);
  }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_FILE_SERVICE_HPP
