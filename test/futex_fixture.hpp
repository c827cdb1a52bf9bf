// test/futex_fixture.hpp: waits for futexes, and wake-ups.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_FUTEX_FIXTURE_HPP
#define ASIO_URING_TEST_FUTEX_FIXTURE_HPP

#include "fallback_ring.hpp"
#include "file_fixture.hpp"

#include <asio_uring/wait_futex.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <thread>

namespace test {

using asio_uring::async_wait_futex;
using futex_word = std::atomic<std::uint32_t>;

inline constexpr std::uint32_t any_bit = FUTEX_BITSET_MATCH_ANY;

/// Calls futex(2), which wakes one at least. Returns how many waiters it has woken.
inline int wake(const futex_word& word, int most, bool shared = false, std::uint32_t bitset = any_bit)
{
  return static_cast<int>(::syscall(SYS_futex, &word, FUTEX_WAKE_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG),
                                    most, nullptr, nullptr, bitset));
}

/// Wakes as many waiters, once they wait: a thread may begin with that some time after the initiation.
inline bool wake_all_of(const futex_word& word, int count, bool shared = false,
                        std::uint32_t bitset = any_bit)
{
  return soon([&] { return count == 0 || (count -= wake(word, count, shared, bitset)) == 0; });
}

struct waiting
{
  asio::io_context context;
  futex_word word{0};
};

/// Many waits, each of which can be cancelled.
struct many_waits : waiting
{
  std::vector<outcome> ends{40};
  std::vector<asio::cancellation_signal> signals{ends.size()};

  void start()
  {
    for (std::size_t i = 0; i != ends.size(); ++i) {
      ends[i] = {};
      async_wait_futex(context, word, 0, asio::bind_cancellation_slot(signals[i].slot(), ends[i].record()));
    }
    settle(context);
  }
  void cancel(std::size_t from, std::size_t to)
  {
    for (; from != to; ++from)
      signals[from].emit(asio::cancellation_type::total);
  }
  int ended() const
  {
    return count([](const outcome& o) { return o.done(); });
  }
  int woken() const
  {
    return count([](const outcome& o) { return o.succeeded(); });
  }
  int aborted() const
  {
    return count([](const outcome& o) { return o.calls == 1 && o.error == asio::error::operation_aborted; });
  }
  int all() const { return static_cast<int>(ends.size()); }

private:
  template <typename Predicate>
  int count(Predicate which) const
  {
    return static_cast<int>(std::count_if(ends.begin(), ends.end(), which));
  }
};

} // namespace test

#endif // ASIO_URING_TEST_FUTEX_FIXTURE_HPP
