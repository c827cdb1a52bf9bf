// asio_uring/detail/op/kept_address.hpp: keeps a peer's address while an operation may be submitted with it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_KEPT_ADDRESS_HPP
#define ASIO_URING_DETAIL_OP_KEPT_ADDRESS_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <sys/socket.h>
#include <utility>

namespace asio_uring::detail {

/// A peer's address, as a four-byte index into a table of the process, which never frees memory. It keeps the
/// record of a connect as small as Asio's, which stores no address because it calls connect(2) first.
class kept_address
{
public:
  /// Longer addresses are truncated: the kernel refuses their size without reading them.
  kept_address(const void* address, std::size_t size) : place_(table().take())
  {
    entry& e = table()[place_];
    e.size = static_cast<socklen_t>(size);
    std::memcpy(&e.address, address, std::min(size, sizeof(e.address)));
  }
  ~kept_address() { table().give_back(place_); }
  kept_address(const kept_address&) = delete;
  kept_address& operator=(const kept_address&) = delete;

  const sockaddr* data() const noexcept
  {
    return reinterpret_cast<const sockaddr*>(&table()[place_].address);
  }
  socklen_t size() const noexcept { return table()[place_].size; }

private:
  struct entry
  {
    sockaddr_storage address;
    socklen_t size;
    std::uint32_t next_free;
  };

  /// A growing array of entries that never move, in blocks of 64, 128, 256, … entries.
  class entries
  {
  public:
    entry& operator[](std::uint32_t place) noexcept
    {
      const unsigned block = block_of(place);
      return blocks_[block][place - first_of(block)];
    }

    std::uint32_t take()
    {
      const std::lock_guard guard(mutex_);
      if (free_ != none) return std::exchange(free_, (*this)[free_].next_free);
      auto& block = blocks_[block_of(size_)];
      if (!block) block.reset(new entry[smallest << block_of(size_)]);
      return size_++;
    }

    void give_back(std::uint32_t place) noexcept
    {
      const std::lock_guard guard(mutex_);
      (*this)[place].next_free = std::exchange(free_, place);
    }

  private:
    static constexpr std::uint32_t smallest = 64;
    static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1);

    static unsigned block_of(std::uint32_t place) noexcept
    {
      return static_cast<unsigned>(std::bit_width(place / smallest + 1)) - 1;
    }
    static std::uint32_t first_of(unsigned block) noexcept { return smallest * ((1U << block) - 1); }

    std::mutex mutex_;
    std::uint32_t free_ = none;
    std::uint32_t size_ = 0;
    std::array<std::unique_ptr<entry[]>, 26> blocks_;
  };

  static entries& table()
  {
    static entries& all = *new entries; // outlives every context
    return all;
  }

  const std::uint32_t place_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_KEPT_ADDRESS_HPP
