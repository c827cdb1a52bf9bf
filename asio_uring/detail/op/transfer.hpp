// asio_uring/detail/op/transfer.hpp: description of reads from a descriptor and writes to it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_TRANSFER_HPP
#define ASIO_URING_DETAIL_OP_TRANSFER_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include ASIO_URING_ASIO(error.hpp)
#include <cstdint>
#include <limits>
#include <unistd.h>

namespace asio_uring::detail {

/// The offset that stands for the current position of a seekable file.
inline constexpr std::uint64_t at_its_position = static_cast<std::uint64_t>(-1);

/// Whether an offset is valid. The kernel's offsets are signed, and a program's -1 must not mean the current
/// position.
inline constexpr bool is_offset(std::uint64_t offset) noexcept
{
  return offset <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
}

/// Transfers some bytes of a descriptor or pipe: async_read_some if Buffer is mutable_buffer,
/// async_write_some if it is const_buffer. The plain call blocks without O_NONBLOCK.
template <typename Buffer, typename Buffers>
class transfer_op
{
  using borrowed = borrowed_buffers<Buffer, Buffers>;
  static constexpr bool reads = std::is_same_v<Buffer, asio::mutable_buffer>;

public:
  static constexpr lane_kind lane = reads ? lane_kind::in : lane_kind::out;
  static constexpr preference preferred = preference::by_calls;
  static constexpr bool may_need_worker = true; // for a regular file

  explicit transfer_op(const Buffers& buffers) : buffers_(buffers) {}

  void prepare(io_uring_sqe& sqe, int fd) requires borrowed::single
  {
    const Buffer buffer = buffers_.first();
    const unsigned size = kernel_size(buffer.size());
    if constexpr (reads)
      io_uring_prep_read(&sqe, fd, buffer.data(), size, at_its_position);
    else
      io_uring_prep_write(&sqe, fd, buffer.data(), size, at_its_position);
  }
  void prepare(io_uring_sqe& sqe, int fd, submitted_message& message) requires(!borrowed::single)
  {
    buffers_.with_message([&](msghdr& m) {
      const msghdr& kept = message.set(m);
      const auto count = static_cast<unsigned>(kept.msg_iovlen);
      if constexpr (reads)
        io_uring_prep_readv(&sqe, fd, kept.msg_iov, count, at_its_position);
      else
        io_uring_prep_writev(&sqe, fd, kept.msg_iov, count, at_its_position);
    });
  }

  int perform(int fd)
  {
    return uninterrupted([&] { return call(fd); });
  }

  // A short read does not mean that nothing is left: a terminal returns a line, a pipe in packet mode a
  // packet.
  bool more(int) const noexcept { return true; }

  bool keep(int result, kept_bytes& bytes) requires reads
  {
    return buffers_.keep(static_cast<std::size_t>(result), bytes);
  }
  int take(kept_bytes& bytes) requires reads { return buffers_.take(bytes, false); }

  std::tuple<error_code, std::size_t> arguments(int result) const
  {
    if (reads && result == 0 && !borrowed::all_empty(buffers_.sequence())) return {asio::error::eof, 0};
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }

private:
  ssize_t call(int fd)
  {
    if constexpr (borrowed::single) {
      const Buffer buffer = buffers_.first();
      if constexpr (reads)
        return ::read(fd, buffer.data(), buffer.size());
      else
        return ::write(fd, buffer.data(), buffer.size());
    } else
      return buffers_.with_message([&](msghdr& message) {
        const auto count = static_cast<int>(message.msg_iovlen);
        return reads ? ::readv(fd, message.msg_iov, count) : ::writev(fd, message.msg_iov, count);
      });
  }

  [[no_unique_address]] borrowed buffers_;
};

template <typename Buffers>
using read_op = transfer_op<asio::mutable_buffer, Buffers>;
template <typename Buffers>
using write_op = transfer_op<asio::const_buffer, Buffers>;

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_TRANSFER_HPP
