// asio_uring/detail/op/send_zero_copy.hpp: description of the zero-copy sends.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_SEND_ZERO_COPY_HPP
#define ASIO_URING_DETAIL_OP_SEND_ZERO_COPY_HPP

#include <asio_uring/detail/engine/description.hpp>
#include <asio_uring/detail/engine/zero_copy_sends.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <iterator>

namespace asio_uring::detail {

/// How much a zero-copy send sends.
enum class amount : bool
{
  some, ///< what there is room for, or one datagram
  all   ///< everything, in as many parts as it takes, with no other send in between
};

/// Submits a zero-copy send: async_send_zero_copy, async_write_zero_copy. If the socket or the kernel turns
/// out to be unable to avoid the copy, the send is submitted again as an ordinary one.
/**
 * A part does not wait for the notification of the part before it. It begins when the peer's acknowledgements
 * make room, and those bring the notifications, too.
 */
template <typename Buffers, amount Amount>
class send_zero_copy_op
{
public:
  static constexpr lane_kind lane = lane_kind::out;
  static constexpr preference preferred = preference::by_completion;
  static constexpr bool notifies = true;
  static constexpr bool in_parts = Amount == amount::all;

  send_zero_copy_op(file_state& file, const Buffers& buffers, int flags)
      : file_(file),
        buffers_(buffers),
        size_(asio::buffer_size(buffers)),
        flags_(flags | MSG_NOSIGNAL | MSG_DONTWAIT)
  {}

  void prepare(io_uring_sqe& sqe, int fd) requires borrowed_buffers<asio::const_buffer, Buffers>::single
  {
    const asio::const_buffer left = buffers_.first() + sent_;
    io_uring_prep_send(&sqe, fd, left.data(), kernel_size(left.size()), flags_);
    avoid_copy(sqe);
  }
  void prepare(io_uring_sqe& sqe, int fd,
               submitted_message& message) requires(!borrowed_buffers<asio::const_buffer, Buffers>::single)
  {
    iovec vectors[submitted_message::most];
    msghdr left{};
    left.msg_iov = vectors;
    std::size_t before = sent_;
    const auto last = asio::buffer_sequence_end(buffers_.sequence());
    for (auto it = asio::buffer_sequence_begin(buffers_.sequence());
         it != last && left.msg_iovlen < std::size(vectors); ++it) {
      const asio::const_buffer whole(*it), part = whole + before;
      before -= whole.size() - part.size();
      if (part.size() > 0) vectors[left.msg_iovlen++] = {const_cast<void*>(part.data()), part.size()};
    }
    io_uring_prep_sendmsg(&sqe, fd, &message.set(left), static_cast<unsigned>(flags_));
    avoid_copy(sqe);
  }

  /// Makes no call: after a wait for room the entry is submitted again.
  int perform(int) const noexcept { return -EAGAIN; }
  bool more(int) const noexcept { return true; }

  bool retry(int result) noexcept
  {
    if (result > 0) {
      sent_ += static_cast<std::size_t>(result);
      return in_parts && sent_ < size_;
    }
    if (copies_ || !zero_copy_sends::exhausted(file_, result)) return zero_copy_sends::refused(file_, result);
    return copies_ = true;
  }

  std::tuple<error_code, std::size_t> arguments(int result) const { return {error_of(result), sent_}; }

private:
  void avoid_copy(io_uring_sqe& sqe) const noexcept
  {
    if (!copies_) zero_copy_sends::prepare(file_, sqe);
  }

  file_state& file_;
  [[no_unique_address]] borrowed_buffers<asio::const_buffer, Buffers> buffers_;
  const std::size_t size_;
  std::size_t sent_ = 0;
  const int flags_;
  bool copies_ = false;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_SEND_ZERO_COPY_HPP
