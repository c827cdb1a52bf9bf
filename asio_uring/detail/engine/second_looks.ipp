// asio_uring/detail/engine/second_looks.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_IPP
#define ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_IPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <poll.h>
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

// One round. Those that are raised meanwhile are the next round's.
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

// --- a descriptor's part

bool file_state::raise_doubt() noexcept
{
  return std::exchange(doubt_, doubt::raised) == doubt::none && service_.doubts().raise(*this);
}

// One round. False: there is no doubt any more.
ASIO_URING_DECL bool file_state::doubted(completion_queue& out) noexcept
{
  section s(*this);
  const doubt before = std::exchange(doubt_, doubt::none);
  if (closed_) return false;
  if (before == doubt::raised) {
    doubt_ = doubt::silent;
    return true;
  }
  if (read_poll_.armed_) look(s);
  go_on(s, out);
  s.submitted = false; // the turn of the ring that brought us here goes on
  return false;
}

// Asks the kernel whether there is something to read that no edge has told of.
void file_state::look(section& s) noexcept
{
  lane& l = lane_of(lane_kind::in);
  if (l.ready || l.busy || (l.first && l.first->stage_ != operation::stage::waiting)) return;
  looking_ = true; // the number must not be reused meanwhile
  s.unlock();
  pollfd p{fd_, POLLIN, 0};
  const bool readable = ::poll(&p, 1, 0) != 0;
  s.relock();
  looking_ = false;
  if (readable) l.ready = true; // whoever reads next finds it
}

// Without multishot poll, what was woken in vain has waited for this moment.
void file_state::go_on(section& s, completion_queue& out) noexcept
{
  for (poll* p : {&read_poll_, &write_poll_}) {
    if (p->lane_.in_vain && !p->armed_) p->lane_.ready = true;
    if (runnable(p->lane_)) enqueue(*p->lane_.first, out);
  }
  for_each([&](operation& op) {
    if (!op.stands() || op.stage_ != operation::stage::waiting) return;
    op.polling_ = operation::polling::once;
    submit(op, s);
  });
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_IPP
