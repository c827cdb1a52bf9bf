// test/idle_memory.cpp: what connections hold of the program's memory.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"
#include "replaced_new.hpp"
#include <asio_uring/receive_stream.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <functional>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <vector>

using namespace test;

namespace {

/// Echoes what it reads into a buffer of its own, which is not counted here.
struct idle_reader
{
  struct shared
  {
    explicit shared(asio::io_context&) {}
  };
  idle_reader(tcp::socket s, shared&) : socket(std::move(s)) {}
  void next()
  {
    socket.async_read_some(asio::buffer(&byte, 1), [this](error_code ec, std::size_t size) {
      if (ec) return;
      asio::async_write(socket, asio::buffer(&byte, size), [this](error_code, std::size_t) { next(); });
    });
  }
  tcp::socket socket;
  char byte;
};

/// Echoes what a receive_stream brings.
struct idle_stream
{
  struct shared
  {
    explicit shared(asio::io_context& c) : buffers(c, {.buffers = 16, .size = 64}) {}
    asio_uring::buffer_ring buffers;
  };
  idle_stream(tcp::socket s, shared& all) : socket(std::move(s)), received(socket, all.buffers) {}
  void next()
  {
    received.async_next([this](error_code ec, asio_uring::received_buffer data) {
      if (ec) return;
      const auto bytes = asio::buffer(data);
      asio::async_write(socket, bytes, [this, data = std::move(data)](error_code, std::size_t) { next(); });
    });
  }
  tcp::socket socket;
  asio_uring::receive_stream<tcp> received;
};

/// Connections that answer. Their peers hold no memory of this program's.
template <typename Session>
struct connections
{
  static constexpr std::size_t most = 600;

  asio::io_context context;
  listener acceptor{context};
  typename Session::shared shared{context};
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<asio_uring::unique_descriptor> peers;

  connections()
  {
    sessions.reserve(most);
    peers.reserve(most);
  }

  /// One after the other has had an answer, and waits.
  void add(std::size_t count)
  {
    for (std::size_t i = 0; i < count; ++i) {
      tcp::socket client(context);
      client.connect(acceptor.endpoint());
      sessions.push_back(std::make_unique<Session>(acceptor.accept(), shared));
      peers.emplace_back(client.release());
      sessions.back()->next();
      ask(peers.back());
      await_answer(peers.back());
    }
  }
  /// All at once.
  void exchange()
  {
    for (const auto& p : peers)
      ask(p);
    for (const auto& p : peers)
      await_answer(p);
  }

private:
  static void ask(const asio_uring::unique_descriptor& peer)
  {
    BOOST_REQUIRE_EQUAL(::send(peer.get(), "x", 1, 0), 1);
  }
  void await_answer(const asio_uring::unique_descriptor& peer)
  {
    char byte;
    run_until(context, [&] { return ::recv(peer.get(), &byte, 1, MSG_DONTWAIT) == 1; });
    settle(context);
  }
};

template <typename Session>
double bytes_of_an_idle_one(bool all_at_once = false)
{
  constexpr std::size_t count = 512;
  connections<Session> all;
  all.add(64);
  const std::size_t before = bytes_in_use();
  all.add(count);
  if (all_at_once) all.exchange();
  return static_cast<double>(bytes_in_use() - before) / static_cast<double>(count);
}

} // namespace

BOOST_AUTO_TEST_SUITE(idle_memory)

BOOST_AUTO_TEST_CASE(an_idle_connection_with_a_receive_stream_holds_600_bytes_at_most,
                     *boost::unit_test::precondition(on_kernel_ring))
{
  BOOST_TEST(bytes_of_an_idle_one<idle_stream>() <= 600);
}

// The session with its socket, what the engine knows of that, and the record of the read.
BOOST_AUTO_TEST_CASE(an_idle_connection_that_reads_holds_one_record,
                     *boost::unit_test::precondition(on_kernel_ring))
{
  BOOST_TEST(bytes_of_an_idle_one<idle_reader>() - sizeof(idle_reader) <= 400);
}

// Memory for as many writes is kept for the next time.
BOOST_AUTO_TEST_CASE(connections_that_were_served_at_once_hold_two_records_at_most,
                     *boost::unit_test::precondition(on_kernel_ring))
{
  BOOST_TEST(bytes_of_an_idle_one<idle_reader>(true) - sizeof(idle_reader) <= 600);
}

BOOST_AUTO_TEST_CASE(exchanges_of_many_connections_allocate_nothing_in_the_steady_state)
{
  const auto check = [](auto&& all) {
    all.add(100);
    for (int i = 0; i < 5; ++i)
      all.exchange();
    const std::size_t before = allocations_made();
    for (int i = 0; i < 5; ++i)
      all.exchange();
    BOOST_TEST(allocations_made() == before);
  };
  check(connections<idle_reader>());
  check(connections<idle_stream>());
}

BOOST_AUTO_TEST_CASE(what_a_burst_of_operations_has_used_is_freed)
{
  asio::io_context context;
  asio::ip::udp::socket socket(context, {asio::ip::address_v4::loopback(), 0});
  char byte;
  settle(context);
  const std::size_t before = bytes_in_use();
  constexpr std::size_t count = 20'000, record = 100;
  std::size_t ended = 0;
  for (std::size_t i = 0; i < count; ++i)
    socket.async_receive(asio::buffer(&byte, 1), [&](error_code, std::size_t) { ++ended; });
  BOOST_TEST(bytes_in_use() - before > count * record);
  socket.cancel();
  finish(context);
  BOOST_TEST(ended == count);
  // The loop has nothing to do for a moment.
  socket.async_receive(asio::buffer(&byte, 1), [&](error_code, std::size_t) { ++ended; });
  asio::steady_timer moment(context, 1ms);
  moment.async_wait([&](error_code) { socket.send_to(asio::buffer("x", 1), socket.local_endpoint()); });
  finish(context);
  BOOST_TEST(ended == count + 1);
  BOOST_TEST(bytes_in_use() - before < count * record / 5);
}

BOOST_AUTO_TEST_CASE(records_are_taken_and_given_back_by_any_thread)
{
  asio_uring::detail::record_memory memory(true);
  const auto use = [&](std::size_t mine) {
    for (std::size_t i = 0; i < 20'000; ++i) {
      auto* const one = new (memory.take<sizeof(std::size_t)>()) std::size_t(mine + i);
      auto* const other = new (memory.take<200>()) std::size_t(mine - i);
      if (*one != mine + i || *other != mine - i) return false; // another thread has it, too
      memory.give_back<sizeof(std::size_t)>(one);
      memory.give_back<200>(other);
    }
    return true;
  };
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (std::size_t t = 1; t <= 4; ++t)
    threads.emplace_back([&, t] { good += use(t << 32); });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(good == 4);
}

BOOST_AUTO_TEST_SUITE_END()
