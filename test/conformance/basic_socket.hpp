// test/conformance/basic_socket.hpp: functions that all sockets have, on a socket in any state.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_CONFORMANCE_BASIC_SOCKET_HPP
#define ASIO_URING_TEST_CONFORMANCE_BASIC_SOCKET_HPP

#include "stream.hpp"

template <typename Option, typename Socket>
void option(Socket& s, const char* name, const Option& value)
{
  Option o;
  call_ec(std::string("get ") + name, [&](error_code& ec) { s.get_option(o, ec); });
  if constexpr (requires { o.value(); }) values("value", o.value());
  call_ec(std::string("set ") + name, [&](error_code& ec) { s.set_option(value, ec); });
  call(std::string("set ") + name, [&] { s.set_option(value); });
  call(std::string("get ") + name, [&] { s.get_option(o); });
  if constexpr (requires { o.value(); }) values("value", o.value());
}

template <typename Socket>
void options(Socket& s)
{
  using base = net::socket_base;
  option(s, "broadcast", base::broadcast(true));
  option(s, "debug", base::debug(false));
  option(s, "do_not_route", base::do_not_route(true));
  option(s, "do_not_route", base::do_not_route(false));
  option(s, "enable_connection_aborted", base::enable_connection_aborted(true));
  option(s, "keep_alive", base::keep_alive(true));
  option(s, "linger", base::linger(true, 7));
  option(s, "linger", base::linger(false, 0));
  option(s, "out_of_band_inline", base::out_of_band_inline(true));
  option(s, "out_of_band_inline", base::out_of_band_inline(false));
  option(s, "receive_buffer_size", base::receive_buffer_size(40000));
  option(s, "receive_low_watermark", base::receive_low_watermark(1));
  option(s, "reuse_address", base::reuse_address(true));
  option(s, "send_buffer_size", base::send_buffer_size(40000));
  option(s, "send_low_watermark", base::send_low_watermark(1));
}

/// State and modes.
template <typename Socket>
void state(Socket& s)
{
  SHOW(s.is_open());
  SHOW(s.lowest_layer().is_open());
  SHOW(s.native_handle() == -1);
  BOTH(s, at_mark);
  BOTH(s, available);
  net::socket_base::bytes_readable readable;
  BOTH(s, io_control, readable);
  values("readable", readable.get());
  BOTH(s, local_endpoint);
  BOTH(s, remote_endpoint);
  SHOW(s.non_blocking());
  SHOW(s.native_non_blocking());
  BOTH(s, native_non_blocking, true);
  SHOW(s.native_non_blocking());
  BOTH(s, non_blocking, true);
  SHOW(s.non_blocking());
  BOTH(s, native_non_blocking, false); // refused: the user's mode needs it
  BOTH(s, non_blocking, false);
  SHOW(s.non_blocking());
  SHOW(s.native_non_blocking());
}

/// open, assign, release and close of a closed socket.
template <typename Socket, typename Protocol>
void open_and_close(Socket& s, const Protocol& protocol)
{
  BOTH(s, release);
  BOTH(s, close);
  BOTH(s, assign, protocol, -1);
  BOTH(s, assign, protocol, 12345);
  SHOW(s.is_open());
  BOTH(s, open, protocol);
  BOTH(s, assign, protocol, -1);
  SHOW(s.is_open());
  BOTH(s, cancel);
  const int fd = s.release();
  SHOW(s.is_open());
  SHOW(s.assign(protocol, fd));
  BOTH(s, assign, protocol, fd);
  SHOW(s.native_handle() == fd);
  SHOW(s.close());
  BOTH(s, close);
  SHOW(s.is_open());
  SHOW(s.open(protocol));
  SHOW(s.is_open());
  SHOW(s.close());
}

#endif
