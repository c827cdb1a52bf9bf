// test/streams.cpp: reads and writes of connected sockets, up to the end of the stream.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <functional>
#include <thread>

using namespace test;

namespace {

const std::size_t transfer_size = static_cast<std::size_t>(rounds(64 << 20));
constexpr std::size_t piece_size = 256 << 10;

/// Sends a pattern in randomly scattered pieces, by callbacks.
template <class Socket>
struct sender
{
  Socket& socket;
  const pattern& data;
  std::size_t sent = 0;
  std::mt19937 random{7};
  error_code error{};

  void start()
  {
    if (sent == transfer_size) {
      socket.shutdown(Socket::shutdown_send, error);
      return;
    }
    auto piece = data.at(sent, std::min(piece_size, transfer_size - sent));
    socket.async_write_some(scattered(piece, 1 + random() % 1000, random),
                            [this](error_code e, std::size_t n) {
                              error = e;
                              sent += n;
                              if (!e) start();
                            });
  }
};

/// Receives and compares the pattern, by callbacks, until the end of the stream.
template <class Socket>
struct receiver
{
  Socket& socket;
  const pattern& data;
  std::size_t received = 0;
  bool intact = true;
  std::mt19937 random{8};
  error_code error{};
  std::string space = std::string(piece_size, '\0');

