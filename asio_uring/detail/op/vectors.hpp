// asio_uring/detail/op/vectors.hpp: buffer sequences that a record keeps for the kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_VECTORS_HPP
#define ASIO_URING_DETAIL_OP_VECTORS_HPP

#include <asio_uring/detail/asio/doors.hpp>
#include <asio_uring/detail/engine/registered_buffers.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include <iterator>
#include <limits.h>
#include <memory>

namespace asio_uring::detail {

/// Returns the index of a buffer that is registered with the context's ring, or -1: a stock registration only
/// numbers.
inline int index_of(const asio::registered_buffer_id& id, const registered_buffers& known) noexcept
{
  const int i = id.native_handle();
  return known.known() && registered_buffer_door::make_buffer({}, &known, i).id() == id ? i : -1;
}

/// A sequence that is one buffer, perhaps a registered one.
template <typename Buffer, typename Buffers>
class one_buffer
{
public:
  one_buffer(const Buffers& buffers, [[maybe_unused]] const registered_buffers& known) noexcept
      : buffer_(borrowed_buffers<Buffer, Buffers>::adapter::first(buffers))
  {
    if constexpr (may_be_registered) index_ = index_of(buffers.id(), known);
  }
  static constexpr bool may_be_registered = requires(const Buffers& b) { b.id(); };
  int index() const noexcept requires may_be_registered { return index_; }
  const Buffer& first() const noexcept { return buffer_; }
  bool empty() const noexcept { return buffer_.size() == 0; }

private:
  struct nothing
  {};
  Buffer buffer_;
  [[no_unique_address]] std::conditional_t<may_be_registered, int, nothing> index_;
};

/// A sequence as vectors that do not move while the record lives: its first 1024 buffers, as many as the
/// kernel takes at once. A few are stored in the record itself.
template <typename Buffer, typename Buffers>
class vectors
{
public:
  vectors(const Buffers& buffers, const registered_buffers&)
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

#endif // ASIO_URING_DETAIL_OP_VECTORS_HPP
