// asio_uring/detail/engine/received_buffer.hpp: what was received, in a buffer on loan.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RECEIVED_BUFFER_HPP
#define ASIO_URING_DETAIL_ENGINE_RECEIVED_BUFFER_HPP

#include <asio_uring/detail/engine/buffer_group.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace asio_uring {

/// Bytes in a buffer of a buffer_ring. The buffer goes back when this ends, and is filled anew.
/**
 * Converts to asio::const_buffer (`asio::buffer(received)`), so it is sent on without a copy; it has to live
 * as long as that takes. It holds the memory: the buffer_ring and its context may end before it. Thread
 * safety: distinct objects safe, parts of one buffer included; they may end in any thread, but not while the
 * context is destroyed.
 */
class received_buffer
{
public:
  received_buffer() = default;
  received_buffer(received_buffer&& other) noexcept
      : group_(std::move(other.group_)), buffer_(other.buffer_), bytes_(std::exchange(other.bytes_, {}))
  {}
  received_buffer& operator=(received_buffer&& other) noexcept
  {
    std::swap(group_, other.group_);
    std::swap(buffer_, other.buffer_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~received_buffer() { release(); }

  const std::byte* data() const noexcept { return static_cast<const std::byte*>(bytes_.data()); }
  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return size() == 0; }
  std::string_view text() const noexcept { return {static_cast<const char*>(bytes_.data()), size()}; }
  operator asio::const_buffer() const noexcept { return bytes_; }

  /// Forgets the first, or the last, bytes; all if there are fewer.
  void remove_prefix(std::size_t count) noexcept { bytes_ += count; }
  void remove_suffix(std::size_t count) noexcept
  {
    bytes_ = asio::const_buffer(bytes_.data(), size() - std::min(count, size()));
  }

  /// Keeps the bytes from there on, and returns those before: two parts, and the buffer goes back after both.
  [[nodiscard]] received_buffer split(std::size_t position) noexcept
  {
    position = std::min(position, size());
    received_buffer front;
    if (group_) (*group_)[buffer_].holders.fetch_add(1, std::memory_order_relaxed);
    front.group_ = group_;
    front.buffer_ = buffer_;
    front.bytes_ = asio::const_buffer(bytes_.data(), position);
    bytes_ += position;
    return front;
  }

  /// Gives the buffer back.
  void release() noexcept
  {
    bytes_ = {};
    if (!group_) return;
    auto& holders = (*group_)[buffer_].holders;
    const bool last =
        holders.load(std::memory_order_acquire) == 1 || holders.fetch_sub(1, std::memory_order_acq_rel) == 1;
    if (last) group_->give_back(buffer_);
    group_.reset();
  }

  /// For the library: takes over a buffer that was filled.
  received_buffer(std::shared_ptr<detail::buffer_group> group, unsigned buffer,
                  asio::const_buffer bytes) noexcept
      : group_(std::move(group)), buffer_(buffer), bytes_(bytes)
  {}

private:
  std::shared_ptr<detail::buffer_group> group_;
  unsigned buffer_ = 0;
  asio::const_buffer bytes_;
};

} // namespace asio_uring

#endif // ASIO_URING_DETAIL_ENGINE_RECEIVED_BUFFER_HPP
