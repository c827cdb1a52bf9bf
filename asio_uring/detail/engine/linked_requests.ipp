// asio_uring/detail/engine/linked_requests.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_LINKED_REQUESTS_IPP
#define ASIO_URING_DETAIL_ENGINE_LINKED_REQUESTS_IPP

#include <algorithm>
#include <asio_uring/detail/engine/linked_requests.hpp>
#include <asio_uring/detail/engine/submitter.hpp>
#include <asio_uring/ring/futex_wait.hpp>

namespace asio_uring::detail {

ASIO_URING_DECL const request::type& linked_requests::member::functions() noexcept
{
  static constexpr request::type type = {
      [](request& r, io_uring_sqe& sqe) noexcept {
        sqe = static_cast<member&>(r).entry.get();
        make_futex_table_for(sqe);
      },
      [](request& r, int outcome, unsigned flags, completion_queue& out) noexcept {
        auto& self = static_cast<member&>(r);
        // A zero-copy send has a result, and later a notification that its buffer is free.
        if (!(flags & IORING_CQE_F_NOTIF)) self.result = outcome;
        if (flags & IORING_CQE_F_MORE) return;
        linked_requests& chain = *self.all;
        if (chain.submitter_->ended(chain, r, outcome)) chain.owner_->completed(0, 0, out);
      }};
  return type;
}

ASIO_URING_DECL const request::type& linked_requests::cancel_request::functions() noexcept
{
  static constexpr request::type type = {
      [](request& r, io_uring_sqe& sqe) noexcept {
        static constexpr __kernel_timespec pause{0, 1'000'000};
        linked_requests& chain = static_cast<cancel_request&>(r).all;
        if (chain.pausing_) return io_uring_prep_timeout(&sqe, const_cast<__kernel_timespec*>(&pause), 0, 0);
        const auto first = chain.members_.get(), last = first + chain.size_ - 1;
        chain.target_ = std::find_if(first, last, [](const member& m) { return !m.ended; });
        io_uring_prep_cancel(&sqe, chain.target_, 0);
      },
      [](request& r, int result, unsigned, completion_queue& out) noexcept {
        linked_requests& chain = static_cast<cancel_request&>(r).all;
        if (chain.submitter_->ended(chain, r, result)) chain.owner_->completed(0, 0, out);
      }};
  return type;
}

ASIO_URING_DECL void linked_requests::give_up(completion_queue& out) noexcept
{
  for (unsigned i = first_; i < size_; ++i)
    if (!members_[i].ended) members_[i].completed(-ECANCELED, 0, out);
  if (cancelling_ && !submitter_->waits(canceller_)) canceller_.completed(-ECANCELED, 0, out);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_LINKED_REQUESTS_IPP
