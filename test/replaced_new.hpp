// test/replaced_new.hpp: an operator new that can fail, an operator delete that overwrites.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_REPLACED_NEW_HPP
#define ASIO_URING_TEST_REPLACED_NEW_HPP

namespace test {

/// Allocations until one of this thread's fails; negative: none does.
extern thread_local long allocations_left;

/// While there is one, what this thread frees is overwritten, so that whatever reads it goes wrong.
struct overwriting
{
  overwriting();
  ~overwriting();
};

} // namespace test

#endif
