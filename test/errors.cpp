// test/errors.cpp: operations that fail, and their errors.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <sys/resource.h>

using namespace test;

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(connect_refused)
{
  asio::io_context context;
  tcp::socket client(context), blocking(context);
  const refusing_port port(context);
  const tcp::endpoint endpoint = port.endpoint();
  outcome connected;
  client.async_connect(endpoint, connected.record());
  finish(context);
  CHECK_FAILED(connected, asio::error::connection_refused);
  error_code error;
  blocking.connect(endpoint, error);
  BOOST_CHECK_EQUAL(error, asio::error::connection_refused);
}

BOOST_AUTO_TEST_CASE(connect_again_on_the_same_socket_after_a_refusal)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context);
  outcome refused, connected;
  const refusing_port port(context);
  client.async_connect(port.endpoint(), refused.record());
  finish(context);
  client.close();
  client.async_connect(acceptor.endpoint(), connected.record());
  finish(context);
  CHECK_SUCCEEDED(connected);
}

BOOST_AUTO_TEST_CASE(local_connect_without_a_listener)
{
  asio::io_context context;
  socket_path path;
  local::socket missing(context), refused(context);
  outcome to_missing, to_closed;
  missing.async_connect(local::endpoint(path.name), to_missing.record());
  finish(context);
  CHECK_FAILED(to_missing, boost::system::errc::no_such_file_or_directory);
  {
    local::acceptor once(context, local::endpoint(path.name));
  }
  refused.async_connect(local::endpoint(path.name), to_closed.record());
  finish(context);
  CHECK_FAILED(to_closed, asio::error::connection_refused);
}

BOOST_AUTO_TEST_CASE(local_connect_to_a_full_backlog)
{
  asio::io_context context;
  socket_path path;
  local::acceptor acceptor(context);
  acceptor.open();
  acceptor.bind(local::endpoint(path.name));
  acceptor.listen(0);
  local::socket first(context), second(context);
  outcome connected;
  first.connect(local::endpoint(path.name));
  second.async_connect(local::endpoint(path.name), connected.record());
  settle(context);
  local::socket accepted = acceptor.accept();
  finish(context);
  BOOST_CHECK(connected.succeeded() || connected.error == asio::error::try_again);
}

BOOST_AUTO_TEST_CASE(connect_to_an_address_of_another_family)
{
  asio::io_context context;
  tcp::socket client(context, tcp::v4());
  outcome connected;
  client.async_connect({asio::ip::address_v6::loopback(), 1}, connected.record());
  finish(context);
  CHECK_FAILED(connected, asio::error::address_family_not_supported);
}

BOOST_AUTO_TEST_CASE(connect_to_a_multicast_address_is_unreachable)
{
  asio::io_context context;
  tcp::socket client(context), blocking(context);
  tcp::endpoint multicast(asio::ip::make_address("224.0.0.1"), 1);
  outcome connected;
  client.async_connect(multicast, connected.record());
  finish(context);
  error_code error;
  blocking.connect(multicast, error);
  BOOST_CHECK(error);
  CHECK_FAILED(connected, error);
}

BOOST_AUTO_TEST_CASE(connect_a_connected_socket)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context);
  client.connect(acceptor.endpoint());
  outcome connected;
  client.async_connect(acceptor.endpoint(), connected.record());
  finish(context);
  CHECK_FAILED(connected, asio::error::already_connected);
}

BOOST_AUTO_TEST_CASE(bind_to_a_port_in_use)
{
  asio::io_context context;
  listener acceptor(context);
  BOOST_CHECK_EXCEPTION(tcp::acceptor(context, acceptor.endpoint()), boost::system::system_error,
                        [](auto& e) { return e.code() == asio::error::address_in_use; });
}

