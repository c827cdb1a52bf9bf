// asio_uring/detail/op/send_file.hpp: descriptions of the two steps that send a part of a file.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_SEND_FILE_HPP
#define ASIO_URING_DETAIL_OP_SEND_FILE_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/engine/late_numbers.hpp>
#include <asio_uring/detail/op/call_in_thread.hpp>
#include <asio_uring/ring/kept_entry.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>

namespace asio_uring::detail {

/// Returns the size of a regular file as the kernel knows it, without asking a remote file system; otherwise
/// a negative errno, -EINVAL if it is no regular file.
ASIO_URING_DECL std::int64_t end_of_file(int fd) noexcept;

/// Sends like sendfile(2) from `splice_fd_in` to `fd`, without waiting for room. Raises no SIGPIPE.
ASIO_URING_DECL int send_file(const io_uring_sqe& arguments) noexcept;

/// Has a thread call send_file() once. The result is -EAGAIN if the socket has no room.
class send_file_op
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr preference preferred = preference::always_submitted;

  send_file_op(int socket, int file, std::uint64_t offset, unsigned size) noexcept
  {
    io_uring_sqe& arguments = arguments_.get();
    arguments.fd = socket;
    arguments.splice_fd_in = file;
    arguments.splice_off_in = offset;
    arguments.len = size;
  }
  send_file_op(const send_file_op&) = delete;
  send_file_op& operator=(const send_file_op&) = delete;

  /// io_uring has no opcode for it.
  std::optional<int> refused(const ring&) const noexcept { return -EOPNOTSUPP; }
  int call_instead(ring_service& service)
  {
    if (service.stopped()) return -ECANCELED;
    return asio::use_service<calls_in_threads>(service.context())
        .start(&detail::send_file, arguments_.get(), call_);
  }
  call_in_thread* call() const noexcept { return call_.get(); }

  void prepare(io_uring_sqe& sqe, int) noexcept { io_uring_prep_poll_add(&sqe, call_->fd(), POLLIN); }
  /// The thread looks up both descriptors only when it makes the call.
  template <typename F>
  void for_each_late_number(F&& f) const
  {
    f(arguments_.get().fd);
    f(arguments_.get().splice_fd_in);
  }
  int perform(int) const noexcept { return -EAGAIN; }
  bool more(int) const noexcept { return false; }

  std::tuple<error_code, std::size_t> arguments(int result) const
  {
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }

private:
  kept_entry arguments_;
  call_pointer call_;
};

/// Reads from a file, as an operation of the socket that will send the data.
class read_to_send_op
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr preference preferred = preference::always_submitted;

  read_to_send_op(int file, std::uint64_t offset, void* memory, unsigned size) noexcept
      : file_(file), size_(size), offset_(offset), memory_(memory)
  {}

  void prepare(io_uring_sqe& sqe, int) noexcept { io_uring_prep_read(&sqe, file_, memory_, size_, offset_); }
  template <typename F>
  void for_each_late_number(F&& f) const
  {
    f(file_);
  }
  int perform(int) const noexcept { return -EAGAIN; }
  bool more(int) const noexcept { return false; }

  std::tuple<error_code, std::size_t> arguments(int result) const
  {
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }

private:
  int file_;
  unsigned size_;
  std::uint64_t offset_;
  void* memory_;
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/op/send_file.ipp>
#endif

#endif // ASIO_URING_DETAIL_OP_SEND_FILE_HPP
