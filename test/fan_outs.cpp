// test/fan_outs.cpp: sends of one buffer to many sockets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "zero_copy_fixture.hpp"

#include <asio_uring/within.hpp>
#include <functional>

using namespace test;
using asio_uring::async_fan_out;
using errors = std::vector<error_code>;

namespace {

struct crowd : context_with
{
  std::vector<std::unique_ptr<pair<>>> pairs;
  std::vector<tcp::socket*> clients;
  std::optional<errors> ended;

  crowd() : context_with({.zero_copy_threshold = 1}) { add(5); }
  void add(int count)
  {
    for (int i = 0; i != count; ++i) {
      pairs.push_back(std::make_unique<pair<>>(context));
      clients.push_back(&pairs.back()->client);
    }
  }
  auto record()
  {
    return [this](errors e) { ended = std::move(e); };
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(fan_outs)

BOOST_FIXTURE_TEST_CASE(every_socket_gets_the_buffer, crowd)
{
  const std::string text = random_text(50'000);
  async_fan_out(context, asio::buffer(text), clients, record());
  int intact = 0;
  std::list<std::string> got;
  for (const auto& p : pairs) {
    std::string& mine = got.emplace_back(text.size(), '\0');
    asio::async_read(p->server, asio::buffer(mine),
                     [&](error_code ec, std::size_t) { intact += !ec && mine == text; });
  }
  finish(context);
  BOOST_REQUIRE(ended);
  BOOST_TEST((*ended == errors(5)));
  BOOST_TEST(intact == 5);
}

BOOST_FIXTURE_TEST_CASE(a_shared_buffer_is_kept_and_let_go, crowd)
{
  auto text = std::make_shared<const std::string>(random_text(1000));
  const std::weak_ptr<const std::string> left = text;
  const std::string expected = *text;
  async_fan_out(context, std::move(text), clients, record());
  BOOST_TEST(!left.expired());
  finish(context);
  BOOST_TEST(left.expired());
  BOOST_REQUIRE(ended);
  for (const auto& p : pairs)
    BOOST_TEST((read_text(p->server, 1000) == expected));
}

BOOST_FIXTURE_TEST_CASE(each_error_is_told_with_its_socket, crowd)
{
  clients[1]->close();
  clients[3]->shutdown(tcp::socket::shutdown_send);
  async_fan_out(context, std::make_shared<std::vector<std::byte>>(100), clients, record());
  finish(context);
  BOOST_REQUIRE(ended);
  BOOST_TEST(ended->size() == 5u);
  for (std::size_t i = 0; i != 5; ++i)
    BOOST_TEST((*ended)[i] == (i == 1   ? error_code(asio::error::bad_descriptor)
                               : i == 3 ? error_code(asio::error::broken_pipe)
                                        : error_code()));
}

BOOST_FIXTURE_TEST_CASE(no_socket_is_a_number_as_any_other, crowd)
{
  clients.clear();
  async_fan_out(context, asio::buffer("x", 1), clients, record());
  BOOST_TEST(!ended);
  finish(context);
  BOOST_REQUIRE(ended);
  BOOST_TEST(ended->empty());
}

BOOST_FIXTURE_TEST_CASE(ranges_of_every_kind_go, crowd)
{
  const std::string text = "text";
  std::vector<tcp::socket> values;
  for (const auto& p : pairs)
    values.push_back(std::move(p->client));
  std::vector<std::reference_wrapper<tcp::socket>> references(values.begin(), values.end());
  std::list<std::shared_ptr<tcp::socket>> shared;
  for (tcp::socket& s : values)
    shared.emplace_back(std::shared_ptr<void>(), &s);
  int calls = 0;
  const auto count = [&](const errors& e) { calls += e == errors(5); };
  async_fan_out(context, asio::buffer(text), values, count);
  finish(context);
  async_fan_out(context.get_executor(), asio::buffer(text), references, count);
  finish(context);
  async_fan_out(values[0], asio::buffer(text), shared, count);
  finish(context);
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        count(co_await async_fan_out(context, asio::buffer(text), shared | std::views::all,
                                     asio::use_awaitable));
      },
      asio::detached);
  finish(context);
  BOOST_TEST(calls == 4);
  BOOST_TEST(read_text(pairs[4]->server, 16) == "texttexttexttext");
}

BOOST_AUTO_TEST_CASE(datagrams_are_sent_to_each)
{
  using udp = asio::ip::udp;
  asio::io_context context;
  const udp::endpoint anywhere(asio::ip::address_v4::loopback(), 0);
  udp::socket a(context, anywhere), b(context, anywhere), to(context, anywhere);
  a.connect(to.local_endpoint());
  b.connect(to.local_endpoint());
  bool sent = false;
  async_fan_out(context, asio::buffer("datagram", 8), std::array{&a, &b},
                [&](const errors& e) { sent = e == errors(2); });
  finish(context);
  BOOST_TEST(sent);
  char got[16];
  BOOST_TEST(to.receive(asio::buffer(got)) == 8u);
  BOOST_TEST(to.receive(asio::buffer(got)) == 8u);
}

BOOST_AUTO_TEST_CASE(a_socket_that_takes_nothing_holds_up_the_end_alone)
{
  slow_connection slow;
  pair<> quick(slow.context);
  const auto text = std::make_shared<const std::string>(random_text(3'000'000));
  std::optional<errors> ended;
  asio::cancellation_signal stop;
  async_fan_out(slow.context, text, std::array{&slow.client, &quick.client},
                asio::bind_cancellation_slot(stop.slot(), [&](errors e) { ended = std::move(e); }));
  std::string got(text->size(), '\0');
  outcome read;
  asio::async_read(quick.server, asio::buffer(got), read.record());
  run_until(slow.context, [&] { return read.done(); });
  BOOST_TEST((got == *text));
  settle(slow.context);
  BOOST_TEST(!ended);
  stop.emit(asio::cancellation_type::terminal);
  slow.client.shutdown(tcp::socket::shutdown_send);
  BOOST_TEST(read_to_end(slow.server).size() < text->size());
  finish(slow.context);
  BOOST_REQUIRE(ended);
  BOOST_TEST((*ended == errors{asio::error::operation_aborted, error_code()}));
}

BOOST_AUTO_TEST_CASE(the_end_of_the_context_lets_everything_go)
{
  const auto text = std::make_shared<const std::string>(random_text(3'000'000));
  {
    slow_connection slow;
    async_fan_out(slow.context, text, std::array{&slow.client}, [](const errors&) { BOOST_TEST(false); });
    settle(slow.context);
    BOOST_TEST(text.use_count() > 1);
  }
  BOOST_TEST(text.use_count() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
