// asio_uring/detail/engine/zero_copy_sends.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_ZERO_COPY_SENDS_IPP
#define ASIO_URING_DETAIL_ENGINE_ZERO_COPY_SENDS_IPP

#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/detail/engine/zero_copy_sends.hpp>
#include <cerrno>
#include <sys/socket.h>

namespace asio_uring::detail {

ASIO_URING_DECL bool zero_copy_sends::wanted(file_state& file, std::size_t size) noexcept
{
  ring_service& service = file.service_;
  if (size == 0 || size < service.get_options().zero_copy_threshold || !service.features().zero_copy() ||
      service.paths().path_for(preference::by_completion) != path::completion)
    return false;
  const locked guard(file.lock_);
  return !file.sends_by_calls_ && !file.borrowed_ && file.zero_copy_.wanted();
}

ASIO_URING_DECL void zero_copy_sends::prepare(const file_state& file, io_uring_sqe& sqe) noexcept
{
  // The ring may have been replaced since wanted().
  if (!file.zero_copy_.possible() || !file.service_.features().zero_copy()) return;
  sqe.opcode = sqe.opcode == IORING_OP_SEND ? IORING_OP_SEND_ZC : IORING_OP_SENDMSG_ZC;
  sqe.ioprio = IORING_SEND_ZC_REPORT_USAGE;
}

ASIO_URING_DECL bool zero_copy_sends::refused(file_state& file, int result) noexcept
{
  return result == -EOPNOTSUPP && file.zero_copy_.refuse();
}

ASIO_URING_DECL bool zero_copy_sends::exhausted(file_state& file, int result) noexcept
{
  if (result != -ENOMEM && result != -ENOBUFS) return false;
  const locked guard(file.lock_);
  file.zero_copy_.pause();
  return true;
}

ASIO_URING_DECL void zero_copy_sends::completed(request& r, int result, unsigned flags,
                                                completion_queue& out) noexcept
{
  auto& op = static_cast<operation&>(r);
  file_state& file = *op.home_;
  if (flags & IORING_CQE_F_NOTIF) {
    if (notified(file, op, result)) operation::deliver(op, op.result(), out);
    return;
  }
  if (flags & IORING_CQE_F_MORE) will_notify(file, op, result);
  const bool retry = result == -EINTR || op.get_type().retry(op, result);
  if ((retry || result < 0) && file.again(op, result, retry, out)) return;
  if (!stands_aside(file, op, result)) operation::deliver(op, result, out);
}

void zero_copy_sends::will_notify(file_state& file, operation& op, int result) noexcept
{
  const locked guard(file.lock_);
  ++op.notifications_;
  file.zero_copy_.will_notify(result > 0);
  file.service_.counts().promised.count();
  if (result > 0) file.service_.counts().zero_copy.add(1);
}

/// True if it was the last one for which the operation waited.
bool zero_copy_sends::notified(file_state& file, operation& op, int usage) noexcept
{
  const locked guard(file.lock_);
  const bool copied = static_cast<unsigned>(usage) & IORING_NOTIF_USAGE_ZC_COPIED;
  if (file.zero_copy_.notified(copied)) file.service_.counts().copied.add(1);
  file.service_.counts().notified.count();
  return --op.notifications_ == 0 && is_over(op);
}

/// Sets the operation aside. False if it has no notification to wait for.
bool zero_copy_sends::stands_aside(file_state& file, operation& op, int result) noexcept
{
  file_state::section s(file);
  if (op.notifications_ == 0) return false;
  set_aside(file, op, result);
  if (file.closed_)
    file.give_back_cancelled(lane_kind::out, s);
  else
    file.advance(lane_kind::out, s);
  file.submit_drained(s);
  s.submitted = false; // whoever collects submits afterwards
  return true;
}

ASIO_URING_DECL void zero_copy_sends::set_aside(file_state& file, operation& op, int result) noexcept
{
  file.unlink(op, file.out());
  op.aside_ = true;
  op.stage_ = operation::stage::submitted;
  op.set_result(result);
  file.link(op, file.unordered_);
}

ASIO_URING_DECL void zero_copy_sends::forget(file_state& file, completion_queue& out) noexcept
{
  const locked guard(file.lock_);
  if (file.references_ == 0) return; // not in use: a file state is reused
  file.zero_copy_.forget_outstanding();
  file.for_each([&](operation& op) {
    if (op.notifications_ == 0) return;
    op.notifications_ = 0;
    if (is_over(op)) operation::deliver(op, op.result(), out);
  });
}

ASIO_URING_DECL void zero_copy_sends::abort_connection(file_state& file) noexcept
{
  const locked guard(file.lock_);
  if (file.references_ == 0 || file.closed_ || file.zero_copy_.outstanding() == 0) return;
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  (void)::connect(file.fd_, &nobody, sizeof(nobody));
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_ZERO_COPY_SENDS_IPP
