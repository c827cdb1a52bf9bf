// test/watched_memory.hpp: handlers with an allocator that records and can fail, and handlers that throw.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_WATCHED_MEMORY_HPP
#define ASIO_URING_TEST_WATCHED_MEMORY_HPP

#include "fixture.hpp"

namespace test {

struct allocations
{
  std::size_t largest = 0, last = 0;
  int live = 0;
  bool fail = false;
};
inline allocations memory;

template <typename T>
struct watched
{
  using value_type = T;
  watched() = default;
  template <typename U>
  watched(const watched<U>&)
  {}
  T* allocate(std::size_t n)
  {
    if (memory.fail) throw std::bad_alloc();
    memory.last = n * sizeof(T);
    memory.largest = std::max(memory.largest, memory.last);
    ++memory.live;
    return static_cast<T*>(::operator new(memory.last));
  }
  void deallocate(T* p, std::size_t)
  {
    --memory.live;
    ::operator delete(p);
  }
  bool operator==(const watched&) const { return true; }
};

template <typename State>
struct handler_with
{
  using allocator_type = watched<char>;
  allocator_type get_allocator() const { return {}; }
  template <typename... Args>
  void operator()(Args&&...)
  {}
  [[no_unique_address]] State state{};
};
struct no_state
{};
struct odd_state
{
  char bytes[13];
};

/// Throws when it is moved.
struct throwing_handler
{
  inline static int alive = 0, called = 0;
  inline static int moves_left = -1; // moves before one throws; negative: none throws

  using allocator_type = watched<char>;
  allocator_type get_allocator() const { return {}; }

  throwing_handler() { ++alive; }
  throwing_handler(const throwing_handler&) : throwing_handler() { moved(); }
  throwing_handler(throwing_handler&&) : throwing_handler() { moved(); }
  ~throwing_handler() { --alive; }
  template <typename... Args>
  void operator()(Args&&...)
  {
    ++called;
  }

private:
  // May throw: the delegated constructor has ended, so the destructor will run.
  static void moved()
  {
    if (moves_left >= 0 && moves_left-- == 0) throw std::runtime_error("a handler is moved");
  }
};

} // namespace test

#endif
