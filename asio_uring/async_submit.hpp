// asio_uring/async_submit.hpp: any io_uring operation, with any completion token.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_ASYNC_SUBMIT_HPP
#define ASIO_URING_ASYNC_SUBMIT_HPP

#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/unique_descriptor.hpp>

namespace asio_uring {
namespace detail {

struct no_payload
{};

template <typename Result>
concept submission_result = std::same_as<Result, int> || std::same_as<Result, unique_descriptor>;

template <submission_result Result>
struct finish_submission
{
  // An entry that comes back cancelled may have been cancelled by another entry.
  static constexpr bool resubmits = false;

  template <typename Payload>
  static auto arguments(int result, Payload& payload)
  {
    Result value(kernel_result(result));
    if constexpr (std::is_same_v<Payload, no_payload>)
      return std::tuple<error_code, Result>(error_of(result), std::move(value));
    else
      return std::tuple<error_code, Result, Payload>(error_of(result), std::move(value), std::move(payload));
  }
};

} // namespace detail

/// Performs any operation of io_uring's.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param prepare `void prepare(io_uring_sqe&)`, called once, before async_submit returns to its caller or,
 * with a lazy token, when the operation is initiated. It fills a zeroed entry, with liburing's
 * io_uring_prep_* functions or by hand; opcodes newer than liburing are in asio_uring/ring/opcodes.hpp. It
 * must not set user_data. If it throws, the initiating function throws.
 * @param token Completion signature `void(error_code, Result)`.
 *
 * The result is the completion's: an int, and a negative one makes the error code. With
 * `async_submit<unique_descriptor>`, for operations that open a file descriptor, it is a `unique_descriptor`,
 * which is closed if the handler does not take it.
 *
 * Until the handler is called or destroyed, what the entry points to (buffers, paths, addresses, time spans)
 * must stay valid, and descriptors must stay open. The overload with a payload takes care of the former.
 *
 * Cancellation: terminal, partial and total ask the kernel to end the operation. If it was performed
 * nevertheless, its result is delivered. A zero-copy send completes when its buffer is free again. The
 * destruction of the context waits for the kernel. Errors: the kernel's; operation_not_supported if the
 * kernel lacks the opcode, and no thread makes its call (doc/opcodes.md); errc::invalid_argument, of
 * misuse_category(), for an entry that does not complete exactly once: multishot, linked, draining, or with
 * IOSQE_CQE_SKIP_SUCCESS; the message says which, and what to use. Thread safety: may be called by any
 * thread. Since Linux 5.11, and the opcode's own version.
 */
template <detail::submission_result Result = int, detail::submits Object, typename Prepare,
          asio::completion_token_for<void(error_code, Result)> Token =
              asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_submit(Object&& object, Prepare prepare, Token&& token = {})
{
  return detail::submit<void(error_code, Result)>(object, detail::no_payload(), std::move(prepare),
                                                  detail::finish_submission<Result>(), "async_submit",
                                                  std::forward<Token>(token));
}

/// The same with an object that the operation owns until it ends.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param payload Movable; holds what the entry points to. It is moved into the operation, where it stays in
 * place until the operation ends.
 * @param prepare `void prepare(io_uring_sqe&, Payload&)`; the reference is to the payload in its final place.
 * @param token Completion signature `void(error_code, Result, Payload)`: the payload comes back.
 *
 * If the payload has a member `void completed(int result, unsigned flags)`, it gets the raw completion,
 * IORING_CQE_F_BUFFER and the like included, in the thread that collects it. It should only store values.
 */
template <detail::submission_result Result = int, detail::submits Object, typename Payload, typename Prepare,
          asio::completion_token_for<void(error_code, Result, Payload)> Token>
auto async_submit(Object&& object, Payload payload, Prepare prepare, Token&& token)
{
  return detail::submit<void(error_code, Result, Payload)>(object, std::move(payload), std::move(prepare),
                                                           detail::finish_submission<Result>(),
                                                           "async_submit", std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_ASYNC_SUBMIT_HPP
