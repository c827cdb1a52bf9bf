// asio_uring/detail/op/write.hpp: description of writes to a descriptor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_WRITE_HPP
#define ASIO_URING_DETAIL_OP_WRITE_HPP

#include <asio_uring/detail/op/read.hpp>

namespace asio_uring::detail {

/// async_write_some of a descriptor or pipe. The plain call needs O_NONBLOCK.
template <typename Buffers>
class write_op
{
public:
  static constexpr lane_kind lane = lane_kind::out;
  static constexpr preference preferred = preference::by_calls;
  static constexpr bool may_need_worker = true; // of a regular file

  explicit write_op(const Buffers& buffers) : buffers_(buffers) {}

  void prepare(io_uring_sqe& sqe, int fd) requires borrowed_buffers<asio::const_buffer, Buffers>::single
  {
    const asio::const_buffer buffer = buffers_.first();
    io_uring_prep_write(&sqe, fd, buffer.data(), kernel_size(buffer.size()), at_its_position);
  }
  void prepare(io_uring_sqe& sqe, int fd,
               submitted_message& message) requires(!borrowed_buffers<asio::const_buffer, Buffers>::single)
  {
    buffers_.with_message([&](msghdr& m) {
      const msghdr& kept = message.set(m);
      io_uring_prep_writev(&sqe, fd, kept.msg_iov, static_cast<unsigned>(kept.msg_iovlen), at_its_position);
    });
  }

  int perform(int fd)
  {
    return uninterrupted([&] { return call(fd); });
  }

  bool more(int) const noexcept { return true; }

  std::tuple<error_code, std::size_t> arguments(int result) const
  {
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }

private:
  using borrowed = borrowed_buffers<asio::const_buffer, Buffers>;
  ssize_t call(int fd)
  {
    if constexpr (borrowed::single)
      return ::write(fd, buffers_.first().data(), buffers_.first().size());
    else
      return buffers_.with_message([&](msghdr& message) {
        return ::writev(fd, message.msg_iov, static_cast<int>(message.msg_iovlen));
      });
  }

  [[no_unique_address]] borrowed buffers_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_WRITE_HPP