  void start()
  {
    auto whole = asio::buffer(space.data(), 1 + random() % piece_size);
    socket.async_read_some(scattered(whole, 1 + random() % 1000, random),
                           [this](error_code e, std::size_t n) {
                             error = e;
                             intact = intact && data.matches(received, space.data(), n);
                             received += n;
                             if (!e) start();
                           });
  }
};

template <class Socket>
asio::awaitable<void> send_pattern(Socket& socket, const pattern& data)
{
  std::mt19937 random(9);
  for (std::size_t sent = 0; sent != transfer_size;) {
    auto piece = data.at(sent, std::min(piece_size, transfer_size - sent));
    sent += co_await asio::async_write(socket, scattered(piece, 1 + random() % 1000, random),
                                       asio::use_awaitable);
  }
  socket.shutdown(Socket::shutdown_send);
}

template <class Socket>
asio::awaitable<void> receive_pattern(Socket& socket, const pattern& data, std::size_t& received,
                                      bool& intact)
{
  std::mt19937 random(10);
  std::string space(piece_size, '\0');
  for (;;) {
    auto whole = asio::buffer(space.data(), 1 + random() % piece_size);
    auto [error, n] = co_await asio::async_read(socket, scattered(whole, 1 + random() % 1000, random),
                                                asio::as_tuple(asio::use_awaitable));
    intact = intact && data.matches(received, space.data(), n);
    received += n;
    if (error) {
      intact = intact && error == asio::error::eof;
      co_return;
    }
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(streams)

BOOST_AUTO_TEST_CASE_TEMPLATE(zero_length_read_and_write, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 1> data;
  outcome read, written;
  c.server.async_read_some(asio::buffer(data, 0), read.record());
  c.server.async_write_some(asio::buffer(data, 0), written.record());
  finish(c.context);
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(written);
  BOOST_CHECK_EQUAL(c.server.read_some(asio::buffer(data, 0)), 0u);
  BOOST_CHECK_EQUAL(c.server.write_some(asio::buffer(data, 0)), 0u);
}

BOOST_AUTO_TEST_CASE(zero_length_read_at_the_end_of_the_stream_is_no_error)
{
  connection c;
  c.client.close();
  std::array<char, 1> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data, 0), read.record());
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(empty_buffers_before_the_full_one)
{
  connection c;
  std::array<char, 4> data;
  std::array<asio::mutable_buffer, 3> in{asio::buffer(data, 0), asio::buffer(data), asio::buffer(data, 0)};
  std::array<asio::const_buffer, 3> out{asio::buffer("", 0), asio::buffer("abcd", 4), asio::buffer("", 0)};
  outcome read, written;
  c.server.async_read_some(in, read.record());
  c.client.async_write_some(out, written.record());
  finish(c.context);
  BOOST_CHECK_EQUAL(written.bytes, 4u);
  BOOST_CHECK_EQUAL(std::string(data.data(), read.bytes), "abcd");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_to_1000_buffers, Protocol, stream_protocols)
{
  connection<Protocol> c;
  pattern data;
  std::mt19937 random(3);
  bool intact = true;
  for (std::size_t count : {1, 2, 15, 16, 17, 63, 64, 65, 128, 999, 1000}) {
    std::string space(3000, '\0');
    outcome written, read;
    asio::async_write(c.client, scattered(data.at(count, 3000), count, random), written.record());
    asio::async_read(c.server, scattered(asio::buffer(space), count, random), read.record());
    finish(c.context);
    intact = intact && written.succeeded() && read.bytes == 3000 && data.matches(count, space.data(), 3000);
  }
  BOOST_CHECK(intact);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(both_directions_at_once_with_callbacks, Protocol, stream_protocols)
{
  connection<Protocol> c;
  pattern up(1), down(2);
  sender<typename Protocol::socket> s1{c.client, up}, s2{c.server, down};
  receiver<typename Protocol::socket> r1{c.server, up}, r2{c.client, down};
  s1.start();
  s2.start();
  r1.start();
  r2.start();
  finish(c.context);
  BOOST_CHECK_EQUAL(r1.received, transfer_size);
  BOOST_CHECK_EQUAL(r2.received, transfer_size);
  BOOST_CHECK(r1.intact && r2.intact);
  BOOST_CHECK(r1.error == asio::error::eof && r2.error == asio::error::eof);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(both_directions_at_once_with_coroutines, Protocol, stream_protocols)
{
  connection<Protocol> c;
  pattern up(1), down(2);
  std::size_t there = 0, back = 0;
  bool intact = true;
  asio::co_spawn(c.context, send_pattern(c.client, up), asio::detached);
  asio::co_spawn(c.context, send_pattern(c.server, down), asio::detached);
  asio::co_spawn(c.context, receive_pattern(c.server, up, there, intact), asio::detached);
  asio::co_spawn(c.context, receive_pattern(c.client, down, back, intact), asio::detached);
  finish(c.context);
  BOOST_CHECK_EQUAL(there, transfer_size);
  BOOST_CHECK_EQUAL(back, transfer_size);
  BOOST_CHECK(intact);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(read_and_write_at_once_on_one_socket, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 4> data;
  outcome read, written;
  c.server.async_read_some(asio::buffer(data), read.record());
  c.server.async_write_some(asio::buffer("pong", 4), written.record());
  run_until(c.context, [&] { return written.done(); });
  BOOST_CHECK_EQUAL(read_text(c.client, 4), "pong");
  write_text(c.client, "ping");
  finish(c.context);
  BOOST_CHECK_EQUAL(std::string(data.data(), read.bytes), "ping");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(queued_reads_are_served_in_order, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<std::array<char, 4>, 5> data;
  std::string order;
  for (std::size_t i = 0; i != data.size(); ++i)
    c.server.async_read_some(asio::buffer(data[i]), [&, i](error_code, std::size_t n) {
      order += std::to_string(i) + ':' + std::string(data[i].data(), n) + ' ';
    });
  settle(c.context);
  write_text(c.client, "aaaabbbbccccddddeeee");
  finish(c.context);
  BOOST_CHECK_EQUAL(order, "0:aaaa 1:bbbb 2:cccc 3:dddd 4:eeee ");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(queued_reads_on_waiting_data_are_served_in_order, Protocol, stream_protocols)
{
  connection<Protocol> c;
  write_text(c.client, "aaaabbbbcccc");
  std::array<std::array<char, 4>, 3> data;
  std::string received;
  for (auto& space : data)
    c.server.async_read_some(asio::buffer(space), [](error_code, std::size_t) {});
  finish(c.context);
  for (auto& space : data)
    received.append(space.data(), space.size());
  BOOST_CHECK_EQUAL(received, "aaaabbbbcccc");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(queued_writes_leave_in_order, Protocol, stream_protocols)
{
  connection<Protocol> c;
  for (std::string_view text : {"one ", "two ", "three"})
    c.client.async_write_some(asio::buffer(text), asio::detached);
  finish(c.context);
  BOOST_CHECK_EQUAL(read_text(c.server, 13), "one two three");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(queued_large_writes_never_interleave, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<std::string, 4> text;
  std::string expected, received, space(100000, '\0');
  std::size_t pending = text.size();
  for (std::size_t i = 0; i != text.size(); ++i) {
    text[i].assign(8 << 20, static_cast<char>('a' + i));
    c.client.async_write_some(asio::buffer(text[i]), [&, i](error_code, std::size_t n) {
      expected += text[i].substr(0, n);
      if (--pending == 0) c.client.shutdown(Protocol::socket::shutdown_send);
    });
  }
  std::function<void()> read = [&] {
    c.server.async_read_some(asio::buffer(space), [&](error_code e, std::size_t n) {
      received.append(space.data(), n);
      if (!e) read();
    });
  };
  read();
  finish(c.context);
  BOOST_CHECK(received == expected);
}

BOOST_AUTO_TEST_CASE(write_larger_than_the_buffers_of_the_connection_waits_for_the_reader)
{
  connection c;
  std::string text(32 << 20, 'x');
  outcome written;
  asio::async_write(c.client, asio::buffer(text), written.record());
  std::thread reader([&] {
    std::string space(1 << 20, '\0');
    std::size_t received = 0;
    while (received != text.size())
      received += c.server.read_some(asio::buffer(space));
  });
  finish(c.context);
  reader.join();
  BOOST_CHECK_EQUAL(written.bytes, text.size());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(half_close, Protocol, stream_protocols)
{
  connection<Protocol> c;
  c.client.shutdown(Protocol::socket::shutdown_send);
  std::array<char, 8> data;
  outcome read, written;
  c.server.async_read_some(asio::buffer(data), read.record());
  finish(c.context);
  CHECK_FAILED(read, asio::error::eof);
  c.server.async_write_some(asio::buffer("still", 5), written.record());
  finish(c.context);
  BOOST_CHECK_EQUAL(read_text(c.client, 5), "still");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(half_close_while_the_read_is_pending, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  c.client.shutdown(Protocol::socket::shutdown_send);
  finish(c.context);
  CHECK_FAILED(read, asio::error::eof);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shutdown_of_the_own_receiving_side_ends_the_pending_read, Protocol,
                              stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  c.server.shutdown(Protocol::socket::shutdown_receive);
  finish(c.context);
  CHECK_FAILED(read, asio::error::eof);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(data_before_the_end_is_delivered_before_it, Protocol, stream_protocols)
{
  connection<Protocol> c;
  write_text(c.client, "last");
  c.client.close();
  std::string text;
  outcome read;
  asio::async_read(c.server, asio::dynamic_buffer(text), read.record());
  finish(c.context);
  CHECK_FAILED(read, asio::error::eof);
  BOOST_CHECK_EQUAL(text, "last");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(close_with_unread_data_resets_the_peer, Protocol, stream_protocols)
{
  connection<Protocol> c;
  write_text(c.server, "never read");
  BOOST_REQUIRE(readable(c.client));
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  c.client.close();
  finish(c.context);
  CHECK_FAILED(read, asio::error::connection_reset);
}

BOOST_AUTO_TEST_CASE(close_without_linger_resets_the_peer)
{
  connection c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  c.client.set_option(tcp::socket::linger(true, 0));
  c.client.close();
  finish(c.context);
  CHECK_FAILED(read, asio::error::connection_reset);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(write_after_the_peer_closed_fails_without_sigpipe, Protocol, stream_protocols)
{
  connection<Protocol> c;
  c.client.close();
  error_code error;
  for (int i = 0; i != 100 && !error; ++i) {
    outcome written;
    c.server.async_write_some(asio::buffer("x", 1), written.record());
    finish(c.context);
    error = written.error;
  }
  BOOST_CHECK(error == asio::error::broken_pipe || error == asio::error::connection_reset);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pending_write_fails_when_the_peer_closes, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::string text(64 << 20, 'x');
  outcome written;
  asio::async_write(c.server, asio::buffer(text), written.record());
  settle(c.context);
  c.client.close();
  finish(c.context);
  BOOST_CHECK(written.error == asio::error::broken_pipe || written.error == asio::error::connection_reset);
}

BOOST_AUTO_TEST_CASE(iostream)
{
  asio::io_context context;
  listener acceptor(context);
  std::thread server([&] {
    tcp::iostream stream;
    stream.socket() = acceptor.accept();
    std::string line;
    while (std::getline(stream, line))
      stream << "echo " << line << '\n' << std::flush;
  });
  std::string first, second;
  {
    tcp::iostream stream(acceptor.endpoint());
    stream << "one\n" << std::flush;
    std::getline(stream, first);
    stream << "two\n" << std::flush;
    std::getline(stream, second);
  }
  server.join();
  BOOST_CHECK_EQUAL(first + ", " + second, "echo one, echo two");
}

BOOST_AUTO_TEST_CASE(iostream_expiry)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::iostream stream(acceptor.endpoint());
  stream.expires_after(10ms);
  std::string line;
  BOOST_CHECK(!std::getline(stream, line));
  BOOST_CHECK_EQUAL(stream.error(), asio::error::timed_out);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(read_until_a_delimiter, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::string text;
  outcome read;
  asio::async_read_until(c.server, asio::dynamic_buffer(text), "\r\n", read.record());
  write_text(c.client, "first\r");
  settle(c.context);
  write_text(c.client, "\nrest");
  finish(c.context);
  BOOST_CHECK_EQUAL(text.substr(0, read.bytes), "first\r\n");
}

BOOST_AUTO_TEST_CASE(buffered_stream)
{
  connection c;
  asio::buffered_stream<tcp::socket&> stream(c.server);
  std::array<char, 3> data;
  outcome read, written, flushed;
  write_text(c.client, "abcdef");
  asio::async_read(stream, asio::buffer(data), read.record());
  finish(c.context);
  CHECK_SUCCEEDED(read);
  asio::async_write(stream, asio::buffer(data), written.record());
  finish(c.context);
  stream.async_flush(flushed.record());
  finish(c.context);
  CHECK_SUCCEEDED(flushed);
  BOOST_CHECK_EQUAL(read_text(c.client, 3), "abc");
}

BOOST_AUTO_TEST_SUITE_END()
