// asio_uring/detail/engine/lane_poll.hpp: what a lane waits for on the readiness path.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_LANE_POLL_HPP
#define ASIO_URING_DETAIL_ENGINE_LANE_POLL_HPP

#include <asio_uring/detail/engine/lane.hpp>

namespace asio_uring::detail {

/// The poll of a lane: one shot for a write that found no room, and for the first read, so that a
/// connection with one request ends without anything to cancel; standing for the reads that follow, and
/// after one shot in vain. For the kernel reports what nobody asked for, that the peer has half-closed, or
/// a message in the error queue, and would do so at once again; a standing poll tells each change once.
class lane_poll final : public request
{
public:
  ASIO_URING_DECL lane_poll(file_state& d, lane& l, unsigned events) noexcept;

private:
  friend class file_state;
  ASIO_URING_DECL static const request::type& functions() noexcept;
  file_state& file_;
  lane& lane_;
  const int events_;
  bool standing_ = false;
  bool armed_ = false;
  bool cancelled_ = false;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_LANE_POLL_HPP
