// asio_uring/ring/timer_heap.hpp: a heap of timers, earliest first.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_TIMER_HEAP_HPP
#define ASIO_URING_RING_TIMER_HEAP_HPP

#include <cstddef>
#include <vector>

namespace asio_uring::detail {

/// A binary heap of elements with a `time`, each of which stores its `place` in the heap so that any can be
/// removed. Only reserve() allocates.
template <typename T>
class timer_heap
{
public:
  void reserve(std::size_t elements) { heap_.reserve(elements); }

  /// The earliest element, or null.
  T* first() const noexcept { return heap_.empty() ? nullptr : heap_.front(); }

  void insert(T& element) noexcept
  {
    heap_.push_back(&element); // does not allocate: see reserve()
    rise(heap_.size() - 1);
  }

  void remove(T& element) noexcept
  {
    const std::size_t place = element.place;
    T* const last = heap_.back();
    heap_.pop_back();
    if (last == &element) return;
    put(place, *last);
    rise(place);
    sink(last->place);
  }

private:
  void put(std::size_t place, T& element) noexcept
  {
    heap_[place] = &element;
    element.place = place;
  }

  void rise(std::size_t place) noexcept
  {
    T& element = *heap_[place];
    for (; place > 0 && element.time < heap_[(place - 1) / 2]->time; place = (place - 1) / 2)
      put(place, *heap_[(place - 1) / 2]);
    put(place, element);
  }

  void sink(std::size_t place) noexcept
  {
    T& element = *heap_[place];
    for (std::size_t child; (child = 2 * place + 1) < heap_.size(); place = child) {
      if (child + 1 < heap_.size() && heap_[child + 1]->time < heap_[child]->time) ++child;
      if (!(heap_[child]->time < element.time)) break;
      put(place, *heap_[child]);
    }
    put(place, element);
  }

  std::vector<T*> heap_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_TIMER_HEAP_HPP
