// test/closes.cpp: when a connection that is closed is closed.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "fixture.hpp"
#include "listening.hpp"
#include "threads.hpp"

#include <functional>
#include <poll.h>
#include <sys/wait.h>

using namespace test;

namespace {

/// What a peer notices, asked without the context: it would submit first what was started.
bool sees_the_end(int fd, std::chrono::milliseconds patience = {})
{
  pollfd p{fd, POLLIN | POLLRDHUP, 0};
  return ::poll(&p, 1, static_cast<int>(patience.count())) == 1 && p.revents & (POLLRDHUP | POLLHUP);
}
constexpr std::chrono::milliseconds soon = 20s;

/// Accepts connections, reads a byte from each, and then lets the test close it.
struct serving : listening
{
  std::function<void(tcp::socket&)> then = [](tcp::socket& s) { s.close(); };
  std::atomic<bool> failed{false}; // several threads may not assert
  ~serving() { BOOST_TEST(!failed); }

  void serve(std::size_t count)
  {
    if (count == 0) return;
    acceptor.async_accept([this, count](error_code ec, tcp::socket s) {
      if (ec) {
        failed = true;
        return;
      }
      auto peer = std::make_shared<tcp::socket>(std::move(s));
      auto byte = std::make_shared<char>();
      peer->async_read_some(asio::buffer(byte.get(), 1), [this, peer, byte](error_code e, std::size_t) {
        if (e)
          failed = true;
        else
          then(*peer);
      });
      serve(count - 1);
    });
  }
  /// One connection, from its beginning to its end.
  void serve_one()
  {
    come(1);
    serve(1);
    finish(context);
  }
  /// Whether its peer sees the end within the handler that closes it.
  template <typename Close>
  bool ends_within_the_handler(Close close)
  {
    bool seen = false;
    then = [&](tcp::socket& s) {
      close(s);
      seen = sees_the_end(client(), soon);
    };
    serve_one();
    return seen;
  }
  int client(std::size_t i = 0) { return clients[i].native_handle(); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(closes)

BOOST_FIXTURE_TEST_CASE(what_the_last_handler_closes_is_closed_when_run_returns, serving)
{
  serve_one();
  BOOST_TEST(sees_the_end(client(), soon));
}

BOOST_FIXTURE_TEST_CASE(what_a_handler_destroys_is_closed_when_run_returns, serving)
{
  then = [](tcp::socket& s) { const tcp::socket ends(std::move(s)); };
  serve_one();
  BOOST_TEST(sees_the_end(client(), soon));
}

BOOST_FIXTURE_TEST_CASE(no_number_stays_open, serving)
{
  constexpr std::size_t many = 300; // more than the ring's queue has room for
  const std::size_t before = open_descriptors();
  come(many);
  const std::size_t with_clients = open_descriptors();
  serve(many);
  finish(context);
  BOOST_TEST(open_descriptors() == with_clients);
  for (std::size_t i = 0; i < many; ++i)
    BOOST_TEST(sees_the_end(client(i), soon));
  clients.clear();
  BOOST_TEST(open_descriptors() == before);
}

BOOST_FIXTURE_TEST_CASE(a_loop_that_has_closed_sleeps, serving)
{
  come(1);
  serve(2);
  BOOST_TEST(sleeps(context));
  BOOST_TEST(sees_the_end(client()));
  come(1);
  finish(context);
  BOOST_TEST(sees_the_end(client(1), soon));
}

BOOST_FIXTURE_TEST_CASE(a_synchronous_call_in_the_same_handler_finds_it_closed, serving)
{
  error_code ended;
  then = [&](tcp::socket& s) {
    s.close();
    char byte;
    clients[0].read_some(asio::buffer(&byte, 1), ended);
  };
  serve_one();
  BOOST_TEST(ended == asio::error::eof);
}

BOOST_FIXTURE_TEST_CASE(what_was_shut_down_is_at_its_end_within_the_handler, serving)
{
  BOOST_TEST(ends_within_the_handler([](tcp::socket& s) {
    s.shutdown(tcp::socket::shutdown_both);
    s.close();
  }));
}

BOOST_FIXTURE_TEST_CASE(a_connection_with_linger_is_reset_within_the_handler, serving)
{
  BOOST_TEST(ends_within_the_handler([](tcp::socket& s) {
    s.set_option(asio::socket_base::linger(true, 0));
    s.close();
  }));
}

BOOST_FIXTURE_TEST_CASE(what_is_closed_outside_of_handlers_is_closed_at_once, serving)
{
  std::optional<tcp::socket> kept;
  then = [&](tcp::socket& s) { kept = std::move(s); };
  serve_one();
  kept.reset();
  BOOST_TEST(sees_the_end(client(), soon));
}

BOOST_FIXTURE_TEST_CASE(a_connection_with_an_operation_in_flight_is_closed_at_once, serving)
{
  outcome read;
  char byte;
  BOOST_TEST(ends_within_the_handler([&](tcp::socket& s) {
    s.async_read_some(asio::buffer(&byte, 1), read.record());
    s.close();
  }));
  BOOST_TEST(read.error == asio::error::operation_aborted);
}

BOOST_FIXTURE_TEST_CASE(an_acceptor_leaves_its_port_within_the_handler, serving)
{
  error_code again;
  then = [&](tcp::socket&) {
    const auto endpoint = acceptor.local_endpoint();
    acceptor.close();
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(endpoint, again);
    acceptor.listen();
  };
  serve_one();
  BOOST_CHECK_EQUAL(again, error_code());
}

BOOST_FIXTURE_TEST_CASE(the_numbers_of_closed_connections_are_free_for_sockets_opened_in_the_same_handler,
                        serving)
{
  constexpr std::size_t count = 20;
  std::vector<tcp::socket> served, opened;
  error_code ec;
  then = [&](tcp::socket& s) {
    served.push_back(std::move(s));
    if (served.size() < count) return;
    const no_more_descriptors none;
    served.clear();
    while (!ec && opened.size() < count)
      opened.emplace_back(context).open(tcp::v4(), ec);
  };
  come(count);
  serve(count);
  finish(context);
  BOOST_CHECK_EQUAL(ec, error_code());
  BOOST_TEST(opened.size() == count);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_stopped_context_closes_it)
{
  asio::io_context outer;
  std::optional<tcp::socket> client;
  {
    serving s;
    s.then = [&](tcp::socket& socket) {
      socket.close();
      s.context.stop();
    };
    client.emplace(outer).connect(s.acceptor.local_endpoint());
    client->send(asio::buffer("x", 1));
    s.serve(1);
    s.context.run();
  }
  BOOST_TEST(sees_the_end(client->native_handle(), soon));
}

BOOST_FIXTURE_TEST_CASE(a_loop_that_goes_on_after_stop_closes_it, serving)
{
  then = [&](tcp::socket& s) {
    s.close();
    context.stop();
  };
  come(1);
  serve(1);
  context.run();
  finish(context);
  BOOST_TEST(sees_the_end(client(), soon));
}

BOOST_FIXTURE_TEST_CASE(a_loop_that_goes_on_after_an_exception_closes_it, serving)
{
  then = [&](tcp::socket& s) {
    s.close();
    throw std::runtime_error("thrown by a handler");
  };
  come(1);
  serve(1);
  BOOST_CHECK_THROW(context.run(), std::runtime_error);
  finish(context);
  BOOST_TEST(sees_the_end(client(), soon));
}

BOOST_FIXTURE_TEST_CASE(a_child_that_is_forked_afterwards_does_not_hold_it_open, serving)
{
  then = [&](tcp::socket& s) {
    s.close();
    context.stop();
  };
  come(1);
  serve(1);
  context.run();
  context.notify_fork(asio::execution_context::fork_prepare);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  context.notify_fork(asio::execution_context::fork_parent);
  BOOST_TEST(sees_the_end(client(), soon));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

BOOST_FIXTURE_TEST_CASE(threads_that_share_a_context_close_all, serving)
{
  constexpr std::size_t many = 200;
  come(many);
  const std::size_t before = open_descriptors();
  serve(many);
  BOOST_TEST(runners(context, 4).join());
  BOOST_TEST(open_descriptors() <= before + 4); // the context's own, for several threads
  for (std::size_t i = 0; i < many; ++i)
    BOOST_TEST(sees_the_end(client(i), soon));
}

BOOST_AUTO_TEST_SUITE_END()
