// test/properties/memory.hpp: counts memory in use. To be included by one translation unit of a program.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_MEMORY_HPP
#define ASIO_URING_TEST_PROPERTIES_MEMORY_HPP

#include <atomic>
#include <cstdlib>
#include <new>

inline std::atomic<long> live_blocks{0};

// Not inlined: g++ would warn that memory of malloc is deleted.
[[gnu::noinline]] void* operator new(std::size_t size)
{
  void* const block = std::malloc(size ? size : 1);
  if (!block) throw std::bad_alloc();
  ++live_blocks;
  return block;
}
[[gnu::noinline]] void operator delete(void* block) noexcept
{
  if (block) --live_blocks;
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

#endif // ASIO_URING_TEST_PROPERTIES_MEMORY_HPP
