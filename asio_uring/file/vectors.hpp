// asio_uring/file/vectors.hpp: buffer sequences as an operation's record keeps them for the kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_FILE_VECTORS_HPP
#define ASIO_URING_FILE_VECTORS_HPP

#include <asio_uring/socket/buffers.hpp>
#include <iterator>
#include <limits.h>
#include <memory>

namespace asio_uring::detail {

/// A sequence that is one buffer.
template <typename Buffer, typename Buffers>
class one_buffer
{
public:
  explicit one_buffer(const Buffers& buffers) noexcept
      : buffer_(borrowed_buffers<Buffer, Buffers>::adapter::first(buffers))
  {}
  const Buffer& first() const noexcept { return buffer_; }
  bool empty() const noexcept { return buffer_.size() == 0; }

private:
  Buffer buffer_;
};

/// A sequence as vectors, which stay where they are as long as the record does: its first 1024 buffers, as
/// many as the kernel takes at once. A few are in the record itself.
template <typename Buffer, typename Buffers>
class vectors
{
public:
  explicit vectors(const Buffers& buffers)
  {
    auto it = asio::buffer_sequence_begin(buffers);
    const auto size = static_cast<std::size_t>(std::distance(it, asio::buffer_sequence_end(buffers)));
    count_ = static_cast<unsigned>(std::min<std::size_t>(size, IOV_MAX));
    if (count_ > std::size(few_)) many_.reset(new iovec[count_]);
    for (unsigned i = 0; i < count_; ++i, ++it) {
      const Buffer buffer(*it);
      data()[i] = {const_cast<void*>(buffer.data()), buffer.size()};
      empty_ = empty_ && buffer.size() == 0;
    }
  }
  vectors(const vectors&) = delete;
  vectors& operator=(const vectors&) = delete;

  iovec* data() noexcept { return many_ ? many_.get() : few_; }
  unsigned count() const noexcept { return count_; }
  bool empty() const noexcept { return empty_; }

private:
  iovec few_[8];
  std::unique_ptr<iovec[]> many_;
  unsigned count_;
  bool empty_ = true;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_FILE_VECTORS_HPP
