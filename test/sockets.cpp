// test/sockets.cpp: opening, accepting, connecting, moving and closing.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

using namespace test;

BOOST_AUTO_TEST_SUITE(sockets)

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

#ifndef ASIO_URING_TEST_STOCK
// Stock Asio's slot points into the socket it was filled by.
BOOST_AUTO_TEST_CASE(move_with_operations_pending_then_cancel_through_the_slot)
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
#endif

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
  const refusing_port refusing(context);
  tcp::socket client(context);
  outcome connected;
  std::vector<tcp::endpoint> endpoints{refusing.endpoint(), acceptor.endpoint()};
  asio::async_connect(client, endpoints, [&](error_code e, const tcp::endpoint&) { connected.record()(e); });
  finish(context);
  CHECK_SUCCEEDED(connected);
  BOOST_CHECK_EQUAL(client.remote_endpoint(), acceptor.endpoint());
}

BOOST_AUTO_TEST_CASE(sender_of_a_local_datagram_is_known)
{
  asio::io_context context;
  using datagram = asio::local::datagram_protocol;
  const std::string path = "/tmp/asio_uring_sender_" + std::to_string(::getpid());
  ::unlink(path.c_str());
  ::unlink((path + ".to").c_str());
  datagram::socket from(context, datagram::endpoint(path)), to(context, datagram::endpoint(path + ".to"));
  std::array<char, 8> data;
  datagram::endpoint sender;
  outcome received;
  to.async_receive_from(asio::buffer(data), sender, received.record());
  settle(context);
  from.send_to(asio::buffer("abc", 3), to.local_endpoint());
  finish(context);
  ::unlink(path.c_str());
  ::unlink((path + ".to").c_str());
  BOOST_CHECK_EQUAL(received.bytes, 3u);
  BOOST_CHECK_EQUAL(sender.path(), path);
}

BOOST_AUTO_TEST_CASE(a_datagram_that_is_sent_synchronously_comes_after_one_that_a_handler_has_started_to_send)
{
  asio::io_context context;
  using asio::ip::udp;
  udp::socket from(context, udp::endpoint(udp::v4(), 0));
  udp::socket to(context, udp::endpoint(asio::ip::address_v4::loopback(), 0));
  outcome sent;
  asio::post(context, [&] {
    from.async_send_to(asio::buffer("1", 1), to.local_endpoint(), sent.record());
    from.send_to(asio::buffer("2", 1), to.local_endpoint());
  });
  finish(context);
  CHECK_SUCCEEDED(sent);
  for (const char expected : {'1', '2'}) {
    char got = 0;
    to.receive(asio::buffer(&got, 1));
    BOOST_TEST(got == expected);
  }
}

BOOST_AUTO_TEST_CASE(flags_of_a_record_that_did_not_fit)
{
  asio::io_context context;
  using sequenced = asio::generic::seq_packet_protocol;
  int fds[2];
  BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  sequenced::socket from(context, sequenced(AF_UNIX, 0), fds[0]), to(context, sequenced(AF_UNIX, 0), fds[1]);
  std::array<char, 2> data;
  asio::socket_base::message_flags flags = 0;
  outcome received;
  to.async_receive(asio::buffer(data), flags, received.record());
  settle(context);
  from.send(asio::buffer("abc", 3), 0);
  finish(context);
  BOOST_CHECK_EQUAL(received.bytes, 2u);
  BOOST_CHECK(flags & MSG_TRUNC);
}

BOOST_AUTO_TEST_SUITE_END()
