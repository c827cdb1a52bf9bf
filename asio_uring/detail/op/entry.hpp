// asio_uring/detail/op/entry.hpp: an operation made from a filled entry and the payload that it points to.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_ENTRY_HPP
#define ASIO_URING_DETAIL_OP_ENTRY_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/engine/late_numbers.hpp>
#include <asio_uring/detail/op/call_in_thread.hpp>
#include <asio_uring/ring/futex_wait.hpp>
#include <asio_uring/ring/kept_entry.hpp>
#include <asio_uring/ring/opcodes.hpp>
#include <concepts>

namespace asio_uring::detail {

inline bool is_multishot(const io_uring_sqe& sqe) noexcept
{
  switch (sqe.opcode) {
  case IORING_OP_POLL_ADD:
    return sqe.len & IORING_POLL_ADD_MULTI;
  case IORING_OP_ACCEPT:
    return sqe.ioprio & IORING_ACCEPT_MULTISHOT;
  case IORING_OP_RECV:
  case IORING_OP_RECVMSG:
    return sqe.ioprio & IORING_RECV_MULTISHOT;
  case IORING_OP_TIMEOUT:
    return sqe.timeout_flags & (1U << 6); // IORING_TIMEOUT_MULTISHOT, 6.4
  case IORING_OP_URING_CMD:
    return sqe.rw_flags & (1 << 1); // IORING_URING_CMD_MULTISHOT, 6.18
  case opcode::read_multishot:
  case opcode::recv_zc:
    return true;
  default:
    return false;
  }
}

/// Returns why no handler can stand for the entry, which has several results, none, or a link to its
/// neighbours in the queue; or nothing.
inline std::optional<misuse> misuse_of(const io_uring_sqe& sqe) noexcept
{
  if (sqe.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)) return misuse::linked;
  if (sqe.flags & IOSQE_IO_DRAIN) return misuse::drains;
  if (sqe.flags & IOSQE_CQE_SKIP_SUCCESS) return misuse::no_completion;
  if (sqe.opcode == IORING_OP_LINK_TIMEOUT) return misuse::link_timeout;
  if (is_multishot(sqe)) return misuse::multishot;
  return std::nullopt;
}

/// Returns the error of an entry that must not be submitted, or nothing. `number`: of the operation in its
/// chain, if it is in one.
inline std::optional<int> refused(const io_uring_sqe& sqe, const ring& r, std::size_t number = 0) noexcept
{
  if (const auto what = misuse_of(sqe)) return result_of(*what, number);
  if (!r.features().opcode(sqe.opcode)) return -EOPNOTSUPP;
  return std::nullopt;
}

/// An operation that submits one entry. The initiating thread fills the entry when it makes the operation:
/// what prepare throws comes out of the initiating function. `Finish` says what the result means.
/**
 * Finish: `auto arguments(int result, Payload&)` returns the handler's arguments. If there is no handler any
 * more, they are destroyed, or `void discard(int result)` is called instead if there is one. `static
 * constexpr bool resubmits`: whether an entry is submitted again if the kernel gave it up because the thread
 * that submitted it exited.
 */
template <typename Payload, typename Finish>
class submission
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr preference preferred = preference::always_submitted;

  template <typename Prepare>
  submission(Payload&& payload, Prepare&& prepare, Finish finish)
      : finish_(std::move(finish)), payload_(std::move(payload))
  {
    if constexpr (std::invocable<Prepare&, io_uring_sqe&, Payload&>)
      prepare(entry_.get(), payload_);
    else
      prepare(entry_.get());
  }
  submission(const submission&) = delete;
  submission& operator=(const submission&) = delete;

  std::optional<int> refused(const ring& r) const noexcept { return detail::refused(entry_.get(), r); }

  /// Has a thread make the call if the kernel lacks the opcode. Returns 0 or a negative errno.
  int call_instead(ring_service& service)
  {
    io_uring_sqe& entry = entry_.get();
    if (service.stopped()) return -ECANCELED;
    if (!calls_in_threads::possible(entry)) return -EOPNOTSUPP;
    // The thread looks up the file only when it makes the call.
    if (!(entry.flags & IOSQE_ASYNC) && names_descriptor(entry) && !service.numbers().try_add(entry.fd))
      return -ENOMEM;
    entry.flags |= IOSQE_ASYNC;
    return asio::use_service<calls_in_threads>(service.context()).start(entry, call_);
  }
  call_in_thread* call() const noexcept { return call_.get(); }

  void prepare(io_uring_sqe& sqe, int) noexcept
  {
    if (call_) [[unlikely]]
      io_uring_prep_poll_add(&sqe, call_->fd(), POLLIN);
    else {
      sqe = entry_.get();
      make_futex_table_for(sqe);
    }
  }
  template <typename F>
  void for_each_late_number(F&& f) const
  {
    detail::for_each_late_number(entry_.get(), false, f);
  }
  int perform(int) const noexcept { return -EAGAIN; }
  bool more(int) const noexcept { return false; }

  /// A zero-copy send completes with its result, and later with a notification that its buffer is free, which
  /// ends it.
  std::optional<int> completed(int result, unsigned flags) noexcept requires(!Finish::resubmits)
  {
    const bool last = !(flags & IORING_CQE_F_MORE);
    if (!(flags & IORING_CQE_F_NOTIF)) {
      result_ = result;
      if constexpr (requires { payload_.completed(result, flags); }) payload_.completed(result, flags);
    }
    return last ? std::optional(result_) : std::nullopt;
  }

  auto arguments(int result) { return finish_.arguments(result, payload_); }
  void discard(int result)
  {
    if constexpr (requires { finish_.discard(result); })
      finish_.discard(result);
    else
      finish_.arguments(result, payload_);
  }

private:
  [[no_unique_address]] Finish finish_;
  Payload payload_;
  kept_entry entry_;
  int result_ = 0;
  call_pointer call_; // destroyed first: it uses the others
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_ENTRY_HPP
