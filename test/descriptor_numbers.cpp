// test/descriptor_numbers.cpp: numbers that are reused at once, and descriptors that must not leak.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(descriptor_numbers)

BOOST_AUTO_TEST_CASE(descriptor_number_is_reused_while_the_old_read_is_pending)
{
  asio::io_context context;
  for (int i = 0; i != 100; ++i) {
    pair<local> before(context);
    std::array<char, 8> old_data, data;
    outcome old_read, read;
    int number = before.server.native_handle();
    before.server.async_read_some(asio::buffer(old_data), old_read.record());
    if (i % 2) settle(context);
    before.server.close();
    pair<local> after(context);
    BOOST_REQUIRE_EQUAL(after.client.native_handle(), number);
    after.client.async_read_some(asio::buffer(data), read.record());
    write_text(after.server, "new");
    finish(context);
    CHECK_FAILED(old_read, asio::error::operation_aborted);
    BOOST_REQUIRE_EQUAL(std::string(data.data(), read.bytes), "new");
  }
}

BOOST_AUTO_TEST_CASE(descriptor_number_is_reused_while_an_old_wait_is_pending)
{
  asio::io_context context;
  pair<local> before(context);
  outcome old_wait, wait;
  before.server.async_wait(local::socket::wait_read, old_wait.record());
  settle(context);
  before.server.close();
  pair<local> after(context);
  after.client.async_wait(local::socket::wait_read, wait.record());
  settle(context);
  CHECK_FAILED(old_wait, asio::error::operation_aborted);
  BOOST_CHECK_EQUAL(wait.calls, 0);
  write_text(after.server, "x");
  finish(context);
  CHECK_SUCCEEDED(wait);
}

BOOST_AUTO_TEST_CASE(descriptors_do_not_leak)
{
  asio::io_context context;
  auto churn = [&] {
    pair<> p(context);
    pair<local> q(context);
    std::array<char, 8> data;
    p.server.async_read_some(asio::buffer(data), [](error_code, std::size_t) {});
    q.server.async_read_some(asio::buffer(data), [](error_code, std::size_t) {});
    settle(context);
    write_text(q.client, "x");
    p.server.close();
    finish(context);
  };
  churn();
  auto before = open_descriptors();
  for (int i = 0; i != 200; ++i)
    churn();
  BOOST_CHECK_EQUAL(open_descriptors(), before);
}

BOOST_AUTO_TEST_CASE(a_second_look_that_is_due_leaves_nothing_of_a_socket_that_is_closed)
{
  asio::io_context context;
  pair<local> other(context);
  std::array<char, 8> data;
  const auto read_shortly = [&] { // a short read, so that the socket is looked at again
    write_text(other.client, "x");
    other.server.async_read_some(asio::buffer(data), [](error_code, std::size_t) {});
    finish(context);
  };
  read_shortly();
  const auto before = open_descriptors();
  {
    pair<> p(context);
    read_shortly();
    p.server.async_read_some(asio::buffer(data), [](error_code, std::size_t) {});
    settle(context);
    std::this_thread::sleep_for(50ms);
    p.server.close();
    finish(context);
  }
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(descriptors_of_cancelled_accepts_do_not_leak)
{
  asio::io_context context;
  listener acceptor(context);
  auto churn = [&] {
    tcp::socket client(context), server(context);
    outcome accepted;
    acceptor.async_accept(server, accepted.record());
    settle(context);
    client.connect(acceptor.endpoint());
    acceptor.cancel();
    finish(context);
    if (accepted.error) server = acceptor.accept();
  };
  churn();
  auto before = open_descriptors();
  for (int i = 0; i != 200; ++i)
    churn();
  BOOST_CHECK_EQUAL(open_descriptors(), before);
}

BOOST_AUTO_TEST_CASE(descriptors_of_destroyed_contexts_do_not_leak)
{
  auto churn = [] {
    asio::io_context context, outside;
    listener acceptor(context);
    tcp::socket client(outside), peer(context);
    pair<> p(context);
    std::array<char, 8> data;
    p.server.async_read_some(asio::buffer(data), [](error_code, std::size_t) {});
    acceptor.async_accept(peer, [](error_code) {});
    context.poll();
    client.connect(acceptor.endpoint());
    if (std::rand() % 2) context.poll_one();
  };
  churn();
  auto before = open_descriptors();
  for (int i = 0; i != 100; ++i)
    churn();
  // The kernel destroys a ring in the background.
  auto limit = std::chrono::steady_clock::now() + 10s;
  while (open_descriptors() != before && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(1ms);
  BOOST_CHECK_EQUAL(open_descriptors(), before);
}

BOOST_AUTO_TEST_CASE(accept_pending_at_the_end_of_the_context_closes_no_other_descriptor)
{
  if (::fcntl(0, F_GETFD) < 0) BOOST_REQUIRE_EQUAL(::open("/dev/null", O_RDONLY), 0);
  {
    asio::io_context context;
    auto acceptor = std::make_shared<listener>(context);
    acceptor->async_accept([acceptor](error_code, tcp::socket) {});
    settle(context);
  }
  BOOST_CHECK_GE(::fcntl(0, F_GETFD), 0);
}

BOOST_AUTO_TEST_SUITE_END()
