// asio_uring/detail/engine/second_looks.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_IPP
#define ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_IPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <utility>

namespace asio_uring::detail {

ASIO_URING_DECL const request::type& doubts::functions() noexcept
{
  static constexpr request::type type = {
      [](request&, io_uring_sqe& sqe) noexcept {
        io_uring_prep_timeout(&sqe, const_cast<__kernel_timespec*>(&interval_), 0, 0);
      },
      [](request& r, int, unsigned, completion_queue& out) noexcept { static_cast<doubts&>(r).look(out); }};
  return type;
}

ASIO_URING_DECL bool doubts::raise(file_state& d) noexcept
{
  const locked guard(lock_);
  d.next_in_doubt_ = std::exchange(first_, &d);
  if (std::exchange(armed_, true)) return false;
  service_.push(*this);
  return true;
}

// Makes one round. Those that are raised meanwhile belong to the next.
ASIO_URING_DECL void doubts::look(completion_queue& out) noexcept
{
  locked guard(lock_);
  file_state* round = std::exchange(first_, nullptr);
  guard.unlock();
  file_state* left = nullptr;
  file_state** end = &left;
  while (round && !service_.stopped()) {
    file_state& d = *std::exchange(round, round->next_in_doubt_);
    if (!d.doubted(out)) continue;
    *end = &d;
    end = &d.next_in_doubt_;
  }
  guard.relock();
  *end = first_;
  first_ = left;
  armed_ = first_ != nullptr && !service_.stopped();
  if (armed_) service_.push(*this);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_IPP
