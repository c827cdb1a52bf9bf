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

  /// Reports a leading error code there instead of throwing it; it is cleared on success.
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
 * For every asynchronous operation of Asio's model, composed ones and co_spawn included. The values are
 * returned as nothing, one value, or a tuple. A leading `error_code` is not among them: it is thrown as
 * `system_error`, or reported as `use_wait(ec)` says; a leading `exception_ptr` is rethrown. An operation
 * whose handler is destroyed unused, as at the end of its context, has ended with error::operation_aborted.
 *
 * Who runs the context meanwhile:
 * - a loop in another thread, if there is one: the calling thread runs no handler, it sleeps. A thread_pool
 *   always counts as such.
 * - otherwise the calling thread, with run_one(), until the operation has ended. Handlers of others that are
 *   ready run there, too. What they throw leaves the call, when the operation has ended. The context is left
 *   as it was found, or as a handler has left it: stopped, or not stopped.
 *
 * Whether another thread runs an io_context is told by who ran its ring last. A thread that did and still
 * lives is given a second to run a handler, then the calling thread takes over; a handler that blocks
 * longer than that is taken for the end of the loop. A context that no thread has run yet, or whose reactor
 * is Asio's own, is given 20 ms. A loop that starts while this thread runs the context is a second thread
 * of it for up to a handler's time, and then left alone with it.
 *
 * @throws std::logic_error when called by a thread that is inside run() of the same context, in a strand or
 * not: the operation, which that thread would have to complete, is not started. (If only the running
 * operation tells its executor, as some of Beast's, it has been started, and is cancelled.)
 * Cancellation: none of the token's own; what cancels the operation elsewhere ends it. Errors: the
 * operation's. Thread safety: as the operation's initiating function.
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

/// The I/O executor, so that what the operation does keeps its order with the object's strand. Being asked
/// tells which context it is, where the initiation cannot.
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
