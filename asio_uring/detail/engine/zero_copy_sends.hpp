// asio_uring/detail/engine/zero_copy_sends.hpp: sends whose memory the kernel uses until it tells.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_ZERO_COPY_SENDS_HPP
#define ASIO_URING_DETAIL_ENGINE_ZERO_COPY_SENDS_HPP

#include <asio_uring/detail/engine/operation.hpp>
#include <cstddef>

namespace asio_uring::detail {

/// What a file state does for them.
/**
 * The kernel completes such a send once with its result, and again, with a notification, when it is done with
 * the memory: that may be as late as the peer's acknowledgement. With the result the next operation has its
 * turn. The record has left the lane by then and stands aside, among those of no order, until the last
 * notification: one that is performed in parts has one for each. A record that waits for room, with parts on
 * the way, and is given up, stands aside in the same manner.
 *
 * A result with IORING_CQE_F_MORE says that a notification follows, errors included.
 */
class zero_copy_sends
{
public:
  /// Whether a send of so many bytes, which begins now, is to be one.
  ASIO_URING_DECL static bool wanted(file_state& file, std::size_t size) noexcept;
  /// Makes one of a send's entry, if the socket and the ring have such.
  ASIO_URING_DECL static void prepare(const file_state& file, io_uring_sqe& sqe) noexcept;
  /// Whether this error means that the socket has none. Once.
  ASIO_URING_DECL static bool refused(file_state& file, int result) noexcept;
  /// Whether this error means that there is no memory to be had for it: the next sends are ordinary ones.
  ASIO_URING_DECL static bool exhausted(file_state& file, int result) noexcept;

  /// request::type::completed.
  ASIO_URING_DECL static void completed(request& r, int result, unsigned flags,
                                        completion_queue& out) noexcept;

  /// Its result is there, and it is in its lane no longer. Under the lock.
  ASIO_URING_DECL static void set_aside(file_state& file, operation& op, int result) noexcept;

  /// Of rings that bring nothing any more: those that were waited for end.
  ASIO_URING_DECL static void forget(file_state& file, completion_queue& out) noexcept;
  /// At the end of the context: has the kernel give up what the peer does not take.
  ASIO_URING_DECL static void abort_connection(file_state& file) noexcept;

private:
  ASIO_URING_DECL static void will_notify(file_state& file, operation& op, int result) noexcept;
  ASIO_URING_DECL static bool notified(file_state& file, operation& op, int usage) noexcept;
  ASIO_URING_DECL static bool stands_aside(file_state& file, operation& op, int result) noexcept;
  /// Nothing is left of it but notifications.
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
