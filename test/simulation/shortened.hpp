// test/simulation/shortened.hpp: a transfer of fewer bytes than were asked for.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SIMULATION_SHORTENED_HPP
#define ASIO_URING_TEST_SIMULATION_SHORTENED_HPP

#include "decisions.hpp"
#include <algorithm>
#include <asio_uring/ring/uapi.hpp>
#include <cstdint>
#include <sys/socket.h>
#include <sys/uio.h>
#include <vector>

/// A copy of an entry that transfers fewer bytes, but at least one if there is any.
class shortened
{
public:
  shortened(const io_uring_sqe& whole, decisions& random) : entry(whole)
  {
    switch (whole.opcode) {
    case IORING_OP_RECVMSG:
    case IORING_OP_SENDMSG: {
      message_ = *reinterpret_cast<const msghdr*>(whole.addr);
      cut(message_.msg_iov, message_.msg_iovlen, random);
      message_.msg_iov = vectors_.data();
      message_.msg_iovlen = vectors_.size();
      entry.addr = reinterpret_cast<std::uintptr_t>(&message_);
      break;
    }
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
      cut(reinterpret_cast<const iovec*>(whole.addr), whole.len, random);
      entry.addr = reinterpret_cast<std::uintptr_t>(vectors_.data());
      entry.len = static_cast<unsigned>(vectors_.size());
      break;
    default:
      entry.len = static_cast<unsigned>(part(whole.len, random));
    }
  }
  shortened(const shortened&) = delete;
  shortened& operator=(const shortened&) = delete;

  io_uring_sqe entry;

private:
  static std::size_t part(std::size_t size, decisions& random)
  {
    return size > 0 ? 1 + random.below(size) : 0;
  }
  void cut(const iovec* vectors, std::size_t count, decisions& random)
  {
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i)
      size += vectors[i].iov_len;
    size = part(size, random);
    for (std::size_t i = 0; i < count && size > 0; ++i) {
      vectors_.push_back({vectors[i].iov_base, std::min(size, vectors[i].iov_len)});
      size -= vectors_.back().iov_len;
    }
  }

  msghdr message_{};
  std::vector<iovec> vectors_;
};

/// The number of bytes that an entry asks for.
inline std::size_t whole_size(const io_uring_sqe& entry)
{
  if (entry.opcode != IORING_OP_READV && entry.opcode != IORING_OP_WRITEV) return entry.len;
  std::size_t size = 0;
  for (std::size_t i = 0; i < entry.len; ++i)
    size += reinterpret_cast<const iovec*>(entry.addr)[i].iov_len;
  return size;
}

#endif // ASIO_URING_TEST_SIMULATION_SHORTENED_HPP
