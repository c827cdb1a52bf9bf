// asio_uring/misuse.hpp: the errors of entries and chains that the library refuses to submit.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_MISUSE_HPP
#define ASIO_URING_MISUSE_HPP

#include <algorithm>
#include <asio_uring/config.hpp>
#include <cerrno>
#include <cstddef>
#include <string>

namespace asio_uring {
namespace detail {

/// What is wrong with an entry, or a chain of entries.
enum class misuse
{
  none, // so that no misuse is 0, which would be success
  no_operation,
  too_many,
  offset,
  linked,
  drains,
  no_completion,
  multishot,
  link_timeout,
  kinds
};

// Results below the kernel's smallest, -4095, are misuses.
inline constexpr int first_misuse = 4096;

/// Returns the misuse as an operation's result. `number` counts the operations of a chain from 1; 0 means
/// that there is no chain. For too_many it is the length of the chain.
constexpr int result_of(misuse what, std::size_t number = 0) noexcept
{
  constexpr std::size_t most = 1 << 24;
  return -first_misuse - static_cast<int>(what) -
         static_cast<int>(std::min(number, most)) * static_cast<int>(misuse::kinds);
}
/// Returns the result as the kernel would give it: -EINVAL for a misuse.
constexpr int kernel_result(int result) noexcept { return result <= -first_misuse ? -EINVAL : result; }

class category_of_misuse final : public error_category
{
public:
  using error_category::message;
  const char* name() const noexcept override { return "asio_uring"; }
  std::string message(int value) const override
  {
    const int number = value / static_cast<int>(misuse::kinds);
    const misuse what{value % static_cast<int>(misuse::kinds)};
    if (what == misuse::too_many)
      return "a chain of " + std::to_string(number) + " operations, more than the ring has entries: raise " +
             "options.entries or ASIO_URING_ENTRIES, or divide the chain";
    return (number ? "operation " + std::to_string(number) + " of the chain: " : "") + text(what);
  }
  error_condition default_error_condition(int) const noexcept override
  {
    return error_condition(EINVAL, generic_category());
  }

private:
  static const char* text(misuse what) noexcept
  {
    switch (what) {
    case misuse::no_operation:
      return "a chain without an operation: add one; async_run() has emptied a chain that was run before";
    case misuse::offset:
      return "an offset beyond 2^63 - 1, which no file has";
    case misuse::linked:
      return "IOSQE_IO_LINK or IOSQE_IO_HARDLINK would bind a stranger: leave the flag out; "
             "asio_uring::chain() links its operations by itself";
    case misuse::drains:
      return "IOSQE_IO_DRAIN would wait for every poll of an idle socket: leave the flag out; "
             "asio_uring::chain().drain() waits for what was started before";
    case misuse::no_completion:
      return "IOSQE_CQE_SKIP_SUCCESS would never tell of a success: leave the flag out";
    case misuse::multishot:
      return "a multishot operation completes more than once: leave the flag out, or use "
             "asio_uring::accept_stream, receive_stream, datagram_stream or poll_stream";
    case misuse::link_timeout:
      return "IORING_OP_LINK_TIMEOUT is bound to another operation: give that one the token "
             "asio_uring::within()";
    default:
      return "unknown";
    }
  }
};

} // namespace detail

/// Returns the category of the errors of entries and chains that async_submit() and chain() refuse to submit.
/**
 * Its codes equal errc::invalid_argument. The message says which operation of a chain it is, and what to do.
 * Thread safety: may be called by any thread.
 */
inline const error_category& misuse_category() noexcept
{
  static const detail::category_of_misuse category;
  return category;
}

} // namespace asio_uring

#endif // ASIO_URING_MISUSE_HPP
