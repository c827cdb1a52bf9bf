// test/whole_program/session.cpp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "session.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace asio = boost::asio;

asio::awaitable<void> echo(session& s)
{
  char data[64];
  for (;;) {
    boost::system::error_code error;
    const std::size_t n = co_await s.socket.async_read_some(asio::buffer(data),
                                                            asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    s.timer.expires_after(std::chrono::milliseconds(1));
    co_await s.timer.async_wait(asio::use_awaitable);
    s.echoed += co_await asio::async_write(s.socket, asio::buffer(data, n), asio::use_awaitable);
  }
}

std::size_t size_of_session() { return sizeof(session); }