BOOST_AUTO_TEST_CASE(bind_to_an_address_of_somebody_else)
{
  asio::io_context context;
  tcp::socket socket(context, tcp::v4());
  error_code error;
  socket.bind({asio::ip::make_address("192.0.2.1"), 0}, error);
  BOOST_CHECK_EQUAL(error, boost::system::errc::address_not_available);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(asynchronous_operations_on_a_closed_socket, Protocol, stream_protocols)
{
  asio::io_context context;
  typename Protocol::socket closed(context);
  std::array<char, 8> data;
  outcome read, written, received, sent, waited;
  closed.async_read_some(asio::buffer(data), read.record());
  closed.async_write_some(asio::buffer(data), written.record());
  closed.async_receive(asio::buffer(data), Protocol::socket::message_peek, received.record());
  closed.async_send(asio::buffer(data), sent.record());
  closed.async_wait(Protocol::socket::wait_read, waited.record());
  finish(context);
  CHECK_FAILED(read, asio::error::bad_descriptor);
  CHECK_FAILED(written, asio::error::bad_descriptor);
  CHECK_FAILED(received, asio::error::bad_descriptor);
  CHECK_FAILED(sent, asio::error::bad_descriptor);
  CHECK_FAILED(waited, asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(asynchronous_operations_on_a_closed_acceptor)
{
  asio::io_context context;
  tcp::acceptor closed(context);
  tcp::socket peer(context);
  outcome accepted, moved, waited;
  closed.async_accept(peer, accepted.record());
  closed.async_accept([&](error_code e, tcp::socket) { moved.record()(e); });
  closed.async_wait(tcp::acceptor::wait_read, waited.record());
  finish(context);
  CHECK_FAILED(accepted, asio::error::bad_descriptor);
  CHECK_FAILED(moved, asio::error::bad_descriptor);
  CHECK_FAILED(waited, asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(synchronous_functions_on_a_closed_socket)
{
  asio::io_context context;
  tcp::socket closed(context);
  std::array<char, 8> data;
  std::vector<error_code> errors;
  auto check = [&](auto function) {
    error_code error;
    function(error);
    errors.push_back(error);
  };
  check([&](error_code& e) { closed.read_some(asio::buffer(data), e); });
  check([&](error_code& e) { closed.write_some(asio::buffer(data), e); });
  check([&](error_code& e) { closed.available(e); });
  check([&](error_code& e) { closed.at_mark(e); });
  check([&](error_code& e) { closed.cancel(e); });
  check([&](error_code& e) { closed.shutdown(tcp::socket::shutdown_both, e); });
  check([&](error_code& e) { closed.local_endpoint(e); });
  check([&](error_code& e) { closed.remote_endpoint(e); });
  check([&](error_code& e) { closed.set_option(tcp::no_delay(true), e); });
  check([&](error_code& e) { closed.non_blocking(true, e); });
  check([&](error_code& e) { closed.native_non_blocking(true, e); });
  check([&](error_code& e) { closed.bind(loopback(), e); });
  check([&](error_code& e) { closed.wait(tcp::socket::wait_read, e); });
  for (auto error : errors)
    BOOST_CHECK_EQUAL(error, asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(close_twice_is_no_error)
{
  connection c;
  error_code error = asio::error::eof;
  c.server.close();
  c.server.close(error);
  BOOST_CHECK_EQUAL(error, error_code());
}

BOOST_AUTO_TEST_CASE(open_an_open_socket)
{
  asio::io_context context;
  tcp::socket socket(context, tcp::v4());
  tcp::acceptor acceptor(context, tcp::v4());
  error_code opened, assigned, opened_acceptor;
  socket.open(tcp::v4(), opened);
  socket.assign(tcp::v4(), socket.native_handle(), assigned);
  acceptor.open(tcp::v4(), opened_acceptor);
  BOOST_CHECK_EQUAL(opened, asio::error::already_open);
  BOOST_CHECK_EQUAL(assigned, asio::error::already_open);
  BOOST_CHECK_EQUAL(opened_acceptor, asio::error::already_open);
}

BOOST_AUTO_TEST_CASE(accept_into_an_open_socket)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket open(context, tcp::v4());
  outcome accepted;
  acceptor.async_accept(open, accepted.record());
  finish(context);
  CHECK_FAILED(accepted, asio::error::already_open);
  error_code error;
  acceptor.accept(open, error);
  BOOST_CHECK_EQUAL(error, asio::error::already_open);
}

BOOST_AUTO_TEST_CASE(accept_without_listening)
{
  asio::io_context context;
  tcp::acceptor acceptor(context, tcp::v4());
  tcp::socket peer(context);
  outcome accepted;
  acceptor.async_accept(peer, accepted.record());
  finish(context);
  CHECK_FAILED(accepted, asio::error::invalid_argument);
}

BOOST_AUTO_TEST_CASE(option_of_another_protocol)
{
  asio::io_context context;
  local::socket socket(context, local());
  error_code error;
  socket.set_option(tcp::no_delay(true), error);
  BOOST_CHECK_EQUAL(error, asio::error::operation_not_supported);
}

BOOST_AUTO_TEST_CASE(assign_of_a_descriptor_that_is_not_open)
{
  asio::io_context context;
  tcp::socket socket(context);
  error_code error;
  int closed = ::dup(0);
  ::close(closed);
  socket.assign(tcp::v4(), closed, error);
  BOOST_CHECK_EQUAL(error, asio::error::bad_descriptor);
  BOOST_CHECK(!socket.is_open());
}

BOOST_AUTO_TEST_CASE(not_connected)
{
  asio::io_context context;
  tcp::socket socket(context, tcp::v4());
  std::array<char, 8> data;
  outcome read;
  error_code blocking, remote, shut;
  socket.async_read_some(asio::buffer(data), read.record());
  finish(context);
  socket.read_some(asio::buffer(data), blocking);
  socket.remote_endpoint(remote);
  socket.shutdown(tcp::socket::shutdown_both, shut);
  CHECK_FAILED(read, asio::error::not_connected);
  BOOST_CHECK_EQUAL(blocking, asio::error::not_connected);
  BOOST_CHECK_EQUAL(remote, asio::error::not_connected);
  BOOST_CHECK_EQUAL(shut, asio::error::not_connected);
}

BOOST_AUTO_TEST_CASE(write_of_an_unconnected_socket)
{
  asio::io_context context;
  tcp::socket socket(context, tcp::v4());
  outcome written;
  socket.async_write_some(asio::buffer("x", 1), written.record());
  finish(context);
  CHECK_FAILED(written, asio::error::broken_pipe);
}

BOOST_AUTO_TEST_CASE(write_after_the_own_shutdown)
{
  connection c;
  c.server.shutdown(tcp::socket::shutdown_send);
  outcome written;
  c.server.async_write_some(asio::buffer("x", 1), written.record());
  finish(c.context);
  CHECK_FAILED(written, asio::error::broken_pipe);
}

BOOST_AUTO_TEST_CASE(connection_reset_before_it_is_accepted)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context), server(context);
  client.connect(acceptor.endpoint());
  client.set_option(tcp::socket::linger(true, 0));
  client.close();
  outcome accepted, read;
  acceptor.async_accept(server, accepted.record());
  finish(context);
  CHECK_SUCCEEDED(accepted);
  std::array<char, 8> data;
  server.async_read_some(asio::buffer(data), read.record());
  finish(context);
  CHECK_FAILED(read, asio::error::connection_reset);
}

BOOST_AUTO_TEST_CASE(descriptor_limit_on_accept_then_recovery)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context);
  client.connect(acceptor.endpoint());
  settle(context);
  {
    no_more_descriptors tight;
    for (int i = 0; i != 20; ++i) {
      tcp::socket server(context);
      outcome accepted;
      acceptor.async_accept(server, accepted.record());
      finish(context);
      CHECK_FAILED(accepted, asio::error::no_descriptors);
    }
  }
  tcp::socket server(context);
  outcome accepted;
  acceptor.async_accept(server, accepted.record());
  finish(context);
  CHECK_SUCCEEDED(accepted);
  BOOST_CHECK_EQUAL(server.remote_endpoint(), client.local_endpoint());
}

BOOST_AUTO_TEST_CASE(descriptor_limit_while_the_accept_is_pending)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context, tcp::v4()), server(context);
  outcome accepted;
  acceptor.async_accept(server, accepted.record());
  settle(context);
  {
    no_more_descriptors tight;
    client.connect(acceptor.endpoint());
    finish(context);
  }
  // The kernel applies the limit as it was when the accept was submitted to the ring.
  BOOST_CHECK(accepted.error == asio::error::no_descriptors || (on_uring && accepted.succeeded()));
}

