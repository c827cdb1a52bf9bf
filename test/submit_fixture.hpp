// test/submit_fixture.hpp: common parts of the tests of submissions.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SUBMIT_FIXTURE_HPP
#define ASIO_URING_TEST_SUBMIT_FIXTURE_HPP

#include "file_fixture.hpp"

#include <sys/socket.h>

namespace test {

/// Fills an entry as liburing does.
inline void fill(io_uring_sqe& sqe, std::uint8_t op, int fd, const void* address, unsigned length,
                 std::uint64_t offset)
{
  sqe.opcode = op;
  sqe.fd = fd;
  sqe.addr = reinterpret_cast<std::uintptr_t>(address);
  sqe.len = length;
  sqe.off = offset;
}

struct socket_pair
{
  int a, b;
  socket_pair()
  {
    int ends[2];
    BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    a = ends[0], b = ends[1];
  }
  ~socket_pair() { ::close(a), ::close(b); }
};

} // namespace test

#endif // ASIO_URING_TEST_SUBMIT_FIXTURE_HPP
