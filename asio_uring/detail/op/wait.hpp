// asio_uring/detail/op/wait.hpp: description of waits for readiness.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_WAIT_HPP
#define ASIO_URING_DETAIL_OP_WAIT_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include ASIO_URING_ASIO(socket_base.hpp)
#include <cerrno>
#include <poll.h>
#include <type_traits>

namespace asio_uring::detail {

// Asio 1.38 deprecates null_buffers but still passes them on. They are named only here.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
/// Whether the buffers ask for a wait instead of a transfer.
template <typename Buffers>
concept no_buffers = std::is_same_v<Buffers, asio::null_buffers>;
#pragma GCC diagnostic pop

/// async_wait. `Extra` are further arguments of the handler: a count of zero for null_buffers.
template <typename... Extra>
class wait_op
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr preference preferred = preference::by_completion;
  static constexpr bool polls = true;

  explicit wait_op(asio::socket_base::wait_type what) noexcept
      : what_(what == asio::socket_base::wait_read || what == asio::socket_base::wait_write ||
                      what == asio::socket_base::wait_error
                  ? static_cast<unsigned char>(what)
                  : invalid)
  {}

  bool valid() const noexcept { return what_ != invalid; }
  void prepare(io_uring_sqe& sqe, int fd) { io_uring_prep_poll_add(&sqe, fd, events()); }
  int perform(int) { return -EAGAIN; }
  bool more(int) const noexcept { return false; }

  /// Waits again after an event that was not asked for. An error or a hang-up ends every wait; POLLRDHUP,
  /// which the kernel reports unasked as well, ends none.
  bool retry(int fd, int result) const noexcept
  {
    if (result < 0 || result & (POLLERR | POLLHUP)) return false;
    return what_ == asio::socket_base::wait_error ? !is_urgent(fd) : !(result & static_cast<int>(events()));
  }

  std::tuple<error_code, Extra...> arguments(int result) const { return {error_of(result), Extra{}...}; }

private:
  /// The kernel does not wake a poll for POLLPRI alone, and reports POLLRDBAND and POLLPRI with every
  /// arrival: so we wait for both, then check.
  static constexpr unsigned urgent = POLLPRI | POLLRDBAND;
  static bool is_urgent(int fd) noexcept
  {
    pollfd p{fd, POLLPRI, 0};
    return ::poll(&p, 1, 0) != 0;
  }

  unsigned events() const noexcept
  {
    switch (what_) {
    case asio::socket_base::wait_read:
      return POLLIN;
    case asio::socket_base::wait_write:
      return POLLOUT;
    case asio::socket_base::wait_error:
      return urgent | POLLERR;
    default:
      return 0;
    }
  }

  static constexpr unsigned char invalid = 255;

  unsigned char what_; // one byte, for which the operation has room
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_WAIT_HPP
