// asio_uring/detail/op/receive_many.hpp: description of the receive of many datagrams.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_RECEIVE_MANY_HPP
#define ASIO_URING_DETAIL_OP_RECEIVE_MANY_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include <sys/socket.h>

namespace asio_uring::detail {

/// async_receive_many. `Batch`: receive_batch.hpp.
/**
 * The call is made when the handler is about to run, so a cancelled operation has taken nothing. It is never
 * submitted: there is no opcode for several datagrams, and one for a single datagram would be another
 * operation.
 */
template <typename Batch>
class receive_many_op
{
public:
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::always_called;

  receive_many_op(Batch& batch, bool with_segment_size) noexcept : batch_(&batch)
  {
    batch.begin_receiving(with_segment_size);
  }

  void prepare(io_uring_sqe&, int) const noexcept {}

  int perform(int fd) noexcept { return receive(fd, MSG_DONTWAIT); }

  /// Returns what was received ahead, and nothing more: the error of a further call could not be reported.
  int perform(file_state& d) noexcept
  {
    const int taken = take(d);
    return taken > 0 ? taken : perform(d.fd());
  }

  int take(file_state& d) noexcept
  {
    std::size_t count = 0;
    for (; count < batch_->capacity(); ++count) {
      mmsghdr& header = batch_->headers()[count];
      const auto size = d.take_datagram(header.msg_hdr, 0);
      if (!size) break;
      header.msg_len = static_cast<unsigned>(*size);
    }
    if (count > 0) batch_->end_receiving(count);
    return static_cast<int>(count);
  }

  /// With MSG_WAITFORONE instead of MSG_DONTWAIT, waits for the first datagram if the descriptor is blocking.
  int receive(int fd, int flags) noexcept
  {
    int result = uninterrupted([&] { return ::recvmmsg(fd, batch_->headers(), most(), flags, nullptr); });
    if (is_forbidden(result)) result = receive_one(fd, flags & MSG_DONTWAIT);
    if (result > 0) batch_->end_receiving(static_cast<std::size_t>(result));
    return result;
  }

  bool more(int result) const noexcept { return result <= 0 || static_cast<unsigned>(result) == most(); }

  std::tuple<error_code, std::size_t> arguments(int result) const noexcept
  {
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }

private:
  unsigned most() const noexcept { return static_cast<unsigned>(batch_->capacity()); }
  int receive_one(int fd, int flags) noexcept
  {
    mmsghdr& header = *batch_->headers();
    const int size = uninterrupted([&] { return ::recvmsg(fd, &header.msg_hdr, flags); });
    if (size < 0) return size;
    header.msg_len = static_cast<unsigned>(size);
    return 1;
  }

  Batch* batch_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_RECEIVE_MANY_HPP
