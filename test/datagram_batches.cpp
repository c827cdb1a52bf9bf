// test/datagram_batches.cpp: many datagrams by one operation: receives, and what holds for sends as well.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "batch_fixture.hpp"
#include "crowded_receiver.hpp"
#include "replaced_new.hpp"

#include <asio_uring/within.hpp>
#include <future>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

using namespace test;
using protocols = std::tuple<udp, unix_datagram>;

BOOST_AUTO_TEST_SUITE(datagram_batches)

// --- receiving

BOOST_AUTO_TEST_CASE_TEMPLATE(datagrams_arrive_in_order_with_their_senders, Family, families)
{
  mail<Family> m;
  m.send_texts(0, 9);
  m.receive_texts(0, 9);
  m.send_texts(9, 4);
  m.receive_texts(9, 4);
}

BOOST_AUTO_TEST_CASE(one_operation_takes_all_there_are_and_no_more_than_it_has_room_for)
{
  mail<unix_sockets> m;
  m.send_texts(0, 9);
  for (const std::size_t expected : {8u, 1u}) {
    const outcome o = m.receive();
    CHECK_SUCCEEDED(o);
    BOOST_TEST(o.bytes == expected);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(it_waits_for_the_first, Family, families)
{
  mail<Family> m;
  for (std::size_t i = 0; i != 3; ++i) {
    outcome o;
    async_receive_many(m.receiver, m.batch, o.record());
    settle(m.context);
    BOOST_TEST(!o.done());
    BOOST_TEST(m.batch.empty());
    m.send_texts(i, 1);
    finish(m.context);
    CHECK_SUCCEEDED(o);
    BOOST_TEST(o.bytes == 1u);
    m.check_texts(i);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(long_ones_are_cut_and_empty_ones_count, Family, families)
{
  mail<Family> m;
  const std::string sent[] = {std::string(100, 'a'), std::string(101, 'b'), "", std::string(5000, 'c'), "d"};
  for (const auto& s : sent)
    m.send(0, s);
  for (std::size_t i = 0; i != std::size(sent);) {
    BOOST_REQUIRE(m.receive().succeeded());
    for (const auto& d : m.batch) {
      BOOST_TEST(m.data_of(d) == sent[i].substr(0, 100));
      BOOST_TEST(d.truncated() == (sent[i].size() > 100));
      BOOST_TEST(((d.flags() & MSG_TRUNC) != 0) == d.truncated());
      ++i;
    }
  }
}

BOOST_AUTO_TEST_CASE(names_are_told_whole_whatever_was_received_before)
{
  // A path without a terminating zero, though the kernel counts one.
  mail<unix_sockets> m;
  socket_path shorter;
  sockaddr_un longest{};
  longest.sun_family = AF_UNIX;
  std::string path = shorter.name;
  path.resize(sizeof(longest.sun_path), 'l');
  std::memcpy(longest.sun_path, path.data(), path.size());
  unix_datagram::socket named(m.context, unix_datagram()), nameless(m.context, unix_datagram());
  BOOST_REQUIRE(::bind(named.native_handle(), reinterpret_cast<sockaddr*>(&longest), sizeof(longest)) == 0);
  for (int i = 0; i != 2; ++i) {
    for (auto* s : {&nameless, &named})
      s->send_to(asio::buffer("x", 1), m.receiver.local_endpoint());
    m.send(0, "x");
    BOOST_REQUIRE(m.receive().succeeded());
    BOOST_REQUIRE(m.batch.size() == 3u);
    BOOST_TEST(m.batch[0].sender().path() == "");
    BOOST_TEST(m.batch[1].sender().path() == path);
    BOOST_TEST(m.batch[2].sender().path() == m.senders[0].local_endpoint().path());
    m.send(0, "x");
    BOOST_REQUIRE(m.receive().succeeded());
    BOOST_TEST(m.batch[0].sender().path() == m.senders[0].local_endpoint().path());
  }
  ::unlink(path.c_str());
}

BOOST_AUTO_TEST_CASE(a_large_batch_takes_all_that_waits)
{
  mail<unix_sockets> m;
  m.batch = receive_batch<unix_datagram>(3000, 8);
  m.send_texts(0, 10);
  const outcome o = m.receive();
  CHECK_SUCCEEDED(o);
  BOOST_TEST(o.bytes == 10u);
}

BOOST_AUTO_TEST_CASE(they_go_into_buffers_of_the_program_and_others_in_their_place)
{
  mail<udp4> m;
  std::string a(20, '\0'), b(20, '\0'), c(20, '\0');
  m.batch = receive_batch<udp>(std::array{asio::buffer(a), asio::buffer(b)});
  BOOST_TEST(m.batch.capacity() == 2u);
  m.send_texts(0, 4);
  m.receive_texts(0, 2);
  BOOST_TEST(a.substr(0, 10) == m.text(0));
  m.batch.set_buffer(0, asio::buffer(c));
  m.receive_texts(2, 2);
  BOOST_TEST(a.substr(0, 10) == m.text(0));
  BOOST_TEST(c.substr(0, 10) == m.text(2));
}

BOOST_AUTO_TEST_CASE(a_batch_moves_with_what_it_has)
{
  mail<udp4> m;
  m.send_texts(0, 1);
  m.receive_texts(0, 1);
  receive_batch<udp> other(std::move(m.batch));
  BOOST_TEST(m.batch.capacity() == 0u);
  BOOST_TEST(m.batch.empty());
  m.batch = std::move(other);
  BOOST_TEST(m.check_texts(0) == 1u);
  m.send_texts(1, 3);
  m.receive_texts(1, 3);
  BOOST_CHECK_THROW(receive_batch<udp>(2, static_cast<std::size_t>(-1)), std::length_error);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(it_takes_its_turn_among_other_receives, Family, families)
{
  mail<Family> m;
  m.batch = receive_batch<typename Family::protocol>(2, 100);
  m.send_texts(0, 4);
  m.batch = receive_batch<typename Family::protocol>(1, 100);
  std::string first(100, '\0'), last(100, '\0');
  outcome before, many, after;
  m.receiver.async_receive(asio::buffer(first), before.record());
  async_receive_many(m.receiver, m.batch, many.record());
  m.receiver.async_receive(asio::buffer(last), after.record());
  finish(m.context);
  BOOST_TEST(first.substr(0, before.bytes) == m.text(0));
  CHECK_SUCCEEDED(many);
  m.check_texts(1);
  BOOST_TEST(last.substr(0, after.bytes) == m.text(2));
  m.receive_texts(3, 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_cancelled_receive_has_taken_none, Family, families)
{
  mail<Family> m;
  std::size_t received = 0, sent = 0;
  for (int i = 0; i != 12; ++i) {
    asio::cancellation_signal signal;
    outcome o;
    if (i % 2) m.send_texts(sent++, 1);
    async_receive_many(m.receiver, m.batch, asio::bind_cancellation_slot(signal.slot(), o.record()));
    if (i % 3 == 0) settle(m.context);
    if (i % 4 > 1) m.send_texts(sent++, 1);
    if (i % 2)
      m.receiver.cancel();
    else
      signal.emit(asio::cancellation_type::total);
    finish(m.context);
    BOOST_TEST(o.calls == 1);
    BOOST_TEST(o.bytes == m.batch.size());
    if (o.error) {
      BOOST_TEST(o.error == asio::error::operation_aborted);
      BOOST_TEST(o.bytes == 0u);
    }
    received += m.check_texts(received);
  }
  m.receive_texts(received, sent - received);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_closed_socket_ends_it, Family, families)
{
  mail<Family> m;
  send_batch<typename Family::protocol> out;
  out.push_back(asio::buffer("x", 1), m.receiver.local_endpoint());
  outcome o;
  async_receive_many(m.receiver, m.batch, o.record());
  settle(m.context);
  m.receiver.close();
  finish(m.context);
  CHECK_FAILED(o, asio::error::operation_aborted);
  outcome receive, send, none;
  async_receive_many(m.receiver, m.batch, receive.record());
  async_send_many(m.receiver, out, send.record());
  out.clear();
  async_send_many(m.receiver, out, none.record());
  finish(m.context);
  CHECK_FAILED(receive, asio::error::bad_descriptor);
  CHECK_FAILED(send, asio::error::bad_descriptor);
  CHECK_FAILED(none, asio::error::bad_descriptor);
  error_code ec;
  BOOST_TEST(receive_many(m.receiver, m.batch, ec) == 0u);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  BOOST_TEST(send_many(m.receiver, out, ec) == 0u);
  BOOST_TEST(ec == asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(a_batch_without_room_is_refused_and_nothing_to_send_is_sent)
{
  mail<udp4> m;
  m.send_texts(0, 1);
  m.batch = receive_batch<udp>(0, 100);
  const outcome o = m.receive();
  CHECK_FAILED(o, asio::error::invalid_argument);
  error_code ec;
  BOOST_TEST(receive_many(m.receiver, m.batch, ec) == 0u);
  BOOST_TEST(ec == asio::error::invalid_argument);
  send_batch<udp> nothing;
  outcome sent;
  async_send_many(m.receiver, nothing, sent.record());
  finish(m.context);
  CHECK_SUCCEEDED(sent);
  BOOST_TEST(sent.bytes == 0u);
  BOOST_TEST(send_many(m.receiver, nothing) == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_received_ahead_comes_first, P, protocols)
{
  crowded_receiver<P> c(300);
  receive_batch<P> batch(5, 100);
  c.warm_up();
  for (int round = 0; c.received < c.messages.size(); ++round) {
    outcome o;
    if (round % 3 == 0) {
      async_receive_many(c.receiver, batch, o.record());
      finish(c.context);
      CHECK_SUCCEEDED(o);
    } else if (round % 3 == 1)
      BOOST_TEST(receive_many(c.receiver, batch) > 0u);
    BOOST_REQUIRE((!batch.empty() || round % 3 == 2));
    if (round % 3 < 2)
      for (const auto& d : batch) {
        std::memcpy(c.data.data(), d.data().data(), d.size());
        c.sender = d.sender();
        c.check_from(d.size());
      }
    if (round % 3 == 2) c.receive_some(std::min<std::size_t>(9, c.messages.size() - c.received));
  }
}

BOOST_AUTO_TEST_CASE(an_error_costs_no_datagram)
{
  mail<udp4> m;
  auto& peer = m.senders[0];
  m.receiver.connect(peer.local_endpoint());
  m.senders[0].connect(m.receiver.local_endpoint());
  for (std::size_t i = 0; i != 3; ++i)
    peer.send(asio::buffer(m.text(3 * i)));
  const auto name = peer.local_endpoint();
  peer.close();
  m.receiver.send(asio::buffer("x", 1)); // the peer is gone
  pollfd p{m.receiver.native_handle(), 0, 0};
  BOOST_REQUIRE(::poll(&p, 1, 20'000) == 1); // POLLERR
  int refused = 0;
  for (std::size_t received = 0; received < 3 || refused == 0;) {
    const outcome o = m.receive();
    if (o.error) {
      BOOST_TEST(o.error == asio::error::connection_refused);
      BOOST_REQUIRE(++refused == 1);
    }
    for (const auto& d : m.batch) {
      BOOST_TEST(m.data_of(d) == m.text(3 * received++));
      BOOST_TEST(d.sender() == name);
    }
  }
}

/// Sends a byte together with a descriptor.
void pass_descriptor(int from)
{
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  const int passed = STDERR_FILENO;
  std::memcpy(CMSG_DATA(c), &passed, sizeof(passed));
  BOOST_REQUIRE(::sendmsg(from, &message, 0) == 1);
}

BOOST_AUTO_TEST_CASE(passed_descriptors_are_not_taken_by_whatever_batch)
{
  mail<generic_udp> m; // its batch has room for control messages of UDP
  m.send_texts(0, 1);
  m.receive_texts(0, 1);
  unix_sockets names;
  m.receiver = m.make(names.name());
  m.senders[0] = m.make(names.name());
  m.senders[0].connect(m.receiver.local_endpoint());
  const auto before = open_descriptors();
  for (int i = 0; i != 2; ++i)
    pass_descriptor(m.senders[0].native_handle());
  BOOST_REQUIRE(m.receive().succeeded());
  BOOST_TEST(m.batch.size() == 2u);
  for (const auto& d : m.batch) {
    BOOST_TEST(d.size() == 1u);
    BOOST_TEST((d.flags() & MSG_CTRUNC) != 0);
    BOOST_TEST((d.sender() == m.senders[0].local_endpoint()));
  }
  BOOST_TEST(open_descriptors() == before);
}

// --- synchronous functions

BOOST_AUTO_TEST_CASE_TEMPLATE(synchronous_functions_wait_unless_the_socket_does_not, Family, families)
{
  mail<Family> m;
  error_code ec;
  m.receiver.non_blocking(true);
  BOOST_TEST(receive_many(m.receiver, m.batch, ec) == 0u);
  BOOST_TEST(ec == asio::error::would_block);
  BOOST_CHECK_THROW(receive_many(m.receiver, m.batch), boost::system::system_error);
  m.receiver.non_blocking(false);
  for (const bool internal : {false, true}) {
    if (internal) m.receiver.native_non_blocking(true);
    std::thread other([&] { m.send_texts(0, 1); });
    BOOST_TEST(receive_many(m.receiver, m.batch, ec) == 1u);
    other.join();
    BOOST_TEST(!ec);
    m.check_texts(0);
  }
}

// --- tokens and memory

BOOST_AUTO_TEST_CASE(every_token_completes_them)
{
  mail<udp4> m;
  send_batch<udp> out;
  const std::string text = m.text(0);
  out.push_back(asio::buffer(text), m.receiver.local_endpoint());
  auto& sender = m.senders[0];
  {
    auto work = asio::make_work_guard(m.context);
    std::thread loop([&] { m.context.run(); });
    auto sent = async_send_many(sender, out, asio::use_future);
    BOOST_TEST(sent.get() == 1u);
    auto received = async_receive_many(m.receiver, m.batch, asio::use_future);
    BOOST_TEST(received.get() == 1u);
    work.reset();
    loop.join();
    m.check_texts(0);
  }
  bool done = false;
  m.context.restart();
  asio::co_spawn(
      m.context,
      [&]() -> asio::awaitable<void> {
        BOOST_TEST(co_await async_send_many(sender, out, asio::use_awaitable) == 1u);
        BOOST_TEST(co_await async_receive_many(m.receiver, m.batch, asio::use_awaitable) == 1u);
        auto [ec, n] = co_await async_send_many(sender, out, asio::as_tuple(asio::deferred));
        BOOST_TEST(n == 1u);
        BOOST_TEST(co_await async_receive_many(m.receiver, m.batch, asio::deferred) == 1u);
        done = true;
      },
      asio::detached);
  finish(m.context);
  BOOST_TEST(done);
  BOOST_TEST(async_send_many(sender, out, asio_uring::use_wait) == 1u);
  BOOST_TEST(async_receive_many(m.receiver, m.batch, asio_uring::use_wait) == 1u);
  outcome late;
  async_receive_many(m.receiver, m.batch, asio_uring::within(std::chrono::milliseconds(1), late.record()));
  finish(m.context);
  CHECK_FAILED(late, asio::error::timed_out);
  using default_socket = asio::use_awaitable_t<>::as_default_on_t<udp::socket>;
  static_assert(requires(default_socket & s, receive_batch<udp> & b) {
    {
      async_receive_many(s, b)
      } -> std::same_as<asio::awaitable<std::size_t>>;
  });
}

/// Counts what a handler allocates.
template <class T>
struct counting_allocator
{
  using value_type = T;
  int& living;
  int& all;
  counting_allocator(int& l, int& a) : living(l), all(a) {}
  template <class U>
  counting_allocator(const counting_allocator<U>& other) : living(other.living), all(other.all)
  {}
  T* allocate(std::size_t n)
  {
    ++living, ++all;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, std::size_t n)
  {
    --living;
    std::allocator<T>().deallocate(p, n);
  }
  bool operator==(const counting_allocator&) const { return true; }
};

BOOST_AUTO_TEST_CASE(the_memory_is_the_handlers_and_is_free_when_it_is_called)
{
  mail<udp4> m;
  int living = 0, all = 0, called = 0;
  m.send_texts(0, 1);
  async_receive_many(
      m.receiver, m.batch,
      asio::bind_allocator(counting_allocator<void*>(living, all), [&](error_code ec, std::size_t) {
        BOOST_TEST(!ec);
        BOOST_TEST(living == 0);
        ++called;
      }));
  finish(m.context);
  BOOST_TEST(called == 1);
  BOOST_TEST(all == 1);
}

/// Sends a batch to itself and receives it, again and again.
struct circle
{
  mail<udp4>& m;
  send_batch<udp> out;
  udp::endpoint self = m.receiver.local_endpoint();
  std::array<char, 8> data{};
  int left = 0;
  void turn()
  {
    out.clear();
    for (int i = 0; i != 6; ++i)
      out.push_back(asio::buffer(data), self, i == 5 ? 3 : 0);
    async_send_many(m.receiver, out, [this](error_code, std::size_t) {
      async_receive_many(m.receiver, m.batch, [this](error_code ec, std::size_t) {
        if (!ec && --left > 0) turn();
      });
    });
  }
  void go(int rounds)
  {
    left = rounds;
    m.context.restart();
    turn();
    m.context.run();
  }
};

BOOST_AUTO_TEST_CASE(in_the_steady_state_nothing_is_allocated)
{
  mail<udp4> m;
  m.batch = receive_batch<udp>(64, 100);
  circle c{m, {}};
  c.go(200);
  constexpr long many = 1'000'000;
  allocations_left = many;
  c.go(100);
  const long allocated = many - std::exchange(allocations_left, -1);
  BOOST_TEST(c.left == 0);
  BOOST_TEST(allocated == 0);
}

BOOST_AUTO_TEST_SUITE_END()
