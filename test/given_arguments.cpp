// given_arguments.cpp: arguments of operations: handlers passed as lvalues, and null_buffers.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#define ASIO_URING_TEST_STOCK // stock objects stay stock
#include "fixture.hpp"

#include <asio_uring/asio_uring.hpp>
#include <functional>
#include <string>

using namespace test;
using asio_uring::use_uring;

BOOST_AUTO_TEST_SUITE(given_arguments)

BOOST_AUTO_TEST_CASE(a_handler_given_by_name_stays_the_callers_beside_an_owned_buffer)
{
  asio::io_context context;
  asio_uring::ip::tcp::socket socket(context); // not open: the operations fail
  int calls = 0;
  std::function<void(error_code, std::size_t, std::string)> handler = [&](error_code, std::size_t,
                                                                          std::string) { ++calls; };
  const auto constant = handler;
  asio_uring::async_send(socket, std::string("text"), handler);
  asio_uring::async_send(socket, std::string("text"), constant);
  BOOST_TEST(static_cast<bool>(handler));
  finish(context);
  BOOST_TEST(calls == 2);
}

#ifndef BOOST_ASIO_NO_DEPRECATED
BOOST_AUTO_TEST_CASE(null_buffers_with_the_token_wait_and_take_no_datagram)
{
  using udp = asio::ip::udp;
  asio::io_context context;
  udp::socket a(context, {asio::ip::address_v4::loopback(), 0}),
      b(context, {asio::ip::address_v4::loopback(), 0});
  b.send_to(asio::buffer("abc", 3), a.local_endpoint());
  udp::endpoint sender = b.local_endpoint();
  outcome readable, writable;
  a.async_receive_from(asio::null_buffers(), sender, use_uring(readable.record()));
  a.async_send_to(asio::null_buffers(), b.local_endpoint(), use_uring(writable.record()));
  finish(context);
  CHECK_SUCCEEDED(readable);
  CHECK_SUCCEEDED(writable);
  BOOST_TEST(sender == udp::endpoint()); // as with stock Asio
  BOOST_TEST(a.available() == 3u);
  BOOST_TEST(b.available() == 0u);
}
#endif

BOOST_AUTO_TEST_SUITE_END()
