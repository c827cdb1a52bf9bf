// asio_uring/receive_batch.hpp: buffers for many datagrams, and those that were received.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RECEIVE_BATCH_HPP
#define ASIO_URING_RECEIVE_BATCH_HPP

#include <algorithm>
#include <asio_uring/config.hpp>
#include <asio_uring/segments.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include ASIO_URING_ASIO(socket_base.hpp)
#include <cassert>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>
#include <vector>

namespace asio_uring {

template <typename Endpoint>
class basic_receive_batch;

namespace detail {
template <typename Batch>
class receive_many_op;
}

/// A datagram as it was received: a view into its batch.
template <typename Endpoint>
class batched_datagram
{
public:
  /// The received bytes, in the datagram's buffer. May be empty.
  asio::mutable_buffer data() const noexcept { return {room_.iov_base, size_}; }
  /// The number of received bytes.
  std::size_t size() const noexcept { return size_; }
  /// The sender's address; meaningless if the sender has none, as at the ends of a connected pair.
  const Endpoint& sender() const noexcept { return sender_; }
  /// The kernel's flags: MSG_TRUNC and others.
  asio::socket_base::message_flags flags() const noexcept { return flags_; }
  /// Whether it was longer than its buffer; what did not fit is lost.
  bool truncated() const noexcept { return flags_ & MSG_TRUNC; }
  /// If the kernel has joined several datagrams (`udp_gro`): the bytes of each but the last. 0: it is a
  /// single one.
  std::size_t segment_size() const noexcept { return segment_size_; }
  /// The datagrams that it consists of, as buffers; usually one.
  segment_range<asio::mutable_buffer> segments() const noexcept { return {data(), segment_size_}; }

private:
  friend class basic_receive_batch<Endpoint>;

  Endpoint sender_;
  iovec room_{};
  std::size_t size_ = 0;
  int flags_ = 0;
  unsigned segment_size_ = 0;
};

/// The buffers into which async_receive_many receives, and the range of the datagrams that the last one has
/// received.
/**
 * The operation borrows it, as Asio's operations borrow buffers: until the handler is called, batch and
 * buffers must stay valid and must not be touched. It allocates all memory when it is made; receiving
 * allocates nothing. Thread safety: distinct objects are safe; an object is for one thread, or operation, at
 * a time.
 */
template <typename Endpoint>
class basic_receive_batch
{
public:
  using endpoint_type = Endpoint;
  using value_type = batched_datagram<Endpoint>;
  using const_iterator = typename std::vector<value_type>::const_iterator;

  /// Room for `count` datagrams, with memory for `size` bytes of each.
  basic_receive_batch(std::size_t count, std::size_t size) : basic_receive_batch(count)
  {
    // Buffers that begin at the same offset in a page would compete for the same lines of a cache.
    constexpr std::size_t line = 64;
    if (count > 0 && size > std::numeric_limits<std::size_t>::max() / count - 2 * line)
      throw std::length_error("receive_batch");
    const std::size_t stride = (size + line - 1) / line * line + line;
    memory_ = std::make_unique_for_overwrite<std::byte[]>(count * stride);
    for (std::size_t i = 0; i < count; ++i)
      set_buffer(i, {&memory_[i * stride], size});
  }

  /// Room for as many datagrams as there are buffers in the sequence, one in each.
  template <typename MutableBufferSequence>
  explicit basic_receive_batch(const MutableBufferSequence& buffers) requires(
      asio::is_mutable_buffer_sequence<MutableBufferSequence>::value)
      : basic_receive_batch(static_cast<std::size_t>(
            std::distance(asio::buffer_sequence_begin(buffers), asio::buffer_sequence_end(buffers))))
  {
    std::size_t i = 0;
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto it = asio::buffer_sequence_begin(buffers); it != end; ++it)
      set_buffer(i++, *it);
  }

  basic_receive_batch(basic_receive_batch&& other) noexcept { *this = std::move(other); }
  basic_receive_batch& operator=(basic_receive_batch&& other) noexcept
  {
    memory_ = std::move(other.memory_);
    datagrams_ = std::exchange(other.datagrams_, {});
    headers_ = std::exchange(other.headers_, {});
    controls_ = std::move(other.controls_);
    size_ = std::exchange(other.size_, 0);
    with_segment_size_ = other.with_segment_size_;
    return *this;
  }

