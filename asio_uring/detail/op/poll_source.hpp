// asio_uring/detail/op/poll_source.hpp: reports what a descriptor is ready for whenever that changes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_POLL_SOURCE_HPP
#define ASIO_URING_DETAIL_OP_POLL_SOURCE_HPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/handler_operation.hpp>
#include <tuple>
#include <utility>

namespace asio_uring::detail {

/// A multishot poll. Events that have not been taken yet are merged.
class poll_source final : public source
{
public:
  poll_source(file_state& file, short events) noexcept : source(file), wanted_(events) {}

  int take() noexcept { return has_result() ? std::exchange(events_, 0) : take_end(); }

private:
  void describe(io_uring_sqe& sqe, int fd) noexcept override
  {
    io_uring_prep_poll_add(&sqe, fd, static_cast<unsigned short>(wanted_));
    stands_ = file().service().features().multishot_poll();
    if (stands_) sqe.len = IORING_POLL_ADD_MULTI;
  }
  outcome receive(int result, unsigned) noexcept override
  {
    if (result < 0) return outcome::end;
    events_ |= result;
    return outcome::result;
  }
  bool has_result() const noexcept override { return events_ != 0; }
  /// A single poll that is armed again would report the same events at once.
  bool full(bool) const noexcept override { return !stands_ && has_result(); }

  const short wanted_;
  int events_ = 0;
  bool stands_ = true;
};

class next_events_op
{
public:
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::by_completion;
  static constexpr bool from_source = true;

  int take_ahead(source& from) noexcept { return static_cast<poll_source&>(from).take(); }
  std::tuple<error_code, int> arguments(int result) const noexcept
  {
    return {error_of(result), result < 0 ? 0 : result};
  }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_POLL_SOURCE_HPP