BOOST_AUTO_TEST_CASE(descriptor_limit_on_connect)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context);
  outcome connected;
  settle(context);
  {
    no_more_descriptors tight;
    client.async_connect(acceptor.endpoint(), connected.record());
    finish(context);
  }
  CHECK_FAILED(connected, asio::error::no_descriptors);
}

BOOST_AUTO_TEST_CASE(throwing_forms_carry_the_same_errors)
{
  asio::io_context context;
  tcp::socket socket(context);
  const refusing_port port(context);
  const tcp::endpoint endpoint = port.endpoint();
  BOOST_CHECK_EXCEPTION(socket.connect(endpoint), boost::system::system_error,
                        [](auto& e) { return e.code() == asio::error::connection_refused; });
  BOOST_CHECK_THROW(tcp::socket(context).cancel(), boost::system::system_error);
  BOOST_CHECK_THROW(tcp::socket(context).remote_endpoint(), boost::system::system_error);
}

BOOST_AUTO_TEST_CASE(failed_operation_leaves_the_socket_usable)
{
  connection c;
  std::array<char, 8> data;
  outcome aborted, read;
  c.server.async_read_some(asio::buffer(data), aborted.record());
  c.server.cancel();
  finish(c.context);
  c.server.async_read_some(asio::buffer(data), read.record());
  write_text(c.client, "abc");
  finish(c.context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_SUITE_END()
