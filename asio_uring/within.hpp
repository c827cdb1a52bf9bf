// asio_uring/within.hpp: an operation that has a limited time.
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

/// A completion token that ends the operation at a time, and completes it as the token inside says. Made by
/// within and until.
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

/// Gives an operation a limited time, counted from its start.
/**
 * @code
 * std::size_t n = co_await socket.async_read_some(buffer, asio_uring::within(5s, use_awaitable));
 * asio::async_write(socket, data, asio_uring::within(100ms, handler));
 * @endcode
 *
 * @param duration of any unit, measured by the steady clock. No operation is cancelled before it has passed;
 * later by a millisecond, and by what the loop has to do before. Zero or less: what is not done at once ends.
 * @param token what the operation would have been given without it.
 *
 * For every operation that can be cancelled through a slot, composed ones included (`async_read`,
 * `async_read_until`, `async_connect`, TLS, co_spawn): the time is that of the whole. For others (name
 * resolution) it has no effect. When the time has come, the operation is cancelled, with
 * cancellation_type::terminal, and completes with error::timed_out where it would have completed with
 * error::operation_aborted. What it has done counts as without a limit: a read that has received data at
 * that moment completes with them, a composed one reports how much it has transferred, and no byte is lost.
 * An operation whose end is an exception_ptr ends with a system_error of that code.
 * It goes outside of what takes the error away (`within(5s, redirect_error(token, ec))`), and inside of
 * use_uring.
 *
 * No timer object, and no allocation once as many operations have been under way at a time: a deadline is an
 * entry in a wheel of the context's, which has one kernel timer. It is not work: a context whose operations
 * have ended does not wait for it.
 *
 * Completion signature: the operation's. Cancellation: the slot of the token inside does what it does
 * without a limit. Errors: the operation's, and error::timed_out. Thread safety: as the operation's; the
 * deadline cancels it on its handler's executor, so a composed operation whose context several threads run
 * belongs on a strand, as for every cancellation. Since Linux 5.11, and with the fallback.
 */
template <typename Rep, typename Period, typename Token>
[[nodiscard]] constexpr auto within(std::chrono::duration<Rep, Period> duration, Token&& token)
{
  return timed_token<std::decay_t<Token>, std::chrono::steady_clock::duration>(
      std::forward<Token>(token), detail::clock_duration(duration));
}

/// The same with the time at which the operation is to end.
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
    auto inner = std::forward<RawToken>(token).token_; // which may be move-only
    return async_initiate<Token, Signatures...>(
        asio_uring::detail::timed_initiation<std::decay_t<Initiation>, Limit>(
            std::forward<Initiation>(initiation), limit),
        inner, std::forward<Args>(args)...);
  }
};

#endif // ASIO_URING_WITHIN_HPP
