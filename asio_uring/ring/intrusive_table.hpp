// asio_uring/ring/intrusive_table.hpp: a hash table that allocates nothing per element.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_INTRUSIVE_TABLE_HPP
#define ASIO_URING_RING_INTRUSIVE_TABLE_HPP

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace asio_uring::detail {

/// A hash table of elements that contain their links. Elements with equal keys keep their order.
/**
 * Only reserve() allocates. Reserve room for all elements before inserting.
 */
template <typename T, typename Traits>
class intrusive_table
{
public:
  using key_type = typename Traits::key_type;

  void reserve(std::size_t elements)
  {
    if (elements <= buckets_.size()) return;
    std::vector<bucket> larger(std::bit_ceil(elements));
    buckets_.swap(larger);
    for (const bucket& b : larger)
      for (T* element = b.first; element;)
        insert(*std::exchange(element, Traits::next(*element)));
  }

  void insert(T& element) noexcept
  {
    bucket& b = bucket_of(Traits::key(element));
    Traits::previous(element) = b.last;
    Traits::next(element) = nullptr;
    (b.last ? Traits::next(*b.last) : b.first) = &element;
    b.last = &element;
  }

  void remove(T& element) noexcept
  {
    bucket& b = bucket_of(Traits::key(element));
    T *const previous = Traits::previous(element), *const next = Traits::next(element);
    (previous ? Traits::next(*previous) : b.first) = next;
    (next ? Traits::previous(*next) : b.last) = previous;
  }

  /// The first element with this key, or null.
  T* first(key_type key) noexcept { return buckets_.empty() ? nullptr : from(bucket_of(key).first, key); }
  /// The next element with the same key, or null.
  T* next(T& element) noexcept { return from(Traits::next(element), Traits::key(element)); }

  /// Any element, or null.
  T* any() noexcept
  {
    for (const bucket& b : buckets_)
      if (b.first) return b.first;
    return nullptr;
  }

private:
  struct bucket
  {
    T* first = nullptr;
    T* last = nullptr;
  };

  static T* from(T* element, key_type key) noexcept
  {
    while (element && Traits::key(*element) != key)
      element = Traits::next(*element);
    return element;
  }
  bucket& bucket_of(key_type key) noexcept
  {
    // The upper bits of the product depend on all bits of the key.
    const std::uint64_t mixed = static_cast<std::uint64_t>(key) * 0x9e3779b97f4a7c15u;
    return buckets_[static_cast<std::size_t>(mixed >> 32) & (buckets_.size() - 1)];
  }

  std::vector<bucket> buckets_; // their number is a power of two
};

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_INTRUSIVE_TABLE_HPP
