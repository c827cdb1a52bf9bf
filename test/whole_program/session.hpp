// test/whole_program/session.hpp: a declaration with sockets that several translation units share.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_WHOLE_PROGRAM_SESSION_HPP
#define ASIO_URING_TEST_WHOLE_PROGRAM_SESSION_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>

/// Both members must have the same size and meaning in all units.
struct session
{
  boost::asio::ip::tcp::socket socket;
  boost::asio::steady_timer timer;
  std::size_t echoed = 0;
};

[[gnu::visibility("default")]] boost::asio::awaitable<void> echo(session& s);
[[gnu::visibility("default")]] std::size_t size_of_session();

#endif
