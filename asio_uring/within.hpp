// asio_uring/within.hpp: a time limit for an operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_WITHIN_HPP
#define ASIO_URING_WITHIN_HPP

#include <asio_uring/detail/object/timed_initiation.hpp>
#include ASIO_URING_ASIO(async_result.hpp)
#include <chrono>
#include <type_traits>
#include <utility>

namespace asio_uring {

/// A completion token that cancels the operation at a given time, and completes as the token inside does.
/// Made by within and until.
template <typename Token, typename Limit>
class timed_token
{
public:
  /// For within and until.
  template <typename T>
  constexpr timed_token(T&& token, Limit limit) : token_(std::forward<T>(token)), limit_(limit)
  {}

  // private:
  Token token_;
  Limit limit_;
};

/// Limits the time of an operation, counted from its start.
/**
 * @code
 * std::size_t n = co_await socket.async_read_some(buffer, asio_uring::within(5s, use_awaitable));
 * asio::async_write(socket, data, asio_uring::within(100ms, handler));
 * @endcode
 *
 * @param duration Of any unit, measured by the steady clock. No operation is cancelled earlier; it may be
 * cancelled a millisecond later, or more if the loop is busy. With zero or less, an operation that cannot
 * complete at once is cancelled.
 * @param token The operation's completion token.
 *
 * Works with every operation that can be cancelled through a slot. For composed ones (`async_read`,
 * `async_read_until`, `async_connect`, TLS, co_spawn) it limits the time of the whole. On others (name
 * resolution) it has no effect. When the time is over, the operation is cancelled, with
 * cancellation_type::terminal, and completes with error::timed_out instead of error::operation_aborted. Its
 * results are as without a limit: a read that has received data at that moment completes with them, a
 * composed operation reports how much it has transferred, and no byte is lost. If the operation completes
 * with an exception_ptr, that is a system_error of the same code. Put it outside of tokens that remove the
 * error (`within(5s, redirect_error(token, ec))`), and inside of use_uring.
 *
 * It needs no timer object, and allocates only if more operations have a limit at the same time than before:
 * a deadline is an entry in the context's timing wheel, which has one kernel timer. Deadlines are not work:
 * run() does not wait for them.
 *
 * Completion signature: the operation's. Cancellation: the slot of the token inside works as without a limit.
 * Errors: the operation's, and error::timed_out. Thread safety: as the operation's; the deadline cancels it
 * on its handler's executor, so if several threads run the context, a composed operation needs a strand, as
 * for every cancellation. Since Linux 5.11, and with the fallback.
 */
template <typename Rep, typename Period, typename Token>
[[nodiscard]] constexpr auto within(std::chrono::duration<Rep, Period> duration, Token&& token)
{
  return timed_token<std::decay_t<Token>, std::chrono::steady_clock::duration>(
      std::forward<Token>(token), detail::clock_duration(duration));
}

/// The same with the time at which the operation is cancelled.
template <typename Token>
[[nodiscard]] constexpr auto until(std::chrono::steady_clock::time_point time, Token&& token)
{
  return timed_token<std::decay_t<Token>, std::chrono::steady_clock::time_point>(std::forward<Token>(token),
                                                                                 time);
}

} // namespace asio_uring

template <typename Token, typename Limit, typename... Signatures>
struct asio_uring::asio::async_result<asio_uring::timed_token<Token, Limit>, Signatures...>
{
  template <typename Initiation, typename RawToken, typename... Args>
  static auto initiate(Initiation&& initiation, RawToken&& token, Args&&... args)
      -> decltype(async_initiate<Token, Signatures...>(
          std::declval<asio_uring::detail::timed_initiation<std::decay_t<Initiation>, Limit>>(),
          std::declval<Token&>(), std::forward<Args>(args)...))
  {
    const Limit limit = token.limit_;
    auto inner = std::forward<RawToken>(token).token_; // may be move-only
    return async_initiate<Token, Signatures...>(
        asio_uring::detail::timed_initiation<std::decay_t<Initiation>, Limit>(
            std::forward<Initiation>(initiation), limit),
        inner, std::forward<Args>(args)...);
  }
};

#endif // ASIO_URING_WITHIN_HPP
