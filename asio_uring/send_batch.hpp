// asio_uring/send_batch.hpp: many datagrams to send by one operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SEND_BATCH_HPP
#define ASIO_URING_SEND_BATCH_HPP

#include <algorithm>
#include <asio_uring/config.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>
#include <vector>

namespace asio_uring {
namespace detail {
template <typename Batch>
class send_many_op;
}

/// Datagrams for async_send_many, in the order in which it sends them.
/**
 * The operation borrows it, as Asio's operations borrow buffers: until the handler is called, batch and data
 * must stay valid and must not be touched. clear() and consume() keep its memory, so that filling it again
 * allocates nothing. Thread safety: distinct objects are safe; an object is for one thread, or operation, at
 * a time.
 */
template <typename Endpoint>
class basic_send_batch
{
public:
  using endpoint_type = Endpoint;

  basic_send_batch() = default;
  /// Reserves memory for `count` datagrams of one buffer each.
  explicit basic_send_batch(std::size_t count)
  {
    datagrams_.reserve(count);
    headers_.reserve(count);
    buffers_.reserve(count);
  }
  basic_send_batch(basic_send_batch&& other) noexcept { *this = std::move(other); }
  basic_send_batch& operator=(basic_send_batch&& other) noexcept
  {
    datagrams_ = std::exchange(other.datagrams_, {});
    headers_ = std::exchange(other.headers_, {});
    buffers_ = std::exchange(other.buffers_, {});
    first_ = std::exchange(other.first_, 0);
    segmented_ = std::exchange(other.segmented_, false);
    return *this;
  }

  /// Adds a datagram.
  /**
   * @param data A buffer sequence; its first 64 buffers together make the datagram, which may be empty.
   * @param destination The receiver's address; without one, the peer of a connected socket.
   * @param segment_size In bytes. If it is not 0, the kernel cuts the data into datagrams of this size, the
   * last one perhaps shorter (UDP_SEGMENT; about 64 datagrams, and 65507 bytes in all). If the kernel cannot
   * (sockets other than UDP, older or emulated kernels, routes without checksum offload), each datagram is
   * sent by a call of its own, any number of them.
   */
  template <typename ConstBufferSequence>
  void push_back(const ConstBufferSequence& data, const Endpoint& destination, std::size_t segment_size = 0)
  {
    add(data, &destination, segment_size);
  }
  /// The same to the peer of a connected socket.
  template <typename ConstBufferSequence>
  void push_back(const ConstBufferSequence& data, std::size_t segment_size = 0)
  {
    add(data, nullptr, segment_size);
  }

  std::size_t size() const noexcept { return datagrams_.size() - first_; }
  bool empty() const noexcept { return size() == 0; }
  /// Removes all datagrams, and keeps the memory.
  void clear() noexcept
  {
    datagrams_.clear();
    buffers_.clear();
    first_ = 0;
    segmented_ = false;
  }
  /// Removes the first `count` datagrams: after those that were sent, the next operation sends the others.
  void consume(std::size_t count) noexcept
  {
    if (count >= size())
      clear();
    else
      first_ += count;
  }

private:
  template <typename>
  friend class detail::send_many_op;

  struct datagram
  {
    Endpoint destination;
    std::size_t first_buffer, buffers, size, segment_size;
    bool named; // has a destination
    bool split; // is sent one segment at a time
    alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(std::uint16_t))];

    bool segmented() const noexcept { return segment_size > 0 && size > segment_size; }
  };

  template <typename ConstBufferSequence>
  void add(const ConstBufferSequence& data, const Endpoint* destination, std::size_t segment_size)
  {
    constexpr std::size_t most = 64; // as Asio's operations
    const std::size_t first = buffers_.size();
    std::size_t size = 0;
    const auto end = asio::buffer_sequence_end(data);
    for (auto it = asio::buffer_sequence_begin(data); it != end && buffers_.size() - first < most; ++it) {
      const asio::const_buffer buffer(*it);
      buffers_.push_back({const_cast<void*>(buffer.data()), buffer.size()});
      size += buffer.size();
    }
    // If this throws, buffers and a header are left that belong to no datagram.
    if (headers_.size() == datagrams_.size()) headers_.emplace_back();
    datagram& d = datagrams_.emplace_back();
    if (destination) d.destination = *destination;
    d.named = destination;
    d.first_buffer = first;
    d.buffers = buffers_.size() - first;
    d.size = size;
    d.segment_size = segment_size;
    segmented_ |= d.segmented();
  }

  /// Whether any datagram is to be cut into segments.
  bool segmented() const noexcept { return segmented_; }

  /// Called before an operation. `kernel_cuts`: the kernel makes the segments.
  void begin_sending(bool kernel_cuts) noexcept
  {
    for (std::size_t i = first_; i < datagrams_.size(); ++i) {
      datagram& d = datagrams_[i];
      d.split = d.segmented() && !kernel_cuts;
      msghdr& m = headers_[i].msg_hdr;
      m = {};
      if (d.named) {
        m.msg_name = d.destination.data();
        m.msg_namelen = static_cast<socklen_t>(d.destination.size());
      }
      m.msg_iov = buffers_.data() + d.first_buffer;
      m.msg_iovlen = d.buffers;
      if (d.segmented() && kernel_cuts && d.segment_size <= std::numeric_limits<std::uint16_t>::max())
        ask_for_segments(m, d);
    }
  }
  static void ask_for_segments(msghdr& m, datagram& d) noexcept
  {
    m.msg_control = d.control;
    m.msg_controllen = sizeof(d.control);
    cmsghdr* const c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto size = static_cast<std::uint16_t>(d.segment_size);
    std::memcpy(CMSG_DATA(c), &size, sizeof(size));
  }

  mmsghdr& header(std::size_t i) noexcept { return headers_[first_ + i]; }
  datagram& at(std::size_t i) noexcept { return datagrams_[first_ + i]; }

  std::vector<datagram> datagrams_;
  std::vector<mmsghdr> headers_; // at least as many
  std::vector<iovec> buffers_;   // those of all datagrams
  std::size_t first_ = 0;        // the first that is not consumed
  bool segmented_ = false;       // whether any is
};

/// The batch for the sockets of a protocol: `send_batch<udp>`.
template <typename Protocol>
using send_batch = basic_send_batch<typename Protocol::endpoint>;

} // namespace asio_uring

#endif // ASIO_URING_SEND_BATCH_HPP
