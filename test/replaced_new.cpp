// test/replaced_new.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "replaced_new.hpp"
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>

namespace test {

thread_local long allocations_left = -1;
static thread_local bool overwrites = false;

static std::atomic<std::size_t> in_use, made;
std::size_t bytes_in_use() noexcept { return in_use; }
std::size_t allocations_made() noexcept { return made; }

overwriting::overwriting() { overwrites = true; }
overwriting::~overwriting() { overwrites = false; }

} // namespace test

void* operator new(std::size_t size)
{
  if (test::allocations_left >= 0 && test::allocations_left-- == 0) throw std::bad_alloc();
  void* const memory = std::malloc(size ? size : 1);
  if (!memory) throw std::bad_alloc();
  test::in_use += ::malloc_usable_size(memory);
  ++test::made;
  return memory;
}

void operator delete(void* memory) noexcept
{
  if (memory && test::overwrites) {
    volatile char* bytes = static_cast<char*>(memory); // volatile: freed memory is never read
    for (std::size_t n = ::malloc_usable_size(memory); n > 0;)
      bytes[--n] = 0x5a;
  }
  if (memory) test::in_use -= ::malloc_usable_size(memory);
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
