// asio_uring/segments.hpp: a buffer cut into datagrams of one size.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SEGMENTS_HPP
#define ASIO_URING_SEGMENTS_HPP

#include <algorithm>
#include <asio_uring/config.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <cstddef>
#include <iterator>

namespace asio_uring {

/// The segments of a buffer: all of the same size, but for the last, which may be shorter. Made by
/// segments().
/**
 * A forward range of buffers; it borrows the memory. An empty buffer is one empty segment, as it is one
 * datagram. Thread safety: distinct objects are safe.
 */
template <typename Buffer>
class segment_range
{
public:
  /// A forward iterator, whose reference is a buffer.
  class iterator
  {
  public:
    using value_type = Buffer;
    using reference = Buffer;
    using pointer = void;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag; // the old concept wants a true reference
    using iterator_concept = std::forward_iterator_tag;

    iterator() = default;
    Buffer operator*() const noexcept { return asio::buffer(all_ + offset(), size_); }
    iterator& operator++() noexcept
    {
      ++index_;
      return *this;
    }
    iterator operator++(int) noexcept
    {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator& other) const noexcept { return index_ == other.index_; }

  private:
    friend class segment_range;
    iterator(const Buffer& all, std::size_t size, std::size_t index) noexcept
        : all_(all), size_(size), index_(index)
    {}
    std::size_t offset() const noexcept { return index_ * size_; }

    Buffer all_;
    std::size_t size_ = 0;
    std::size_t index_ = 0;
  };

  /// `size`: of a segment, in bytes; 0: the buffer is one segment.
  segment_range(const Buffer& all, std::size_t size) noexcept
      : all_(all), size_(size ? size : std::max<std::size_t>(all.size(), 1))
  {}

  iterator begin() const noexcept { return {all_, size_, 0}; }
  iterator end() const noexcept { return {all_, size_, size()}; }
  std::size_t size() const noexcept
  {
    return all_.size() == 0 ? 1 : all_.size() / size_ + (all_.size() % size_ != 0);
  }

private:
  Buffer all_;
  std::size_t size_;
};

/// Returns the datagrams in one buffer, as a range of buffers.
/**
 * @param data The datagrams that were received, or will be sent, together.
 * @param segment_size In bytes; 0: a single datagram.
 */
inline segment_range<asio::mutable_buffer> segments(const asio::mutable_buffer& data,
                                                    std::size_t segment_size) noexcept
{
  return {data, segment_size};
}
/// The same for a buffer that is only read.
inline segment_range<asio::const_buffer> segments(const asio::const_buffer& data,
                                                  std::size_t segment_size) noexcept
{
  return {data, segment_size};
}

} // namespace asio_uring

#endif // ASIO_URING_SEGMENTS_HPP
