// asio_uring/wait_futex.hpp: a word in memory that another thread or process wakes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_WAIT_FUTEX_HPP
#define ASIO_URING_WAIT_FUTEX_HPP

#include <asio_uring/async_submit.hpp>
#include <asio_uring/detail/op/results.hpp>
#include <atomic>
#include <cstdint>

namespace asio_uring {

/// How to wait for a futex.
struct futex_options
{
  bool shared = false;               ///< other processes wake it, too, by way of shared memory
  std::uint32_t bitset = 0xffffffff; ///< woken by FUTEX_WAKE, and by FUTEX_WAKE_BITSET with one of these bits
};

/// Waits for a word to be woken by futex(2).
/**
 * @code
 * while (word == 0)
 *   co_await asio_uring::async_wait_futex(context, word, 0, as_tuple(use_awaitable));
 *
 * // another thread:
 * word = 1;
 * ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1); // one waiter, INT_MAX: all
 * @endcode
 *
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param word Must live until the handler is called or destroyed.
 * @param expected Waits only if the word holds this value.
 * @param o Whether the word is shared with other processes, and the bitset. Who wakes must agree:
 * FUTEX_WAKE_PRIVATE wakes what is not shared, FUTEX_WAKE what is.
 * @param token Completion signature `void(error_code)`.
 *
 * As with futex(2), the program looks at the word again, whatever the result: it may be woken though nobody
 * has changed the word. Who wakes changes the word first: a wake-up of an unchanged word may be missed,
 * because the wait begins when the operation is submitted, and begins anew behind a fork or when the ring is
 * replaced.
 *
 * The notify_one() and notify_all() of std::atomic do not serve: libstdc++'s make the system call only if
 * they know of a thread in std::atomic::wait().
 *
 * Where the ring has no such opcode, each wait occupies a thread; 512 do so at most. With a bitset, and
 * before Linux 5.16, that thread looks every 10 ms whether it was cancelled.
 *
 * Cancellation: terminal, partial, total. One that was woken before it was cancelled succeeds: no wake-up is
 * lost to a wait that reports operation_aborted. Errors: try_again (EAGAIN) if the word did not hold
 * `expected` when the wait began, or began anew; invalid_argument for a bitset of 0; not_enough_memory
 * (errc::not_enough_memory, ENOMEM) if there is no thread for it. Thread safety: may be called by any
 * thread. Since Linux 5.11, by the ring since 6.7, and with the fallback.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_wait_futex(Object&& object, const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                      const futex_options& o, Token&& token = {})
{
  return detail::submit<void(error_code)>(
      object, detail::no_payload(),
      [&word, expected, o](io_uring_sqe& sqe) {
        sqe.opcode = opcode::futex_wait;
        sqe.fd = detail::futex_size_u32 | (o.shared ? 0 : detail::futex_private);
        sqe.addr = reinterpret_cast<std::uintptr_t>(&word);
        sqe.addr2 = expected;
        sqe.addr3 = o.bitset;
      },
      detail::finish_with_nothing(), "async_wait_futex", std::forward<Token>(token));
}

/// The same, in this process, for any wake-up.
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_wait_futex(Object&& object, const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                      Token&& token = {})
{
  return async_wait_futex(object, word, expected, futex_options(), std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_WAIT_FUTEX_HPP
