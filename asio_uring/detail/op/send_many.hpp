// asio_uring/detail/op/send_many.hpp: description of the send of many datagrams.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_SEND_MANY_HPP
#define ASIO_URING_DETAIL_OP_SEND_MANY_HPP

#include <algorithm>
#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

namespace asio_uring::detail {

/// Whether the kernel can cut what this socket sends into segments (UDP_SEGMENT).
inline bool makes_segments(int fd) noexcept
{
  int size;
  socklen_t length = sizeof(size);
  return ::getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, &length) == 0;
}

/// async_send_many. `Batch`: send_batch.hpp.
/**
 * The operation keeps its place in the lane until all datagrams are sent, so that no other message comes
 * between. There is no opcode for it, so it is never submitted.
 */
template <typename Batch>
class send_many_op
{
public:
  static constexpr lane_kind lane = lane_kind::out;
  static constexpr preference preferred = preference::always_called;

  send_many_op(Batch& batch, int fd, int flags = MSG_DONTWAIT) noexcept
      : batch_(&batch), flags_(flags | MSG_NOSIGNAL)
  {
    batch.begin_sending(!batch.segmented() || makes_segments(fd));
  }

  void prepare(io_uring_sqe&, int) const noexcept {}

  /// Sends until there is no room. Called again, it goes on from there.
  int perform(int fd) noexcept
  {
    while (sent_ < batch_->size()) {
      const int result = batch_->at(sent_).split ? send_segments(fd) : send_whole(fd);
      if (result < 0) return result;
      sent_ += static_cast<std::size_t>(result);
    }
    return 0;
  }

  bool more(int) const noexcept { return true; }

  /// Reports the datagrams that were sent, with an error as well.
  std::tuple<error_code, std::size_t> arguments(int result) const noexcept
  {
    return {error_of(result), sent_};
  }

private:
  /// Sends the next datagrams that need not be split. The kernel reports the error of a later one only when
  /// it comes first.
  int send_whole(int fd) noexcept
  {
    std::size_t end = sent_ + 1;
    while (end < batch_->size() && !batch_->at(end).split)
      ++end;
    mmsghdr& first = batch_->header(sent_);
    const auto count = static_cast<unsigned>(end - sent_); // the kernel takes 1024 at most
    const int result = uninterrupted([&] { return ::sendmmsg(fd, &first, count, flags_); });
    // The device towards the peer computes no checksums, and without that the kernel cuts no segments.
    if (result == -EIO && batch_->at(sent_).segmented()) {
      batch_->at(sent_).split = true;
      return 0;
    }
    if (!is_forbidden(result)) return result;
    const int size = uninterrupted([&] { return ::sendmsg(fd, &first.msg_hdr, flags_); });
    return size < 0 ? size : 1;
  }

  /// Sends the next datagram segment by segment; some segments may have been sent before.
  int send_segments(int fd) noexcept
  {
    const auto& d = batch_->at(sent_);
    for (; offset_ < d.size; offset_ += d.segment_size) {
      iovec parts[64];
      msghdr message = batch_->header(sent_).msg_hdr;
      message.msg_control = nullptr;
      message.msg_controllen = 0;
      message.msg_iovlen = cut(message, offset_, d.segment_size, parts);
      message.msg_iov = parts;
      const int result = uninterrupted([&] { return ::sendmsg(fd, &message, flags_); });
      if (result < 0) return result;
    }
    offset_ = 0;
    return 1;
  }

  /// Stores the parts of a message's buffers that lie in a segment; returns their number.
  static std::size_t cut(const msghdr& message, std::size_t offset, std::size_t size, iovec* parts) noexcept
  {
    std::size_t count = 0;
    for (std::size_t i = 0; i < message.msg_iovlen && size > 0; ++i) {
      const iovec& buffer = message.msg_iov[i];
      const std::size_t skipped = std::min(offset, buffer.iov_len);
      offset -= skipped;
      const std::size_t part = std::min(size, buffer.iov_len - skipped);
      if (part == 0) continue;
      size -= part;
      parts[count++] = {static_cast<char*>(buffer.iov_base) + skipped, part};
    }
    return count;
  }

  Batch* batch_;
  int flags_;
  std::size_t sent_ = 0;
  std::size_t offset_ = 0; // bytes sent of the datagram that is being split
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_SEND_MANY_HPP
