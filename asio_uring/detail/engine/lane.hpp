// asio_uring/detail/engine/lane.hpp: operations of a file that are performed one after the other.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_LANE_HPP
#define ASIO_URING_DETAIL_ENGINE_LANE_HPP

#include <asio_uring/detail/engine/operation.hpp>

namespace asio_uring::detail {

/// In the order in which they were started.
struct operation_list
{
  operation* first = nullptr;
  operation* last = nullptr;
};

/// Only the first is active: in the kernel, or waiting for the lane's poll, or performed by the loop.
/**
 * The request is that poll, for the readiness path: one shot for a write that found no room, and for the
 * first read, so that a connection with one request ends without anything to cancel; standing for the reads
 * that follow, and after one shot in vain. For the kernel reports what nobody asked for, that the peer has
 * half-closed, or a message in the error queue, and would do so at once again; a standing poll tells each
 * change once.
 */
class lane : public request, public operation_list
{
public:
  explicit lane(const request::type& poll) noexcept : request(poll) {}
  /// Of a file that is opened.
  void open(bool is_ready, bool is_eager) noexcept
  {
    busy = in_vain = poll_stands = false;
    ready = is_ready;
    eager = is_eager;
  }

  bool busy = false;  // a call is being made right now
  bool ready = false; // a plain call is likely to succeed
  bool eager = false; // a short transfer does not mean "empty": an end or an error is pending, or short reads
                      // never mean it
  bool in_vain = false; // a one-shot poll has ended and nothing has been transferred since

  bool poll_stands = false;
  bool poll_armed = false;
  bool poll_cancelled = false;
};

/// Each lane of a file is a base of its state: so the poll finds that without an address of it.
template <lane_kind Kind>
class lane_of_file : public lane
{
protected:
  using lane::lane;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_LANE_HPP