  /// The number of datagrams that it has room for.
  std::size_t capacity() const noexcept { return datagrams_.size(); }
  /// The number of datagrams that the last operation has received; 0 while one is in progress.
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const value_type& operator[](std::size_t i) const noexcept
  {
    assert(i < size_);
    return datagrams_[i];
  }
  const_iterator begin() const noexcept { return datagrams_.begin(); }
  const_iterator end() const noexcept { return begin() + static_cast<std::ptrdiff_t>(size_); }

  /// Sets the buffer of the datagram in this place, which is less than capacity(). So a program may keep a
  /// filled buffer, and give another for it.
  void set_buffer(std::size_t place, const asio::mutable_buffer& buffer) noexcept
  {
    assert(place < capacity());
    datagrams_[place].room_ = {buffer.data(), buffer.size()};
  }

private:
  template <typename>
  friend class detail::receive_many_op;

  explicit basic_receive_batch(std::size_t count)
      : datagrams_(count),
        headers_(count),
        controls_(std::make_unique_for_overwrite<control_messages[]>(count)),
        size_(count) // has begin_receiving() set all headers
  {
    for (std::size_t i = 0; i < count; ++i) {
      headers_[i].msg_hdr.msg_name = datagrams_[i].sender_.data();
      headers_[i].msg_hdr.msg_iov = &datagrams_[i].room_;
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
    begin_receiving(false);
  }

  // Messages of the socket's other options, such as timestamps, come before the segment size.
  struct control_messages
  {
    alignas(cmsghdr) std::byte bytes[256];
  };

  /// Called before an operation: resets the headers that the last receive has changed. `with_segment_size`:
  /// asks for the segment size. UNIX sockets get no room for control messages: with it they would receive
  /// passed descriptors, which nothing would close.
  void begin_receiving(bool with_segment_size) noexcept
  {
    std::size_t changed = std::exchange(size_, 0);
    if (std::exchange(with_segment_size_, with_segment_size) != with_segment_size) changed = capacity();
    for (std::size_t i = 0; i < changed; ++i) {
      msghdr& m = headers_[i].msg_hdr;
      m.msg_namelen = static_cast<socklen_t>(datagrams_[i].sender_.capacity());
      m.msg_control = with_segment_size ? &controls_[i] : nullptr;
      m.msg_controllen = with_segment_size ? sizeof(control_messages) : 0;
    }
  }
  mmsghdr* headers() noexcept { return headers_.data(); }

  /// Called after an operation: makes the headers' contents the batch's datagrams.
  void end_receiving(std::size_t count) noexcept
  {
    size_ = count;
    for (std::size_t i = 0; i < count; ++i) {
      value_type& d = datagrams_[i];
      msghdr& m = headers_[i].msg_hdr;
      // The kernel counts a terminating zero even if a UNIX path has none.
      d.sender_.resize(std::min<std::size_t>(m.msg_namelen, d.sender_.capacity()));
      d.size_ = headers_[i].msg_len;
      d.flags_ = m.msg_flags;
      d.segment_size_ = segment_size_of(m);
    }
  }
  static unsigned segment_size_of(msghdr& m) noexcept
  {
    for (cmsghdr* c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
      if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
        int size;
        std::memcpy(&size, CMSG_DATA(c), sizeof(size));
        return static_cast<unsigned>(size);
      }
    return 0;
  }

  std::unique_ptr<std::byte[]> memory_;
  std::vector<value_type> datagrams_;
  std::vector<mmsghdr> headers_;
  std::unique_ptr<control_messages[]> controls_;
  std::size_t size_ = 0;
  bool with_segment_size_ = false;
};

/// The batch for the sockets of a protocol: `receive_batch<udp> batch(64, 2048)`.
template <typename Protocol>
using receive_batch = basic_receive_batch<typename Protocol::endpoint>;

} // namespace asio_uring

#endif // ASIO_URING_RECEIVE_BATCH_HPP
