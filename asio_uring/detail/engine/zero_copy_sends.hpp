// asio_uring/detail/engine/zero_copy_sends.hpp: sends whose memory the kernel uses until a notification.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_ZERO_COPY_SENDS_HPP
#define ASIO_URING_DETAIL_ENGINE_ZERO_COPY_SENDS_HPP

#include <asio_uring/detail/engine/operation.hpp>
#include <cstddef>

namespace asio_uring::detail {

/// What a file state does for zero-copy sends.
/**
 * The kernel completes such a send twice: with its result, and with a notification when it is done with the
 * memory. That may be as late as the peer's acknowledgement. With the result the next operation has its turn.
 * The record then leaves the lane and waits aside, among the operations without an order, for the last
 * notification; a send that is performed in parts has one for each. A record that waits for room while its
 * earlier parts are in flight, and is given up, waits aside as well.
 *
 * A result with IORING_CQE_F_MORE, even an error, says that a notification follows.
 */
class zero_copy_sends
{
public:
  /// Whether a send of this size that begins now should be a zero-copy send.
  ASIO_URING_DECL static bool wanted(file_state& file, std::size_t size) noexcept;
  /// Makes a send's entry a zero-copy send, if the socket and the ring support that.
  ASIO_URING_DECL static void prepare(const file_state& file, io_uring_sqe& sqe) noexcept;
  /// Whether this error says that the socket does not support them. True only once.
  ASIO_URING_DECL static bool refused(file_state& file, int result) noexcept;
  /// Whether this error says that there is no memory for it. If so, the next sends are ordinary ones.
  ASIO_URING_DECL static bool exhausted(file_state& file, int result) noexcept;

  /// Implements request::type::completed.
  ASIO_URING_DECL static void completed(request& r, int result, unsigned flags,
                                        completion_queue& out) noexcept;

  /// Moves an operation that has its result out of its lane. Under the lock.
  ASIO_URING_DECL static void set_aside(file_state& file, operation& op, int result) noexcept;

  /// Ends what waits for notifications of rings that deliver nothing any more.
  ASIO_URING_DECL static void forget(file_state& file, completion_queue& out) noexcept;
  /// Called at the end of the context: makes the kernel drop what the peer does not take.
  ASIO_URING_DECL static void abort_connection(file_state& file) noexcept;

private:
  ASIO_URING_DECL static void will_notify(file_state& file, operation& op, int result) noexcept;
  ASIO_URING_DECL static bool notified(file_state& file, operation& op, int usage) noexcept;
  ASIO_URING_DECL static bool stands_aside(file_state& file, operation& op, int result) noexcept;
  /// Whether it waits for nothing but notifications.
  static bool is_over(const operation& op) noexcept
  {
    return op.stage_ == operation::stage::submitted && !op.pending();
  }
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/file_state.hpp> // and then the functions
#endif

#endif // ASIO_URING_DETAIL_ENGINE_ZERO_COPY_SENDS_HPP
