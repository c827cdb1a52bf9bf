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

/// Performs any operation that io_uring has.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param prepare `void prepare(io_uring_sqe&)`, called once, before async_submit returns to its caller or,
 * with a lazy token, when the operation is initiated. It fills a zeroed entry, with liburing's
 * io_uring_prep_* functions or by hand; opcodes newer than liburing are in asio_uring/ring/opcodes.hpp.
 * user_data is not its own. What it throws comes out of the initiating function.
 * @param token Completion signature `void(error_code, Result)`.
 *
 * The result is the completion's: an int, with the error code made from a negative one; or a
 * `unique_descriptor` with `async_submit<unique_descriptor>`, for operations that open a file descriptor: if
 * nobody gets it, it is closed.
 *
 * What the entry points to (buffers, paths, addresses, time spans) must stay until the handler is called or
 * destroyed. Descriptors must stay open as long. The overload with a payload takes care of the former.
 *
 * Cancellation: terminal, partial and total ask the kernel; only the operation's own completion tells. A
 * result that the kernel gives in spite of it is delivered. A zero-copy send completes when its buffer is
 * free again. The destruction of the context waits for the kernel. Errors: the kernel's;
 * operation_not_supported where the kernel lacks the opcode, and no thread makes its call (doc/opcodes.md);
 * errc::invalid_argument, of misuse_category(), for an entry that does not complete exactly once: multishot,
 * linked, draining, or with IOSQE_CQE_SKIP_SUCCESS; the message says which, and what to use. Thread safety:
 * may be called by any thread. Since Linux 5.11, and the opcode's own version.
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

/// The same with an object that the operation owns, from the submission to the end.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param payload Movable; holds what the entry points to. It is moved into the operation, and no further
 * until it ends.
 * @param prepare `void prepare(io_uring_sqe&, Payload&)`; the reference is to where the payload stays.
 * @param token Completion signature `void(error_code, Result, Payload)`: the payload comes back.
 *
 * A payload with a member `void completed(int result, unsigned flags)` is told the completion as it is,
 * IORING_CQE_F_BUFFER and the like included, on the thread that collects it: it should only take notes.
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
