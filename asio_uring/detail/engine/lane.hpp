// asio_uring/detail/engine/lane.hpp: operations of a file that are performed one after the other.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_LANE_HPP
#define ASIO_URING_DETAIL_ENGINE_LANE_HPP

#include <asio_uring/detail/engine/operation.hpp>

namespace asio_uring::detail {

/// Only the first is active: in the kernel, or waiting for the lane's poll, or performed by the loop.
struct lane
{
  operation* first = nullptr;
  operation* last = nullptr;
  bool busy = false;  // a call is being made right now
  bool ready = false; // a plain call is likely to succeed
  bool eager = false; // a short transfer does not mean "empty": an end or an error is pending, or short reads
                      // never mean it
  bool in_vain = false; // a one-shot poll has ended and nothing has been transferred since
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_LANE_HPP
