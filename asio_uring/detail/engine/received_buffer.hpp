// asio_uring/detail/engine/received_buffer.hpp: received bytes in a buffer on loan.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RECEIVED_BUFFER_HPP
#define ASIO_URING_DETAIL_ENGINE_RECEIVED_BUFFER_HPP

#include <asio_uring/detail/engine/buffer_group.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

namespace asio_uring {

/// Received bytes in a buffer of a buffer_ring. The destructor gives back the buffer, to be filled again.
/**
 * Converts to asio::const_buffer (`asio::buffer(received)`), to be sent on without a copy; it must live until
 * the send has ended. It shares the ownership of the memory: the buffer_ring and its context may be destroyed
 * before it. Thread safety: distinct objects safe, also parts of one buffer. They may be destroyed in any
 * thread, but not while the context is destroyed.
 */
class received_buffer
{
public:
  received_buffer() = default;
  received_buffer(received_buffer&& other) noexcept
      : group_(std::move(other.group_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        buffer_(other.buffer_)
  {}
  received_buffer& operator=(received_buffer&& other) noexcept
  {
    std::swap(group_, other.group_);
    std::swap(buffer_, other.buffer_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~received_buffer() { release(); }

  /// The first byte.
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size() == 0; }
  /// The bytes as text.
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  /// For Asio's functions.
  operator asio::const_buffer() const noexcept { return {data_, size_}; }

  /// Removes the first bytes; all if there are fewer.
  void remove_prefix(std::size_t count) noexcept
  {
    count = std::min(count, size());
    data_ += count;
    size_ -= static_cast<unsigned>(count);
  }
  /// Removes the last bytes; all if there are fewer.
  void remove_suffix(std::size_t count) noexcept { size_ -= static_cast<unsigned>(std::min(count, size())); }

  /// Splits off the bytes before `position` and returns them. The buffer is given back when both parts are
  /// gone.
  [[nodiscard]] received_buffer split(std::size_t position) noexcept
  {
    position = std::min(position, size());
    received_buffer front;
    if (group_) (*group_)[buffer_].holders.fetch_add(1, std::memory_order_relaxed);
    front.group_ = group_;
    front.buffer_ = buffer_;
    front.data_ = data_;
    front.size_ = static_cast<unsigned>(position);
    remove_prefix(position);
    return front;
  }

  /// Gives the buffer back.
  void release() noexcept
  {
    data_ = nullptr;
    size_ = 0;
    if (!group_) return;
    auto& holders = (*group_)[buffer_].holders;
    const bool last =
        holders.load(std::memory_order_acquire) == 1 || holders.fetch_sub(1, std::memory_order_acq_rel) == 1;
    if (last) group_->give_back(buffer_);
    group_.reset();
  }

  /// The most bytes that a buffer may have.
  static constexpr std::size_t largest = std::numeric_limits<unsigned>::max();
  /// For the library: takes over a filled buffer.
  received_buffer(std::shared_ptr<detail::buffer_group> group, unsigned buffer,
                  asio::const_buffer bytes) noexcept
      : group_(std::move(group)),
        data_(static_cast<const std::byte*>(bytes.data())),
        size_(static_cast<unsigned>(bytes.size())),
        buffer_(buffer)
  {}

private:
  std::shared_ptr<detail::buffer_group> group_;
  const std::byte* data_ = nullptr;
  unsigned size_ = 0;
  unsigned buffer_ = 0;
};

} // namespace asio_uring

#endif // ASIO_URING_DETAIL_ENGINE_RECEIVED_BUFFER_HPP
