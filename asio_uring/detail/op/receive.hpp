// asio_uring/detail/op/receive.hpp: descriptions of the receive operations.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_RECEIVE_HPP
#define ASIO_URING_DETAIL_OP_RECEIVE_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/detail/op/buffers.hpp>
#include <asio_uring/detail/op/wait.hpp>
#include ASIO_URING_ASIO(error.hpp)
#include ASIO_URING_ASIO(socket_base.hpp)
#include <cerrno>
#include <poll.h>

namespace asio_uring::detail {

/// Removes MSG_WAITALL: it has no effect on a call that does not block, as Asio's reactor makes it, but the
/// ring would wait.
inline int submitted_flags(int flags) noexcept { return flags & ~MSG_WAITALL; }

/// Receives into buffers: async_receive, async_read_some.
template <typename Buffers>
class receive_op
{
public:
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::reading;

  receive_op(const Buffers& buffers, int flags, socket_ops::state_type state)
      : buffers_(buffers), flags_(flags), state_(state)
  {}

  void prepare(io_uring_sqe& sqe, int fd) requires borrowed_buffers<asio::mutable_buffer, Buffers>::single
  {
    io_uring_prep_recv(&sqe, fd, buffers_.first().data(), kernel_size(buffers_.first().size()),
                       submitted_flags(flags_));
  }
  void prepare(io_uring_sqe& sqe, int fd,
               submitted_message& message) requires(!borrowed_buffers<asio::mutable_buffer, Buffers>::single)
  {
    buffers_.with_message([&](msghdr& m) {
      io_uring_prep_recvmsg(&sqe, fd, &message.set(m), static_cast<unsigned>(submitted_flags(flags_)));
    });
  }

  [[gnu::always_inline]] int perform(int fd)
  {
    return uninterrupted([&] { return call(fd); });
  }
  [[gnu::always_inline]] int perform(file_state& d)
  {
    return state_ & socket_ops::datagram_oriented ? receive_datagram(d) : perform(d.fd());
  }

  /// A receive that does not fill the buffers has emptied the socket, unless flags select other data or leave
  /// it there.
  bool more(int result) const noexcept
  {
    return result <= 0 || flags_ != 0 || static_cast<std::size_t>(result) == buffers_.total();
  }

  /// Keeps for the next read what a stream read took although it was cancelled.
  bool keep(int result, kept_bytes& bytes)
  {
    if (!stream()) return false;
    if (flags_ & MSG_PEEK) return true; // they never left the socket
    return buffers_.keep(static_cast<std::size_t>(result), bytes);
  }

  int take(kept_bytes& bytes) { return buffers_.take(bytes, flags_ & MSG_PEEK); }

  [[gnu::always_inline]] std::tuple<error_code, std::size_t> arguments(int result) const
  {
    if (result > 0) return {error_code(), static_cast<std::size_t>(result)};
    if (result == 0 && stream() && !borrowed::all_empty(buffers_.sequence())) return {asio::error::eof, 0};
    return {error_of(result), 0};
  }

private:
  using borrowed = counted_buffers<asio::mutable_buffer, Buffers>;

  bool stream() const noexcept { return state_ & socket_ops::stream_oriented; }
  [[gnu::noinline]] int receive_datagram(file_state& d)
  {
    return buffers_.with_message([&](msghdr& message) { return d.receive_datagram(message, flags_); });
  }
  ssize_t call(int fd)
  {
    if constexpr (borrowed::single)
      return ::recv(fd, buffers_.first().data(), buffers_.first().size(), flags_ | MSG_DONTWAIT);
    else
      return buffers_.with_message(
          [&](msghdr& message) { return ::recvmsg(fd, &message, flags_ | MSG_DONTWAIT); });
  }

  [[no_unique_address]] borrowed buffers_;
  int flags_;
  socket_ops::state_type state_;
};

/// async_receive with message_out_of_band: waits for urgent data, then takes it.
template <typename Buffers>
class receive_urgent_op
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr preference preferred = preference::by_completion;
  static constexpr bool polls = true;

