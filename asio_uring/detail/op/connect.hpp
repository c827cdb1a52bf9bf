// asio_uring/detail/op/connect.hpp: description of the connect operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_CONNECT_HPP
#define ASIO_URING_DETAIL_OP_CONNECT_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/op/kept_address.hpp>
#include <cerrno>

namespace asio_uring::detail {

/// async_connect.
template <typename Endpoint>
class connect_op
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr preference preferred = preference::by_completion;
  static constexpr bool connects = true;

  explicit connect_op(const Endpoint& peer) : peer_(peer.data(), peer.size()) {}

  void prepare(io_uring_sqe& sqe, int fd) { io_uring_prep_connect(&sqe, fd, peer_.data(), peer_.size()); }
  int perform(int) { return -EAGAIN; }
  bool more(int) const noexcept { return false; }
  std::tuple<error_code> arguments(int result) const { return {error_of(result)}; }

private:
  kept_address peer_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_CONNECT_HPP
