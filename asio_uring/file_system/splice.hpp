// asio_uring/file_system/splice.hpp: moves data between descriptors within the kernel.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_FILE_SYSTEM_SPLICE_HPP
#define ASIO_URING_FILE_SYSTEM_SPLICE_HPP

#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/detail/op/results.hpp>
#include <optional>

namespace asio_uring {

/// Moves data from one descriptor to another, one of them a pipe, without copying: splice(2).
/**
 * @param in, out Files, sockets, pipes or descriptors; both must stay open until the handler is called. `in`
 * gives the executor.
 * @param in_offset, out_offset In bytes; without one, the descriptor's own position. For pipes and sockets
 * there must be none. Beyond 2^63 - 1: invalid_argument.
 * @param size In bytes, at most 4 GiB - 1.
 * @param flags SPLICE_F_MOVE and others, or 0.
 * @param token Completion signature `void(error_code, std::size_t)`: the number of bytes moved, perhaps fewer
 * than asked for. Cancellation: terminal, partial, total, as long as the kernel has not begun. Errors:
 * splice(2)'s; eof at the end of `in`. Thread safety: may be called by any thread. Since Linux 5.11.
 */
template <detail::has_native_handle In, detail::has_native_handle Out,
          asio::completion_token_for<void(error_code, std::size_t)> Token =
              asio::default_completion_token_t<detail::executor_of_t<In&>>>
auto async_splice(In& in, std::optional<std::uint64_t> in_offset, Out& out,
                  std::optional<std::uint64_t> out_offset, unsigned size, unsigned flags, Token&& token = {})
{
  struct nothing
  {};
  const auto place = [](std::optional<std::uint64_t> offset) {
    return static_cast<std::int64_t>(offset.value_or(detail::at_its_position));
  };
  // The kernel refuses an unknown flag with EINVAL.
  const bool valid = detail::is_offset(in_offset.value_or(0)) && detail::is_offset(out_offset.value_or(0));
  return detail::submit<void(error_code, std::size_t)>(
      in, nothing(),
      [=, from = in.native_handle(), to = out.native_handle()](io_uring_sqe& sqe) {
        io_uring_prep_splice(&sqe, from, place(in_offset), to, place(out_offset), size, valid ? flags : ~0U);
      },
      detail::finish_with_size_or_eof(), "async_splice", std::forward<Token>(token));
}

/// Copies data from one pipe to another; it stays in the first one, too: tee(2). As async_splice.
template <detail::has_native_handle In, detail::has_native_handle Out,
          asio::completion_token_for<void(error_code, std::size_t)> Token =
              asio::default_completion_token_t<detail::executor_of_t<In&>>>
auto async_tee(In& in, Out& out, unsigned size, unsigned flags, Token&& token = {})
{
  struct nothing
  {};
  return detail::submit<void(error_code, std::size_t)>(
      in, nothing(),
      [=, from = in.native_handle(), to = out.native_handle()](io_uring_sqe& sqe) {
        io_uring_prep_tee(&sqe, from, to, size, flags);
      },
      detail::finish_with_size_or_eof(), "async_tee", std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_FILE_SYSTEM_SPLICE_HPP
