// test/whole_program/timer.cpp: a unit without any socket.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

void wait_a_little(boost::asio::io_context& context)
{
  boost::asio::steady_timer(context, std::chrono::milliseconds(1)).wait();
}
