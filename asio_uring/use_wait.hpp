// asio_uring/use_wait.hpp: a completion token that blocks the calling thread.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_USE_WAIT_HPP
#define ASIO_URING_USE_WAIT_HPP

#include <asio_uring/detail/object/wait_for_completion.hpp>
#include ASIO_URING_ASIO(associated_executor.hpp)
#include ASIO_URING_ASIO(async_result.hpp)

namespace asio_uring {

/// The type of use_wait.
class use_wait_t
{
public:
  constexpr use_wait_t() = default;

  /// Stores a leading error code in `ec` instead of throwing it; success clears it.
  [[nodiscard]] constexpr use_wait_t operator()(error_code& ec) const
  {
    use_wait_t token;
    token.error_ = &ec;
    return token;
  }

  // private:
  error_code* error_ = nullptr;
};

/// Blocks the calling thread until the operation has ended, and returns its values.
/**
 * @code
 * std::size_t n = file.async_read_some_at(0, buffer, asio_uring::use_wait);
 * std::size_t m = file.async_read_some_at(n, rest, asio_uring::use_wait(ec));
 * auto [error, k] = async_write(socket, data, asio::as_tuple(asio_uring::use_wait));
 * @endcode
 *
 * Works with every asynchronous operation of Asio's model, composed ones and co_spawn included. Returns
 * nothing, one value, or a tuple. A leading `error_code` is not among the values: it is thrown as
 * `system_error`, or stored by `use_wait(ec)`; a leading `exception_ptr` is rethrown. If the handler is
 * destroyed without being called, as at the end of its context, the error is error::operation_aborted.
 *
 * Meanwhile the context is run by
 * - another thread, if one runs it: the calling thread sleeps and runs no handler. A thread_pool always has
 *   such threads.
 * - otherwise the calling thread, with run_one(), until the operation has ended. It runs the handlers of
 *   other operations, too. The first exception that one throws is rethrown when the operation has ended.
 *   Afterwards the context is stopped if it was before, or if a handler stopped it, and otherwise not.
 *
 * Whether another thread runs an io_context is inferred from the thread that ran its ring last. If that
 * thread still lives, it has a second to run a handler; then the calling thread takes over, even if the other
 * one is only blocked in a handler. A context that no thread has run yet, or whose reactor is Asio's own, has
 * 20 ms. If another thread begins to run the context while the calling thread does, both run it until the
 * calling thread's handler returns; then the calling thread leaves it to the other one.
 *
 * @throws std::logic_error if the calling thread is inside run() of the same context, in a strand or not,
 * because that thread would have to complete the operation. The operation is not started. (Some operations,
 * such as a few of Beast's, make their executor known only when they run: these are started and cancelled.)
 * Cancellation: the token has none of its own; the object's cancel() and close() end the operation. Errors:
 * the operation's. Thread safety: as the operation's initiating function.
 */
inline constexpr use_wait_t use_wait{};

} // namespace asio_uring

template <typename R, typename... Args>
struct asio_uring::asio::async_result<asio_uring::use_wait_t, R(Args...)>
{
  using values = asio_uring::detail::waited_values<std::decay_t<Args>...>;
  using return_type = typename values::return_type;

  template <typename Initiation, typename RawToken, typename... InitArgs>
  static return_type initiate(Initiation&& initiation, RawToken&& token, InitArgs&&... args)
  {
    using namespace asio_uring::detail;
    const auto state = std::make_shared<waited_operation<values>>();
    learn_context(*state, initiation);
    state->refuse_own_thread();
    std::forward<Initiation>(initiation)(wait_handler<values>(state), std::forward<InitArgs>(args)...);
    state->wait();
    return state->values().get(token.error_);
  }
};

/// The I/O executor, so that the operation stays in order with the object's strand. When it is asked for, the
/// handler learns the context, which not every initiation tells.
template <typename Values, typename Executor>
struct asio_uring::asio::associated_executor<asio_uring::detail::wait_handler<Values>, Executor>
{
  using type = Executor;
  static type get(const asio_uring::detail::wait_handler<Values>&) noexcept { return type(); }
  static const type& get(const asio_uring::detail::wait_handler<Values>& handler, const Executor& ex) noexcept
  {
    handler.learn(ex);
    return ex;
  }
};

#endif // ASIO_URING_USE_WAIT_HPP
