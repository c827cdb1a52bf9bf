// test/waits.cpp: connected sockets: waits, peeking, urgent data, non-blocking mode.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"
#include <sys/eventfd.h>

#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(waits)

BOOST_AUTO_TEST_CASE(out_of_band_data)
{
  connection c;
  std::array<char, 1> data;
  outcome received;
  c.server.async_receive(asio::buffer(data), tcp::socket::message_out_of_band, received.record());
  settle(c.context);
  c.client.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  finish(c.context);
  CHECK_SUCCEEDED(received);
  BOOST_CHECK_EQUAL(data[0], '!');
}

BOOST_AUTO_TEST_CASE(wait_for_an_error_ends_with_out_of_band_data)
{
  connection c;
  outcome waited;
  c.server.async_wait(tcp::socket::wait_error, waited.record());
  settle(c.context);
  c.client.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  finish(c.context);
  CHECK_SUCCEEDED(waited);
}

BOOST_AUTO_TEST_CASE(ordinary_data_is_neither_out_of_band_nor_an_error)
{
  connection c;
  std::array<char, 1> data;
  outcome received, waited;
  c.server.async_receive(asio::buffer(data), tcp::socket::message_out_of_band, received.record());
  c.server.async_wait(tcp::socket::wait_error, waited.record());
  settle(c.context);
  write_text(c.client, "abc");
  c.context.run_for(5ms);
  BOOST_CHECK(!received.done() && !waited.done());
  c.client.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  finish(c.context);
  BOOST_CHECK_EQUAL(data[0], '!');
  CHECK_SUCCEEDED(waited);
}

BOOST_AUTO_TEST_CASE(at_mark)
{
  connection c;
  write_text(c.client, "abc");
  c.client.send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  BOOST_REQUIRE(readable(c.server));
  bool before = c.server.at_mark();
  std::array<char, 16> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  finish(c.context);
  BOOST_CHECK_EQUAL(read.bytes, 3u);
  BOOST_CHECK(!before && c.server.at_mark());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(available, Protocol, stream_protocols)
{
  connection<Protocol> c;
  BOOST_CHECK_EQUAL(c.server.available(), 0u);
  write_text(c.client, "abc");
  BOOST_REQUIRE(readable(c.server));
  BOOST_CHECK_EQUAL(c.server.available(), 3u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(peeking_leaves_the_data, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> peeked, data;
  outcome peek, read;
  c.server.async_receive(asio::buffer(peeked), Protocol::socket::message_peek, peek.record());
  write_text(c.client, "abc");
  finish(c.context);
  c.server.async_receive(asio::buffer(data), read.record());
  finish(c.context);
  BOOST_CHECK_EQUAL(std::string(peeked.data(), peek.bytes), "abc");
  BOOST_CHECK_EQUAL(std::string(data.data(), read.bytes), "abc");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(synchronous_functions, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  error_code error = asio::error::eof;
  BOOST_CHECK_EQUAL(c.client.write_some(asio::buffer("ab", 2)), 2u);
  BOOST_CHECK_EQUAL(c.client.send(asio::buffer("c", 1)), 1u);
  BOOST_CHECK_EQUAL(c.client.send(asio::buffer("d", 1), 0, error), 1u);
  BOOST_CHECK_EQUAL(error, error_code());
  BOOST_CHECK_EQUAL(c.server.receive(asio::buffer(data, 2)), 2u);
  BOOST_CHECK_EQUAL(c.server.read_some(asio::buffer(data), error), 2u);
  c.client.close();
  BOOST_CHECK_THROW(c.server.read_some(asio::buffer(data)), boost::system::system_error);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(synchronous_read_blocks_after_asynchronous_ones, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  write_text(c.client, "x");
  finish(c.context);
  std::thread writer([&] {
    std::this_thread::sleep_for(20ms);
    write_text(c.client, "abc");
  });
  BOOST_CHECK_EQUAL(c.server.read_some(asio::buffer(data)), 3u);
  writer.join();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(non_blocking_read_would_block, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  error_code error;
  c.server.non_blocking(true);
  c.server.read_some(asio::buffer(data), error);
  BOOST_CHECK_EQUAL(error, asio::error::would_block);
  BOOST_CHECK(c.server.non_blocking());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(native_non_blocking_read_would_block, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  error_code error;
  c.server.native_non_blocking(true);
  c.server.non_blocking(true);
  c.server.read_some(asio::buffer(data), error);
  BOOST_CHECK_EQUAL(error, asio::error::would_block);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(asynchronous_operations_wait_on_a_non_blocking_socket, Protocol,
                              stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read;
  c.server.non_blocking(true);
  c.server.native_non_blocking(true);
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  BOOST_CHECK_EQUAL(read.calls, 0);
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(wait_for_read_leaves_the_data, Protocol, stream_protocols)
{
  connection<Protocol> c;
  outcome waited;
  c.server.async_wait(Protocol::socket::wait_read, waited.record());
  settle(c.context);
  BOOST_CHECK_EQUAL(waited.calls, 0);
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(waited);
  BOOST_CHECK_EQUAL(c.server.available(), 3u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(wait_for_write, Protocol, stream_protocols)
{
  connection<Protocol> c;
  outcome waited;
  c.server.async_wait(Protocol::socket::wait_write, waited.record());
  finish(c.context);
  CHECK_SUCCEEDED(waited);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(wait_for_write_waits_while_the_buffers_are_full, Protocol, stream_protocols)
{
  connection<Protocol> c;
  c.client.non_blocking(true);
  std::string text(1 << 20, 'x');
  error_code error;
  while (!error)
    c.client.write_some(asio::buffer(text), error);
  outcome waited;
  c.client.async_wait(Protocol::socket::wait_write, waited.record());
  settle(c.context);
  BOOST_CHECK_EQUAL(waited.calls, 0);
  c.server.non_blocking(true);
  run_until(c.context, [&] {
    error_code ignored;
    c.server.read_some(asio::buffer(text), ignored);
    return waited.done();
  });
  CHECK_SUCCEEDED(waited);
}

BOOST_AUTO_TEST_CASE(synchronous_wait)
{
  connection c;
  write_text(c.client, "x");
  c.server.wait(tcp::socket::wait_read);
  BOOST_CHECK_EQUAL(c.server.available(), 1u);
}

#ifndef BOOST_ASIO_NO_DEPRECATED
BOOST_AUTO_TEST_CASE(null_buffers_wait)
{
  connection c;
  outcome read, written;
  c.server.async_read_some(asio::null_buffers(), read.record());
  c.server.async_write_some(asio::null_buffers(), written.record());
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(written);
  BOOST_CHECK_EQUAL(c.server.available(), 3u);
}
#endif

BOOST_AUTO_TEST_CASE(an_eventfd_is_heard_each_time)
{
  asio::io_context context;
  asio::posix::stream_descriptor events(context, ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  for (int i = 0; i < 5; ++i) {
    outcome waited, read;
    std::uint64_t count = 0;
    if (i % 2) {
      events.async_wait(asio::posix::stream_descriptor::wait_read, waited.record());
      settle(context);
      BOOST_REQUIRE(::eventfd_write(events.native_handle(), 1) == 0);
      finish(context);
      CHECK_SUCCEEDED(waited);
    }
    events.async_read_some(asio::buffer(&count, sizeof(count)), read.record());
    settle(context);
    if (i % 2 == 0) BOOST_REQUIRE(::eventfd_write(events.native_handle(), 1) == 0);
    finish(context);
    BOOST_TEST(count == 1u);
  }
}

BOOST_AUTO_TEST_SUITE_END()
