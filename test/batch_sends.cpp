// test/batch_sends.cpp: sends of many datagrams by one operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "batch_fixture.hpp"
#include "child.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>

using namespace test;

BOOST_AUTO_TEST_SUITE(batch_sends)

BOOST_AUTO_TEST_CASE_TEMPLATE(each_gets_what_is_for_him_in_order, Family, families)
{
  mail<Family> m;
  send_batch<typename Family::protocol> out(4);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i != 24; ++i)
    texts.push_back(i == 7 ? "" : m.text(i));
  for (std::size_t i = 0; i != texts.size(); ++i) {
    const asio::const_buffer whole = asio::buffer(texts[i]);
    const std::array<asio::const_buffer, 2> parts = {asio::buffer(whole, whole.size() / 2),
                                                     whole + whole.size() / 2};
    if (i % 2)
      out.push_back(parts, m.senders[i % 3].local_endpoint());
    else
      out.push_back(asio::buffer(texts[i]), m.senders[i % 3].local_endpoint());
  }
  outcome o;
  async_send_many(m.receiver, out, o.record());
  finish(m.context);
  CHECK_SUCCEEDED(o);
  BOOST_TEST(o.bytes == 24u);
  BOOST_TEST(out.size() == 24u);
  for (std::size_t s = 0; s != 3; ++s) {
    const auto got = received_singly(m.senders[s], 8);
    BOOST_REQUIRE(got.size() == 8u);
    for (std::size_t i = 0; i != 8; ++i)
      BOOST_TEST(got[i] == texts[3 * i + s]);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(those_before_the_one_that_fails_count, Family, families)
{
  mail<Family> m;
  const std::string too_long(1 << 20, 'x');
  m.receiver.set_option(asio::socket_base::send_buffer_size(4096));
  send_batch<typename Family::protocol> out;
  const auto to = m.senders[0].local_endpoint();
  for (const std::string_view s :
       {std::string_view("a"), std::string_view("b"), std::string_view(too_long), std::string_view("c")})
    out.push_back(asio::buffer(s), to);
  outcome o;
  async_send_many(m.receiver, out, o.record());
  finish(m.context);
  CHECK_FAILED(o, asio::error::message_size);
  BOOST_TEST(o.bytes == 2u);
  out.consume(o.bytes);
  error_code ec;
  BOOST_TEST(send_many(m.receiver, out, ec) == 0u);
  BOOST_TEST(ec == asio::error::message_size);
  BOOST_CHECK_THROW(send_many(m.receiver, out), boost::system::system_error);
  out.consume(1);
  BOOST_TEST(send_many(m.receiver, out) == 1u);
  out.consume(1);
  BOOST_TEST(out.empty());
  BOOST_TEST((received_singly(m.senders[0], 3) == std::vector<std::string>{"a", "b", "c"}));
}

/// Connected UNIX sockets, and more to send than there is room for.
struct crowd
{
  asio::io_context context;
  unix_datagram::socket from{context}, to{context};
  std::vector<std::string> texts;
  send_batch<unix_datagram> out;
  crowd()
  {
    asio::local::connect_pair(from, to);
    for (int i = 0; i != 600; ++i)
      texts.push_back(std::to_string(i) + std::string(1000, 'x'));
    for (const auto& t : texts)
      out.push_back(asio::buffer(t));
  }
};

BOOST_FIXTURE_TEST_CASE(they_wait_for_room_and_none_comes_between, crowd)
{
  outcome many, behind;
  async_send_many(from, out, many.record());
  from.async_send(asio::buffer("last", 4), behind.record());
  settle(context);
  BOOST_TEST(!many.done());
  BOOST_TEST(!behind.done());
  receive_batch<unix_datagram> in(texts.size() + 1, 2000);
  std::size_t received = 0;
  texts.push_back("last");
  while (received < texts.size()) {
    outcome o;
    async_receive_many(to, in, o.record());
    run_until(context, [&] { return o.done(); });
    CHECK_SUCCEEDED(o);
    for (const auto& d : in)
      BOOST_TEST(mail<unix_sockets>::data_of(d) == texts[received++]);
  }
  finish(context);
  CHECK_SUCCEEDED(many);
  BOOST_TEST(many.bytes == 600u);
  CHECK_SUCCEEDED(behind);
}

BOOST_FIXTURE_TEST_CASE(those_that_were_sent_before_a_cancellation_count, crowd)
{
  outcome o;
  async_send_many(from, out, o.record());
  settle(context);
  from.cancel();
  finish(context);
  CHECK_FAILED(o, asio::error::operation_aborted);
  BOOST_TEST((o.bytes > 0 && o.bytes < texts.size()));
  const std::size_t sent = o.bytes;
  out.consume(sent);
  to.non_blocking(true);
  receive_batch<unix_datagram> in(texts.size(), 2000);
  BOOST_TEST(receive_many(to, in) == sent);
  for (std::size_t i = 0; i != in.size(); ++i)
    BOOST_TEST(mail<unix_sockets>::data_of(in[i]) == texts[i]);
  // It goes on with the next one.
  outcome rest;
  async_send_many(from, out, rest.record());
  settle(context);
  BOOST_TEST(receive_many(to, in) > 0u);
  BOOST_TEST(mail<unix_sockets>::data_of(in[0]) == texts[sent]);
  from.close();
  finish(context);
  CHECK_FAILED(rest, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(a_batch_may_be_larger_than_what_the_kernel_takes_at_once)
{
  asio::io_context context;
  unix_datagram::socket from(context), to(context);
  asio::local::connect_pair(from, to);
  send_batch<unix_datagram> out;
  constexpr std::size_t count = 2500;
  for (std::size_t i = 0; i != count; ++i)
    out.push_back(asio::buffer("x", 1));
  outcome o;
  async_send_many(from, out, o.record());
  receive_batch<unix_datagram> in(100, 8);
  std::size_t received = 0;
  while (received < count) {
    outcome r;
    async_receive_many(to, in, r.record());
    run_until(context, [&] { return r.done(); });
    received += in.size();
  }
  finish(context);
  CHECK_SUCCEEDED(o);
  BOOST_TEST(o.bytes == count);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_synchronous_send_comes_after_what_was_started_before, Family, families)
{
  mail<Family> m;
  const auto to = m.senders[0].local_endpoint();
  send_batch<typename Family::protocol> out;
  out.push_back(asio::buffer("b", 1), to);
  outcome o;
  asio::post(m.context, [&] {
    m.receiver.async_send_to(asio::buffer("a", 1), to, o.record());
    BOOST_TEST(send_many(m.receiver, out) == 1u);
  });
  finish(m.context);
  CHECK_SUCCEEDED(o);
  BOOST_TEST((received_singly(m.senders[0], 2) == std::vector<std::string>{"a", "b"}));
}

BOOST_AUTO_TEST_CASE(a_refused_destination_is_told)
{
  asio::io_context context;
  udp::socket socket(context, udp4().name()), nobody(context, udp4().name());
  socket.connect(nobody.local_endpoint());
  nobody.close();
  send_batch<udp> out;
  for (int i = 0; i != 3; ++i)
    out.push_back(asio::buffer("x", 1));
  outcome first;
  async_send_many(socket, out, first.record());
  finish(context);
  BOOST_TEST(first.bytes > 0u);
  if (first.error) BOOST_TEST(first.error == asio::error::connection_refused);
  if (!first.error) {
    BOOST_TEST(first.bytes == 3u);
    pollfd p{socket.native_handle(), 0, 0};
    BOOST_REQUIRE(::poll(&p, 1, 20'000) == 1); // POLLERR
    outcome second;
    async_send_many(socket, out, second.record());
    finish(context);
    CHECK_FAILED(second, asio::error::connection_refused);
    BOOST_TEST(second.bytes == 0u);
  }
}

BOOST_AUTO_TEST_CASE(where_the_calls_for_several_are_forbidden_they_go_one_by_one)
{
  for (const int error : {EPERM, ENOSYS})
    BOOST_TEST(in_child([&] {
                 forbid(SYS_recvmmsg, error);
                 forbid(SYS_sendmmsg, error);
                 mail<udp4> m;
                 send_batch<udp> out;
                 std::vector<std::string> texts;
                 for (std::size_t i = 0; i != 6; ++i)
                   texts.push_back(m.text(i));
                 for (const auto& t : texts)
                   out.push_back(asio::buffer(t), m.receiver.local_endpoint());
                 outcome o;
                 async_send_many(m.senders[0], out, o.record());
                 finish(m.context);
                 if (!o.succeeded() || o.bytes != 6) return 1;
                 for (std::size_t i = 0; i != 6; ++i)
                   if (!m.receive().succeeded() || m.batch.size() != 1 || m.data_of(m.batch[0]) != texts[i])
                     return 2;
                 return 0;
               }) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
