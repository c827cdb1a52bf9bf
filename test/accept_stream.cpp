// accept_stream.cpp: connections that are accepted before the program asks for them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"
#include "listening.hpp"
#include <asio_uring/accept_stream.hpp>
#include <set>
#include <thread>

using namespace test;

BOOST_AUTO_TEST_SUITE(accept_stream)

BOOST_FIXTURE_TEST_CASE(connections_come_in_their_order, listening)
{
  asio_uring::accept_stream connections(acceptor);
  std::vector<int> numbers;
  come(20);
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        while (numbers.size() < 20) {
          tcp::socket socket = co_await connections.async_next(asio::use_awaitable);
          numbers.push_back(number_of(socket));
        }
      },
      asio::detached);
  finish(context);
  BOOST_REQUIRE(numbers.size() == 20u);
  for (int i = 0; i < 20; ++i)
    BOOST_TEST(numbers[static_cast<std::size_t>(i)] == i);
}

BOOST_FIXTURE_TEST_CASE(several_that_wait_are_served_in_their_order, listening)
{
  asio_uring::accept_stream connections(acceptor);
  std::vector<int> numbers, asked;
  for (int i = 0; i < 10; ++i)
    connections.async_next([&, i](error_code ec, tcp::socket s) {
      asked.push_back(i);
      numbers.push_back(ec ? -1 : number_of(s));
    });
  settle(context);
  come(10);
  finish(context);
  BOOST_TEST(asked == (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  BOOST_TEST(numbers == asked);
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_next_takes_no_connection, listening)
{
  asio_uring::accept_stream connections(acceptor);
  asio::cancellation_signal signal;
  next_connection cancelled, timed, served;
  connections.async_next(asio::bind_cancellation_slot(signal.slot(), cancelled.record()));
  settle(context);
  come(1); // its connection may have been accepted by now, or not
  signal.emit(asio::cancellation_type::total);
  finish(context);
  if (cancelled.ended.error) {
    CHECK_FAILED(cancelled.ended, asio::error::operation_aborted);
    connections.async_next(served.record());
    finish(context);
    BOOST_TEST(served.number() == 0);
  }
  connections.async_next(asio_uring::within(10ms, timed.record()));
  finish(context);
  CHECK_FAILED(timed.ended, asio::error::timed_out);
  come(1);
  next_connection last;
  connections.async_next(last.record());
  finish(context);
  BOOST_TEST(last.number() == 0);
}

BOOST_FIXTURE_TEST_CASE(what_is_due_and_cancelled_is_the_next_ones, listening)
{
  asio_uring::accept_stream connections(acceptor);
  come(3);
  // Its handler is about to run when another handler cancels it.
  asio::cancellation_signal signal;
  next_connection first, second, third;
  connections.async_next([&](error_code ec, tcp::socket s) {
    first.record()(ec, std::move(s));
    signal.emit(asio::cancellation_type::terminal);
  });
  connections.async_next(asio::bind_cancellation_slot(signal.slot(), second.record()));
  connections.async_next(third.record());
  finish(context);
  BOOST_TEST(first.number() == 0);
  CHECK_FAILED(second.ended, asio::error::operation_aborted);
  BOOST_TEST(third.number() == 1);
}

BOOST_FIXTURE_TEST_CASE(the_peers_address_and_the_sockets_executor_can_be_asked_for, listening)
{
  asio_uring::accept_stream connections(acceptor);
  come(4);
  tcp::endpoint first, second;
  auto strand = asio::make_strand(context);
  asio::thread_pool pool(1);
  int calls = 0;
  connections.async_next(first, [&](error_code ec, tcp::socket s) {
    BOOST_TEST(!ec);
    BOOST_TEST(first == s.remote_endpoint());
    ++calls;
  });
  connections.async_next(strand, second, [&](error_code ec, auto s) {
    BOOST_TEST(!ec);
    static_assert(std::is_same_v<typename decltype(s)::executor_type, decltype(strand)>);
    BOOST_TEST(second == s.remote_endpoint());
    ++calls;
  });
  connections.async_next(pool, asio::bind_executor(strand, [&](error_code ec, auto s) {
                           BOOST_TEST(!ec);
                           BOOST_TEST(&s.get_executor().context() == &pool);
                           BOOST_TEST(strand.running_in_this_thread());
                           ++calls;
                         }));
  connections.async_next(asio::bind_executor(strand, [&](error_code ec, tcp::socket s) {
    BOOST_TEST(!ec);
    BOOST_TEST(s.is_open());
    ++calls;
  }));
  finish(context);
  BOOST_TEST(calls == 4);
  BOOST_TEST(first == clients[0].local_endpoint());
  BOOST_TEST(second == clients[1].local_endpoint());
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_has_gone_has_no_address, listening)
{
  asio_uring::accept_stream connections(acceptor);
  come(1);
  clients[0].set_option(asio::socket_base::linger(true, 0));
  clients[0].close(); // with a reset
  tcp::endpoint peer = loopback(1);
  next_connection next;
  connections.async_next(peer, next.record());
  finish(context);
  CHECK_SUCCEEDED(next.ended);
  BOOST_TEST(peer == tcp::endpoint());
}

// --- limits

BOOST_FIXTURE_TEST_CASE(without_a_free_descriptor_it_pauses_and_loses_nobody, listening)
{
  asio_uring::accept_stream connections(acceptor);
  std::vector<tcp::socket> served;
  std::function<void()> serve = [&] {
    connections.async_next([&](error_code ec, tcp::socket s) {
      BOOST_REQUIRE_EQUAL(ec, error_code());
      served.push_back(std::move(s));
      if (served.size() < 10) serve();
    });
  };
  come(10);
  {
    const no_more_descriptors none;
    serve();
    BOOST_TEST(sleeps(context));
    BOOST_TEST(served.empty());
    BOOST_TEST(asio_uring::statistics(context).pauses > 0u);
  }
  finish(context);
  BOOST_REQUIRE(served.size() == 10u);
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(number_of(served[static_cast<std::size_t>(i)]) == i);
}

BOOST_FIXTURE_TEST_CASE(a_listener_that_does_not_block_is_waited_for_all_the_same, listening)
{
  acceptor.non_blocking(true);
  acceptor.native_non_blocking(true);
  asio_uring::accept_stream connections(acceptor);
  next_connection first, second;
  connections.async_next(first.record());
  BOOST_TEST(sleeps(context));
  come(1);
  finish(context);
  BOOST_TEST(first.number() == 0);
  acceptor.non_blocking(false);
  acceptor.native_non_blocking(false);
  connections.async_next(second.record());
  settle(context);
  come(1);
  finish(context);
  BOOST_TEST(second.number() == 0);
}

BOOST_FIXTURE_TEST_CASE(no_more_than_asked_for_are_accepted_ahead, listening)
{
  constexpr std::size_t most = 2, backlog = 8;
  acceptor.listen(backlog);
  asio_uring::accept_stream connections(acceptor, {.max_ready = most});
  next_connection first;
  connections.async_next(first.record());
  settle(context);
  const std::size_t before = open_descriptors();
  come(backlog);
  turn();
  const std::size_t accepted = open_descriptors() - before - backlog;
  BOOST_TEST(first.ended.succeeded());
  BOOST_TEST(accepted >= most);
  BOOST_TEST(accepted <= 1 + most + backlog);
  // All of them have been accepted and can be taken.
  std::size_t served = 1;
  std::function<void()> serve = [&] {
    connections.async_next([&](error_code ec, tcp::socket) {
      BOOST_TEST(!ec);
      if (++served < clients.size()) serve();
    });
  };
  serve();
  finish(context);
  BOOST_TEST(served == clients.size());
}

BOOST_AUTO_TEST_CASE(the_smallest_ring_will_do)
{
  listening l;
  // It must not be the first object of the context, so that the ring is set up already.
  asio::io_context small;
  asio_uring::use_io_uring(small, {.entries = 2, .completions = 4});
  tcp::acceptor acceptor(small, loopback());
  asio_uring::accept_stream connections(acceptor);
  std::size_t served = 0;
  std::function<void()> serve = [&] {
    connections.async_next([&](error_code ec, tcp::socket) {
      BOOST_TEST(!ec);
      if (++served < 100) serve();
    });
  };
  serve();
  settle(small);
  const tcp::endpoint where = acceptor.local_endpoint();
  for (int i = 0; i < 100; ++i) {
    l.clients.emplace_back(l.context).connect(where);
    if (i % 50 == 0) settle(small);
  }
  finish(small);
  BOOST_TEST(served == 100u);
}

// --- its end

BOOST_FIXTURE_TEST_CASE(what_is_left_is_the_acceptors_next, listening)
{
  come(5);
  next_connection by_stream, aborted, asynchronous, again, last;
  {
    asio_uring::accept_stream connections(acceptor);
    connections.async_next(by_stream.record());
    run_until(context, [&] { return by_stream.ended.done(); });
    turn();
    connections.async_next(aborted.record()); // its connection may have been accepted already
  }
  tcp::endpoint peer;
  acceptor.async_accept(peer, asynchronous.record());
  finish(context);
  BOOST_TEST(by_stream.number() == 0);
  CHECK_FAILED(aborted.ended, asio::error::operation_aborted);
  BOOST_TEST(asynchronous.number() == 1);
  BOOST_TEST(peer == clients[1].local_endpoint());
  tcp::socket synchronous = acceptor.accept(peer);
  BOOST_TEST(number_of(synchronous) == 2);
  BOOST_TEST(peer == clients[2].local_endpoint());
  // Another stream, and an ordinary accept beside it.
  asio_uring::accept_stream connections(acceptor);
  connections.async_next(again.record());
  acceptor.async_accept(last.record());
  finish(context);
  BOOST_TEST(again.number() == 3);
  BOOST_TEST(last.number() == 4);
}

BOOST_FIXTURE_TEST_CASE(what_waits_when_the_stream_ends_is_aborted, listening)
{
  next_connection next;
  std::optional<asio_uring::accept_stream<tcp>> connections(std::in_place, acceptor);
  connections->async_next(next.record());
  settle(context);
  asio_uring::accept_stream moved(std::move(*connections));
  connections.reset();
  settle(context);
  BOOST_TEST(!next.ended.done());
  {
    const asio_uring::accept_stream last(std::move(moved));
  }
  finish(context);
  CHECK_FAILED(next.ended, asio::error::operation_aborted);
}

BOOST_FIXTURE_TEST_CASE(what_waits_on_a_stream_is_aborted_when_another_is_assigned_to_it, listening)
{
  next_connection next, of_other;
  tcp::acceptor other_acceptor(context, {asio::ip::address_v4::loopback(), 0});
  asio_uring::accept_stream connections(acceptor), others(other_acceptor);
  connections.async_next(next.record());
  others.async_next(of_other.record());
  settle(context);
  connections = std::move(others);
  run_until(context, [&] { return next.ended.done(); });
  CHECK_FAILED(next.ended, asio::error::operation_aborted);
  BOOST_TEST(!of_other.ended.done());
  tcp::socket client(context);
  client.connect(other_acceptor.local_endpoint());
  run_until(context, [&] { return of_other.ended.done(); });
  CHECK_SUCCEEDED(of_other.ended);
}

BOOST_FIXTURE_TEST_CASE(what_is_left_when_the_acceptor_is_closed_is_closed, listening)
{
  next_connection first, waiting, closed;
  asio_uring::accept_stream connections(acceptor);
  come(5);
  const std::size_t before = open_descriptors();
  connections.async_next(first.record());
  run_until(context, [&] { return first.ended.done(); });
  turn();
  first.socket.reset();
  acceptor.close();
  turn();
  BOOST_TEST(open_descriptors() == before - 1);
  for (tcp::socket& client : clients) {
    error_code ec;
    char byte;
    client.receive(asio::buffer(&byte, 1), 0, ec);
    BOOST_TEST(ec.failed());
  }
  connections.async_next(closed.record());
  finish(context);
  CHECK_FAILED(closed.ended, asio::error::bad_descriptor);

  acceptor = tcp::acceptor(context, loopback());
  connections.async_next(waiting.record());
  settle(context);
  acceptor.close();
  finish(context);
  CHECK_FAILED(waiting.ended, asio::error::operation_aborted);
}

BOOST_FIXTURE_TEST_CASE(one_that_does_not_listen_is_refused_each_time, listening)
{
  tcp::acceptor bound(context);
  bound.open(tcp::v4());
  bound.bind(loopback());
  asio_uring::accept_stream connections(bound);
  for (int i = 0; i < 2; ++i) {
    next_connection next;
    connections.async_next(next.record());
    finish(context);
    CHECK_FAILED(next.ended, asio::error::invalid_argument);
  }
  bound.listen();
  clients.emplace_back(context).connect(bound.local_endpoint());
  next_connection next;
  connections.async_next(next.record());
  finish(context);
  CHECK_SUCCEEDED(next.ended);
}

BOOST_AUTO_TEST_CASE(the_context_may_end_first)
{
  const std::size_t before = open_descriptors();
  {
    asio::io_context other;
    std::vector<tcp::socket> outside;
    auto held = std::make_shared<int>();
    {
      listening l;
      asio_uring::accept_stream connections(l.acceptor);
      for (int i = 0; i < 5; ++i)
        outside.emplace_back(other).connect(l.acceptor.local_endpoint());
      connections.async_next([held](error_code, tcp::socket) {});
      run_until(l.context, [&] { return held.use_count() == 1; });
      settle(l.context);
      connections.async_next([held](error_code, tcp::socket) {}); // due
      connections.async_next([held](error_code, tcp::socket) {});
    }
    BOOST_TEST(held.use_count() == 1);
  }
  BOOST_TEST(open_descriptors() <= before);
}

BOOST_FIXTURE_TEST_CASE(both_processes_go_on_after_a_fork, listening)
{
  asio_uring::accept_stream connections(acceptor);
  next_connection next;
  connections.async_next(next.record());
  settle(context);
  // One for each process, whichever is first; they connect when both wait.
  const pid_t clients_of_both = ::fork();
  if (clients_of_both == 0)
    exit_with([&] {
      const auto where = acceptor.local_endpoint();
      std::vector<int> sockets;
      for (int i = 0; i < 20; ++i) {
        std::this_thread::sleep_for(20ms);
        sockets.push_back(::socket(AF_INET, SOCK_STREAM, 0));
        ::connect(sockets.back(), where.data(), static_cast<socklen_t>(where.size()));
      }
      return 0;
    });
  fork_and_finish(context, [&] {
    if (!next.ended.succeeded()) return false;
    acceptor.close();
    finish(context);
    return true;
  });
  BOOST_TEST(exit_code_of(clients_of_both) == 0);
}

// --- threads

BOOST_AUTO_TEST_CASE(with_threads_each_connection_is_served_once)
{
  constexpr std::size_t count = 200;
  listening l;
  asio::thread_pool pool(2);
  auto strand = asio::make_strand(pool);
  asio::basic_socket_acceptor<tcp, decltype(strand)> acceptor(strand, loopback());
  asio_uring::accept_stream connections(acceptor, {.max_ready = 8});
  std::set<unsigned short> served;
  std::promise<void> all;
  std::function<void()> serve = [&] {
    connections.async_next(l.context, [&](error_code ec, tcp::socket s) {
      if (!ec) served.insert(s.remote_endpoint().port());
      if (ec || served.size() == count)
        all.set_value();
      else
        serve();
    });
  };
  asio::dispatch(strand, [&] { serve(); });
  for (std::size_t i = 0; i < count; ++i)
    l.clients.emplace_back(l.context).connect(acceptor.local_endpoint());
  BOOST_REQUIRE((all.get_future().wait_for(60s * slowness()) == std::future_status::ready));
  BOOST_TEST(served.size() == count);
  pool.stop();
  pool.join();
}

BOOST_FIXTURE_TEST_CASE(the_loop_may_move_to_another_thread, listening)
{
  asio_uring::accept_stream connections(acceptor);
  std::vector<int> numbers;
  for (int i = 0; i < 3; ++i) {
    connections.async_next([&](error_code ec, tcp::socket s) { numbers.push_back(ec ? -1 : number_of(s)); });
    std::thread([&] { settle(context); }).join();
    come(1);
    finish(context);
  }
  BOOST_TEST(numbers == (std::vector{0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(unix_sockets_are_accepted_likewise)
{
  asio::io_context context;
  const socket_path path;
  local::acceptor acceptor(context, local::endpoint(path.name));
  asio_uring::accept_stream connections(acceptor);
  local::socket client(context);
  client.connect(acceptor.local_endpoint());
  outcome next;
  local::endpoint peer;
  connections.async_next(peer, [&](error_code ec, local::socket s) {
    next.record()(ec);
    BOOST_TEST(s.is_open());
  });
  finish(context);
  CHECK_SUCCEEDED(next);
  BOOST_TEST(peer.path().empty());
}

BOOST_AUTO_TEST_SUITE_END()