  receive_urgent_op(const Buffers& buffers, int flags, socket_ops::state_type state)
      : receive_(buffers, flags, state)
  {}

  void prepare(io_uring_sqe& sqe, int fd) { wait_op<>(asio::socket_base::wait_error).prepare(sqe, fd); }
  int perform(int) { return -EAGAIN; }
  bool more(int) const noexcept { return false; }
  bool retry(int fd, int result) const noexcept
  {
    return wait_op<>(asio::socket_base::wait_error).retry(fd, result);
  }
  int finish(int fd, int result)
  {
    if (result < 0) return result;
    return fd < 0 ? -ECANCELED : receive_.perform(fd);
  }
  auto arguments(int result) const { return receive_.arguments(result); }

private:
  [[no_unique_address]] receive_op<Buffers> receive_;
};

/// Receives a message and further information about it. `Detail` asks for that in the header, reads it back
/// and reports it to the program.
template <typename Buffers, typename Detail>
class receive_message_op
{
public:
  static constexpr lane_kind lane = lane_kind::in;
  static constexpr preference preferred = preference::reading;

  receive_message_op(const Buffers& buffers, int flags, const Detail& detail)
      : buffers_(buffers), detail_(detail), flags_(flags)
  {}

  void prepare(io_uring_sqe& sqe, int fd, submitted_message& message)
  {
    buffers_.with_message([&](msghdr& m) {
      msghdr& asked = message.set(m);
      detail_.ask(asked);
      io_uring_prep_recvmsg(&sqe, fd, &asked, static_cast<unsigned>(submitted_flags(flags_)));
    });
  }
  void read_back(const msghdr& message) { detail_.read_back(message); }
  void report(int result) const
  {
    if (result >= 0) detail_.report();
  }

  int perform(int fd)
  {
    return perform_by([&](msghdr& message) {
      return uninterrupted([&] { return ::recvmsg(fd, &message, flags_ | MSG_DONTWAIT); });
    });
  }
  int perform(file_state& d)
  {
    return perform_by([&](msghdr& message) { return d.receive_datagram(message, flags_); });
  }

  bool more(int) const noexcept { return true; }

  std::tuple<error_code, std::size_t> arguments(int result) const
  {
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }

private:
  template <typename Call>
  int perform_by(Call&& call)
  {
    return buffers_.with_message([&](msghdr& message) {
      detail_.ask(message);
      const int result = call(message);
      detail_.read_back(message);
      return result;
    });
  }

  [[no_unique_address]] borrowed_buffers<asio::mutable_buffer, Buffers> buffers_;
  [[no_unique_address]] Detail detail_;
  int flags_;
};

/// For async_receive_from: the sender of a datagram.
template <typename Endpoint>
class sender_address
{
public:
  explicit sender_address(Endpoint& endpoint) noexcept : endpoint_(endpoint) {}
  void ask(msghdr& message) const noexcept
  {
    message.msg_name = endpoint_.data();
    message.msg_namelen = static_cast<socklen_t>(endpoint_.capacity());
  }
  void read_back(const msghdr& message) noexcept { length_ = message.msg_namelen; }
  void report() const { endpoint_.resize(length_); }

private:
  Endpoint& endpoint_;
  socklen_t length_ = 0;
};

/// For async_receive of a sequenced-packet socket: message flags, such as the end of a record.
class received_flags
{
public:
  explicit received_flags(asio::socket_base::message_flags& flags) noexcept : flags_(flags) {}
  void ask(msghdr&) const noexcept {}
  void read_back(const msghdr& message) noexcept { received_ = message.msg_flags; }
  void report() const noexcept { flags_ = received_; }

private:
  asio::socket_base::message_flags& flags_;
  int received_ = 0;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_RECEIVE_HPP
