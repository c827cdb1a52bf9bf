// asio_uring/detail/op/transfer_at.hpp: description of reads and writes at an offset.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_TRANSFER_AT_HPP
#define ASIO_URING_DETAIL_OP_TRANSFER_AT_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/op/vectors.hpp>
#include ASIO_URING_ASIO(error.hpp)
#include <cstdint>
#include <unistd.h>

namespace asio_uring::detail {

/// Transfers at an offset: async_read_some_at if Buffer is mutable_buffer, async_write_some_at if it is
/// const_buffer. Any number of them may be in flight. perform() is the synchronous form, and blocks.
template <typename Buffer, typename Buffers>
class transfer_at
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr preference preferred = preference::always_submitted;
  static constexpr bool reads = std::is_same_v<Buffer, asio::mutable_buffer>;

  transfer_at(std::uint64_t offset, const Buffers& buffers, const registered_buffers& known)
      : offset_(offset), buffers_(buffers, known)
  {}

  void prepare(io_uring_sqe& sqe, int fd)
  {
    if constexpr (single) {
      const Buffer buffer = buffers_.first();
      if (reads)
        io_uring_prep_read(&sqe, fd, const_cast<void*>(buffer.data()), kernel_size(buffer.size()), offset_);
      else
        io_uring_prep_write(&sqe, fd, buffer.data(), kernel_size(buffer.size()), offset_);
      if constexpr (decltype(buffers_)::may_be_registered)
        if (buffers_.index() >= 0) {
          sqe.opcode = reads ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
          sqe.buf_index = static_cast<std::uint16_t>(buffers_.index());
        }
    } else if (reads)
      io_uring_prep_readv(&sqe, fd, buffers_.data(), buffers_.count(), offset_);
    else
      io_uring_prep_writev(&sqe, fd, buffers_.data(), buffers_.count(), offset_);
  }

  int perform(int fd)
  {
    return uninterrupted([&] { return call(fd); });
  }

  bool more(int) const noexcept { return false; }

  std::tuple<error_code, std::size_t> arguments(int result) const
  {
    if (reads && result == 0 && !buffers_.empty()) return {asio::error::eof, 0};
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }

private:
  static constexpr bool single = borrowed_buffers<Buffer, Buffers>::single;

  ssize_t call(int fd)
  {
    const auto offset = static_cast<off_t>(offset_);
    if constexpr (single) {
      const Buffer buffer = buffers_.first();
      return reads ? ::pread(fd, const_cast<void*>(buffer.data()), buffer.size(), offset)
                   : ::pwrite(fd, buffer.data(), buffer.size(), offset);
    } else {
      const auto count = static_cast<int>(buffers_.count());
      return reads ? ::preadv(fd, buffers_.data(), count, offset)
                   : ::pwritev(fd, buffers_.data(), count, offset);
    }
  }

  std::uint64_t offset_;
  std::conditional_t<single, one_buffer<Buffer, Buffers>, vectors<Buffer, Buffers>> buffers_;
};

template <typename Buffers>
using read_at = transfer_at<asio::mutable_buffer, Buffers>;
template <typename Buffers>
using write_at = transfer_at<asio::const_buffer, Buffers>;

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_TRANSFER_AT_HPP
