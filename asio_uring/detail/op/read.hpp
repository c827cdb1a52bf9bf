// asio_uring/detail/op/read.hpp: description of reads from a descriptor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_READ_HPP
#define ASIO_URING_DETAIL_OP_READ_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include <boost/asio/error.hpp>
#include <cstdint>
#include <limits>
#include <unistd.h>

namespace asio_uring::detail {

/// The offset that stands for the descriptor's own position, which seekable ones have.
inline constexpr std::uint64_t at_its_position = static_cast<std::uint64_t>(-1);

/// Whether a file can have it. The kernel's offsets are signed, and a program's -1 must not stand for the
/// position.
inline constexpr bool is_offset(std::uint64_t offset) noexcept
{
  return offset <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
}

/// async_read_some of a descriptor or pipe. The plain call needs O_NONBLOCK.
template <typename Buffers>
class read_op
{
public:
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::by_calls;
  static constexpr bool may_need_worker = true; // of a regular file

  explicit read_op(const Buffers& buffers) : buffers_(buffers) {}

  void prepare(io_uring_sqe& sqe, int fd) requires borrowed_buffers<asio::mutable_buffer, Buffers>::single
  {
    const asio::mutable_buffer buffer = buffers_.first();
    io_uring_prep_read(&sqe, fd, buffer.data(), kernel_size(buffer.size()), at_its_position);
  }
  void prepare(io_uring_sqe& sqe, int fd,
               submitted_message& message) requires(!borrowed_buffers<asio::mutable_buffer, Buffers>::single)
  {
    buffers_.with_message([&](msghdr& m) {
      const msghdr& kept = message.set(m);
      io_uring_prep_readv(&sqe, fd, kept.msg_iov, static_cast<unsigned>(kept.msg_iovlen), at_its_position);
    });
  }

  int perform(int fd)
  {
    return uninterrupted([&] { return call(fd); });
  }

  // A short read says nothing: a terminal gives a line, a pipe of packets a packet.
  bool more(int) const noexcept { return true; }

  bool keep(int result, kept_bytes& bytes) { return buffers_.keep(static_cast<std::size_t>(result), bytes); }
  int take(kept_bytes& bytes) { return buffers_.take(bytes, false); }

  std::tuple<error_code, std::size_t> arguments(int result) const
  {
    if (result == 0 && !borrowed::all_empty(buffers_.sequence())) return {asio::error::eof, 0};
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }

private:
  using borrowed = borrowed_buffers<asio::mutable_buffer, Buffers>;
  ssize_t call(int fd)
  {
    if constexpr (borrowed::single)
      return ::read(fd, buffers_.first().data(), buffers_.first().size());
    else
      return buffers_.with_message([&](msghdr& message) {
        return ::readv(fd, message.msg_iov, static_cast<int>(message.msg_iovlen));
      });
  }

  [[no_unique_address]] borrowed buffers_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_READ_HPP
