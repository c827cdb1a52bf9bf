// test/simulation/request.hpp: a request that a simulated kernel has taken and not finished.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATION_REQUEST_HPP
#define ASIO_URING_TEST_SIMULATION_REQUEST_HPP

#include "environment.hpp"
#include "shortened.hpp"
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

/// The first number of the kernel's own descriptors, so that the program gets back the numbers that it
/// closes.
constexpr int own_numbers = 256;

/// Moves a new descriptor there.
inline int own_number(int fd)
{
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, own_numbers);
  ::close(fd);
  return moved;
}

struct request
{
  explicit request(const io_uring_sqe& e) : entry(e) {}

  io_uring_sqe entry;
  std::vector<io_uring_sqe> behind; // linked behind it
  bool started = false;             // its descriptor number was looked up
  int file = -1;                    // a duplicate of its descriptor
  int second_file = -1;
  unsigned thread = 0; // the thread that submitted it
  bool edge = false;   // not yet reported
  bool cancelled = false;
  bool consumed = false; // has lost its data without sending it
  simulated_clock::time_point time{};

  /// Looks up the descriptor numbers. False if one of them is free.
  bool look_up()
  {
    file = ::fcntl(entry.fd, F_DUPFD_CLOEXEC, own_numbers);
    entry.fd = file;
    if (entry.opcode != IORING_OP_SPLICE) return file >= 0;
    second_file = ::fcntl(entry.splice_fd_in, F_DUPFD_CLOEXEC, own_numbers);
    entry.splice_fd_in = second_file;
    return file >= 0 && second_file >= 0;
  }
  void let_go()
  {
    for (const int f : {file, second_file})
      if (f >= 0) ::close(f);
  }

  bool is_multishot_poll() const noexcept
  {
    return entry.opcode == IORING_OP_POLL_ADD && entry.len & IORING_POLL_ADD_MULTI;
  }
  bool is_multishot() const noexcept
  {
    return is_multishot_poll() ||
           (entry.opcode == IORING_OP_ACCEPT && entry.ioprio & IORING_ACCEPT_MULTISHOT) ||
           (entry.opcode == IORING_OP_RECV && entry.ioprio & IORING_RECV_MULTISHOT);
  }
  bool chooses_buffer() const noexcept { return entry.flags & IOSQE_BUFFER_SELECT; }
  bool is_socket_transfer() const noexcept
  {
    return entry.opcode == IORING_OP_RECV || entry.opcode == IORING_OP_SEND ||
           entry.opcode == IORING_OP_RECVMSG || entry.opcode == IORING_OP_SENDMSG;
  }
  bool is_file_transfer() const noexcept
  {
    return entry.opcode == IORING_OP_READ || entry.opcode == IORING_OP_READV ||
           entry.opcode == IORING_OP_WRITE || entry.opcode == IORING_OP_WRITEV;
  }
  bool is_send() const noexcept
  {
    return entry.opcode == IORING_OP_SEND || entry.opcode == IORING_OP_SENDMSG;
  }
  bool moves_data_out() const noexcept
  {
    return is_send() || entry.opcode == IORING_OP_WRITE || entry.opcode == IORING_OP_WRITEV;
  }
  /// Whether the kernel never performs it in the thread that submitted it.
  bool needs_worker() const noexcept
  {
    return entry.opcode == IORING_OP_FSYNC || entry.opcode == IORING_OP_WRITE ||
           entry.opcode == IORING_OP_WRITEV || entry.opcode == IORING_OP_SPLICE;
  }
  bool is_datagram() const noexcept { return is_socket_transfer() && option(SO_TYPE) == SOCK_DGRAM; }
  bool is_send_to_local_datagram() const noexcept
  {
    return is_send() && option(SO_DOMAIN) == AF_UNIX && option(SO_TYPE) == SOCK_DGRAM;
  }

  /// Whether this result lets the chain go on.
  bool succeeded(int result) const
  {
    return result >= 0 && (!is_file_transfer() || static_cast<std::size_t>(result) == whole_size(entry));
  }

  bool non_blocking() const noexcept
  {
    const bool has_flag = entry.opcode != IORING_OP_ACCEPT && entry.opcode != IORING_OP_CONNECT;
    return (has_flag && entry.msg_flags & MSG_DONTWAIT) || ::fcntl(file, F_GETFL) & O_NONBLOCK;
  }
  int ready_events(unsigned events) const noexcept
  {
    pollfd p{file, static_cast<short>(events), 0};
    return ::poll(&p, 1, 0) == 1 ? static_cast<unsigned short>(p.revents) : 0;
  }
  /// Whether its descriptor is ready for it.
  bool has_event() const noexcept
  {
    switch (entry.opcode) {
    case IORING_OP_POLL_ADD:
      return ready_events(entry.poll32_events);
    case IORING_OP_RECV:
    case IORING_OP_RECVMSG:
    case IORING_OP_ACCEPT:
      return ready_events(POLLIN);
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
    case IORING_OP_CONNECT:
      return ready_events(POLLOUT);
    default:
      return true;
    }
  }

  /// Sends an empty datagram to the same peer.
  bool send_nothing() const noexcept
  {
    msghdr empty{};
    if (entry.opcode == IORING_OP_SENDMSG) {
      const auto& whole = *reinterpret_cast<const msghdr*>(entry.addr);
      empty.msg_name = whole.msg_name;
      empty.msg_namelen = whole.msg_namelen;
    }
    return ::sendmsg(file, &empty, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
  }

private:
  int option(int name) const noexcept
  {
    int value = 0;
    socklen_t size = sizeof(value);
    ::getsockopt(file, SOL_SOCKET, name, &value, &size);
    return value;
  }
};

#endif // ASIO_URING_TEST_SIMULATION_REQUEST_HPP
