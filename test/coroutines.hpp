// test/coroutines.hpp: runs coroutines side by side, and tells where their sockets are.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_COROUTINES_HPP
#define ASIO_URING_TEST_COROUTINES_HPP

#include "fixture.hpp"

#include <exception>
#include <functional>

namespace test {

using coroutine = std::function<asio::awaitable<void>()>;

/// Runs them all until no work is left; throws the first of their exceptions.
inline void run_coroutines(asio::io_context& context, std::initializer_list<coroutine> coroutines)
{
  std::exception_ptr failure;
  std::size_t ended = 0;
  for (const coroutine& c : coroutines)
    asio::co_spawn(context, c, [&](std::exception_ptr e) {
      if (!failure) failure = e;
      ++ended;
    });
  context.restart();
  context.run_for(60s);
  if (failure) std::rethrow_exception(failure);
  BOOST_REQUIRE_EQUAL(ended, coroutines.size());
  BOOST_REQUIRE_MESSAGE(context.stopped(), "work was left");
}

/// Like use_awaitable, but the error is a value.
inline constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

/// Whether the process has an io_uring of the kernel's.
inline bool has_io_uring()
{
  namespace fs = std::filesystem;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code vanished;
    if (fs::read_symlink(entry.path(), vanished) == "anon_inode:[io_uring]") return true;
  }
  return false;
}

#define CHECK_ERROR(code, expected) BOOST_CHECK_MESSAGE((code) == (expected), #code ": " << (code).message())
#define REQUIRE_ERROR(code, expected)                                                                        \
  BOOST_REQUIRE_MESSAGE((code) == (expected), #code ": " << (code).message())

} // namespace test

#endif
