// test/replaced_new.hpp: an operator new that can fail, an operator delete that overwrites.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_REPLACED_NEW_HPP
#define ASIO_URING_TEST_REPLACED_NEW_HPP

#include <cstddef>

namespace test {

/// How many allocations of this thread succeed before one fails; negative: all succeed.
extern thread_local long allocations_left;

/// What operator new has given out, in all threads: bytes that are in use, and how often.
std::size_t bytes_in_use() noexcept;
std::size_t allocations_made() noexcept;

/// While one exists, memory that this thread frees is overwritten, so that reading it goes wrong.
struct overwriting
{
  overwriting();
  ~overwriting();
};

} // namespace test

#endif
