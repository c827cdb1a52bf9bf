// Copyright (c) 2026 the asio_uring authors
// Distributed under the Boost Software License, Version 1.0 (see LICENSE)

#include "fixture.hpp"

#include <functional>
#include <thread>

using namespace test;

namespace {

constexpr std::size_t transfer_size = 64 << 20;
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

/// Receives and compares, by callbacks, until the end of the stream.
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

BOOST_AUTO_TEST_CASE_TEMPLATE(close_with_operations_pending_sends_fin_at_once, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read, waited;
  c.client.async_read_some(asio::buffer(data), read.record());
  c.client.async_wait(Protocol::socket::wait_read, waited.record());
  settle(c.context);
  c.client.close();
  BOOST_REQUIRE(readable(c.server));
  error_code error;
  c.server.read_some(asio::buffer(data), error);
  BOOST_CHECK_EQUAL(error, asio::error::eof);
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  CHECK_FAILED(waited, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(close_with_operations_just_initiated_sends_fin_at_once, Protocol,
                              stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read;
  c.client.async_read_some(asio::buffer(data), read.record());
  c.client.close();
  BOOST_REQUIRE(readable(c.server));
  error_code error;
  c.server.read_some(asio::buffer(data), error);
  BOOST_CHECK_EQUAL(error, asio::error::eof);
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(rebind_the_port_right_after_close)
{
  asio::io_context context;
  outcome accepted;
  listener acceptor(context);
  auto endpoint = acceptor.endpoint();
  tcp::socket peer(context);
  acceptor.async_accept(peer, accepted.record());
  settle(context);
  acceptor.close();
  tcp::acceptor again(context, endpoint, false);
  BOOST_CHECK_EQUAL(again.local_endpoint(), endpoint);
  finish(context);
  CHECK_FAILED(accepted, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(accept_into_an_existing_socket_with_endpoint)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context), server(context);
  tcp::endpoint peer;
  outcome accepted;
  acceptor.async_accept(server, peer, accepted.record());
  client.connect(acceptor.endpoint());
  finish(context);
  CHECK_SUCCEEDED(accepted);
  BOOST_CHECK_EQUAL(peer, client.local_endpoint());
}

BOOST_AUTO_TEST_CASE(accept_onto_another_executor)
{
  asio::io_context context, other;
  listener acceptor(context);
  tcp::socket client(context);
  client.connect(acceptor.endpoint());
  tcp::endpoint peer;
  tcp::socket server(context);
  acceptor.async_accept(other, peer, [&](error_code, tcp::socket accepted) { server = std::move(accepted); });
  finish(context);
  std::array<char, 8> data;
  outcome read;
  write_text(client, "abc");
  server.async_read_some(asio::buffer(data), read.record());
  finish(other);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(many_accepts_pending)
{
  asio::io_context context;
  listener acceptor(context);
  std::vector<tcp::socket> clients, servers;
  for (int i = 0; i != 10; ++i)
    acceptor.async_accept([&](error_code e, tcp::socket s) {
      if (!e) servers.push_back(std::move(s));
    });
  settle(context);
  for (int i = 0; i != 10; ++i) {
    clients.emplace_back(context);
    clients.back().connect(acceptor.endpoint());
  }
  finish(context);
  BOOST_CHECK_EQUAL(servers.size(), 10u);
}

BOOST_AUTO_TEST_CASE(synchronous_accept_forms)
{
  asio::io_context context, other;
  listener acceptor(context);
  std::vector<tcp::socket> clients;
  for (int i = 0; i != 4; ++i) {
    clients.emplace_back(context);
    clients.back().connect(acceptor.endpoint());
  }
  tcp::endpoint peer;
  tcp::socket into(context);
  acceptor.accept(into, peer);
  BOOST_CHECK_EQUAL(peer, clients[0].local_endpoint());
  BOOST_CHECK_EQUAL(acceptor.accept().remote_endpoint(), clients[1].local_endpoint());
  BOOST_CHECK_EQUAL(acceptor.accept(other).remote_endpoint(), clients[2].local_endpoint());
  BOOST_CHECK_EQUAL(acceptor.accept(other.get_executor(), peer).remote_endpoint(),
                    clients[3].local_endpoint());
}

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

BOOST_AUTO_TEST_CASE(non_blocking_accept_would_block)
{
  asio::io_context context;
  listener acceptor(context);
  acceptor.non_blocking(true);
  tcp::socket peer(context);
  error_code error;
  acceptor.accept(peer, error);
  BOOST_CHECK_EQUAL(error, asio::error::would_block);
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

BOOST_AUTO_TEST_CASE(wait_on_an_acceptor)
{
  asio::io_context context;
  listener acceptor(context);
  outcome waited;
  acceptor.async_wait(tcp::acceptor::wait_read, waited.record());
  settle(context);
  tcp::socket client(context);
  client.connect(acceptor.endpoint());
  finish(context);
  CHECK_SUCCEEDED(waited);
  BOOST_CHECK(acceptor.accept().is_open());
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

BOOST_AUTO_TEST_CASE_TEMPLATE(release_and_assign, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read, read_again;
  auto protocol = c.server.local_endpoint().protocol();
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  auto handle = c.server.release();
  BOOST_CHECK(!c.server.is_open());
  typename Protocol::socket adopted(c.context, protocol, handle);
  adopted.async_read_some(asio::buffer(data), read_again.record());
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  CHECK_SUCCEEDED(read_again);
  BOOST_CHECK_EQUAL(read_again.bytes, 3u);
}

BOOST_AUTO_TEST_CASE(socket_object_is_reused_after_close)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context);
  for (int i = 0; i != 3; ++i) {
    client.connect(acceptor.endpoint());
    tcp::socket server = acceptor.accept();
    std::array<char, 8> data;
    outcome read;
    client.async_read_some(asio::buffer(data), read.record());
    write_text(server, "abc");
    finish(context);
    CHECK_SUCCEEDED(read);
    client.close();
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(move_with_operations_pending, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  typename Protocol::socket constructed(std::move(c.server));
  typename Protocol::socket assigned(c.context);
  assigned = std::move(constructed);
  BOOST_CHECK(!c.server.is_open() && !constructed.is_open());
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(move_with_operations_pending_then_cancel, Protocol, stream_protocols)
{
  connection<Protocol> c;
  std::array<char, 8> data;
  outcome read;
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  typename Protocol::socket moved(std::move(c.server));
  moved.cancel();
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

// Stock Asio's slot points into the socket it was filled by.
BOOST_AUTO_TEST_CASE(move_with_operations_pending_then_cancel_through_the_slot, *only_on_uring())
{
  connection c;
  std::array<char, 8> data;
  outcome read;
  asio::cancellation_signal signal;
  c.server.async_read_some(asio::buffer(data), asio::bind_cancellation_slot(signal.slot(), read.record()));
  settle(c.context);
  tcp::socket moved(std::move(c.server));
  signal.emit(asio::cancellation_type::terminal);
  finish(c.context);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(move_assignment_closes_the_old_connection)
{
  connection c;
  pair<> other(c.context);
  c.server = std::move(other.server);
  std::array<char, 8> data;
  error_code error;
  c.client.read_some(asio::buffer(data), error);
  BOOST_CHECK_EQUAL(error, asio::error::eof);
}

BOOST_AUTO_TEST_CASE(move_to_the_generic_protocol_with_a_read_pending)
{
  connection c;
  std::array<char, 8> data;
  outcome read, read_again;
  c.server.async_read_some(asio::buffer(data), read.record());
  settle(c.context);
  generic::socket moved(std::move(c.server));
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
  moved.async_read_some(asio::buffer(data), read_again.record());
  write_text(c.client, "def");
  finish(c.context);
  CHECK_SUCCEEDED(read_again);
}

BOOST_AUTO_TEST_CASE(move_between_executor_types)
{
  connection c;
  using typed_socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;
  typed_socket typed(c.context);
  listener acceptor(c.context);
  typed.connect(acceptor.endpoint());
  tcp::socket peer = acceptor.accept();
  tcp::socket erased(std::move(typed));
  std::array<char, 8> data;
  outcome read;
  erased.async_read_some(asio::buffer(data), read.record());
  write_text(peer, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(socket_on_a_strand)
{
  asio::io_context context;
  listener acceptor(context);
  auto strand = asio::make_strand(context);
  asio::basic_stream_socket<tcp, asio::strand<asio::io_context::executor_type>> client(strand);
  bool inside = false;
  client.async_connect(acceptor.endpoint(),
                       [&](error_code e) { inside = !e && strand.running_in_this_thread(); });
  finish(context);
  BOOST_CHECK(inside);
}

BOOST_AUTO_TEST_CASE(socket_options)
{
  connection c;
  c.server.set_option(tcp::no_delay(false));
  c.server.set_option(tcp::socket::keep_alive(true));
  c.server.set_option(tcp::socket::linger(true, 3));
  c.server.set_option(tcp::socket::receive_buffer_size(65536));
  tcp::no_delay no_delay(true);
  tcp::socket::keep_alive keep_alive;
  tcp::socket::linger linger;
  tcp::socket::receive_buffer_size size;
  c.server.get_option(no_delay);
  c.server.get_option(keep_alive);
  c.server.get_option(linger);
  c.server.get_option(size);
  BOOST_CHECK(!no_delay.value() && keep_alive.value());
  BOOST_CHECK(linger.enabled() && linger.timeout() == 3);
  BOOST_CHECK_GE(size.value(), 65536);
}

BOOST_AUTO_TEST_CASE(endpoints)
{
  connection c;
  BOOST_CHECK_EQUAL(c.client.local_endpoint(), c.server.remote_endpoint());
  BOOST_CHECK_EQUAL(c.client.remote_endpoint(), c.server.local_endpoint());
}

BOOST_AUTO_TEST_CASE(local_sockets_by_path)
{
  asio::io_context context;
  socket_path path;
  local::acceptor acceptor(context, local::endpoint(path.name));
  local::socket client(context), server(context);
  outcome connected, accepted;
  acceptor.async_accept(server, accepted.record());
  client.async_connect(local::endpoint(path.name), connected.record());
  finish(context);
  CHECK_SUCCEEDED(connected);
  CHECK_SUCCEEDED(accepted);
  BOOST_CHECK_EQUAL(client.remote_endpoint().path(), path.name);
}

BOOST_AUTO_TEST_CASE(ip_version_6)
{
  asio::io_context context;
  error_code error;
  tcp::acceptor acceptor(context);
  acceptor.open(tcp::v6());
  acceptor.bind({asio::ip::address_v6::loopback(), 0}, error);
  if (error) return;
  acceptor.listen();
  tcp::socket client(context), server(context);
  outcome connected, accepted;
  acceptor.async_accept(server, accepted.record());
  client.async_connect(acceptor.local_endpoint(), connected.record());
  finish(context);
  CHECK_SUCCEEDED(connected);
  CHECK_SUCCEEDED(accepted);
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

BOOST_AUTO_TEST_CASE(connect_over_the_results_of_a_resolver)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::resolver resolver(context);
  auto results = resolver.resolve("127.0.0.1", std::to_string(acceptor.endpoint().port()));
  tcp::socket client(context);
  error_code error = asio::error::eof;
  tcp::endpoint chosen;
  asio::async_connect(client, results, [&](error_code e, const tcp::endpoint& endpoint) {
    error = e;
    chosen = endpoint;
  });
  finish(context);
  BOOST_CHECK_EQUAL(error, error_code());
  BOOST_CHECK_EQUAL(chosen, acceptor.endpoint());
}

BOOST_AUTO_TEST_CASE(connect_goes_on_to_the_next_endpoint_after_a_refusal)
{
  asio::io_context context;
  listener acceptor(context);
  auto refusing = listener(context).endpoint();
  tcp::socket client(context);
  outcome connected;
  std::vector<tcp::endpoint> endpoints{refusing, acceptor.endpoint()};
  asio::async_connect(client, endpoints, [&](error_code e, const tcp::endpoint&) { connected.record()(e); });
  finish(context);
  CHECK_SUCCEEDED(connected);
  BOOST_CHECK_EQUAL(client.remote_endpoint(), acceptor.endpoint());
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
