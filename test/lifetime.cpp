// test/lifetime.cpp: destruction with operations in flight.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <thread>

using namespace test;

namespace {

/// The moments at which a context may be destroyed.
enum class stage
{
  before_run,
  after_poll,
  after_stop,
  after_stop_with_data_waiting
};
constexpr auto every_stage = {stage::before_run, stage::after_poll, stage::after_stop,
                              stage::after_stop_with_data_waiting};

/// Brings a context with operations in flight to a stage; `feed` makes them ready.
template <class Feed>
void reach(asio::io_context& context, stage where, Feed feed)
{
  switch (where) {
  case stage::before_run:
    break;
  case stage::after_poll:
    context.poll();
    context.poll();
    break;
  case stage::after_stop:
    context.run_for(2ms);
    context.stop();
    break;
  case stage::after_stop_with_data_waiting:
    context.run_for(2ms);
    context.stop();
    feed();
    break;
  }
}

/// Counts its instances.
struct counted
{
  static inline int alive = 0;
  counted() { ++alive; }
  counted(const counted&) { ++alive; }
  ~counted() { --alive; }
};

struct session : std::enable_shared_from_this<session>
{
  tcp::socket socket;
  std::array<char, 64> data;
  counted count;
  explicit session(tcp::socket s) : socket(std::move(s)) {}
  void start()
  {
    socket.async_read_some(asio::buffer(data), [self = shared_from_this()](error_code e, std::size_t) {
      if (!e) self->start();
    });
  }
};

asio::awaitable<void> read_into_the_frame(tcp::socket socket, counted = {})
{
  std::array<char, 4096> data;
  for (;;)
    co_await socket.async_read_some(asio::buffer(data), asio::use_awaitable);
}

asio::awaitable<void> write_from_the_frame(tcp::socket socket, counted = {})
{
  std::string data(1 << 20, 'x');
  for (;;)
    co_await asio::async_write(socket, asio::buffer(data), asio::use_awaitable);
}

asio::awaitable<void> accept_into_the_frame(tcp::acceptor acceptor, counted = {})
{
  for (;;) {
    tcp::socket peer = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), read_into_the_frame(std::move(peer)), asio::detached);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(lifetime)

BOOST_AUTO_TEST_CASE_TEMPLATE(destroy_the_socket_with_operations_pending, Protocol, stream_protocols)
{
  asio::io_context context;
  std::array<char, 8> data;
  std::string text(64 << 20, 'x');
  outcome read, written, waited;
  {
    pair<Protocol> p(context);
    p.server.async_read_some(asio::buffer(data), read.record());
    p.server.async_wait(Protocol::socket::wait_error, waited.record());
    asio::async_write(p.server, asio::buffer(text), written.record());
    settle(context);
  }
  finish(context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  CHECK_FAILED(waited, asio::error::operation_aborted);
  BOOST_CHECK(written.calls == 1 && written.error);
}

BOOST_AUTO_TEST_CASE(destroy_the_socket_with_operations_just_initiated)
{
  asio::io_context context;
  std::array<char, 8> data;
  outcome read;
  {
    pair<> p(context);
    p.server.async_read_some(asio::buffer(data), read.record());
  }
  finish(context);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(destroy_the_acceptor_with_an_accept_pending)
{
  asio::io_context context;
  tcp::socket peer(context);
  outcome accepted;
  {
    listener acceptor(context);
    acceptor.async_accept(peer, accepted.record());
    settle(context);
  }
  finish(context);
  CHECK_FAILED(accepted, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(destroy_what_was_already_cancelled)
{
  asio::io_context context;
  std::array<char, 8> data;
  outcome read;
  {
    pair<> p(context);
    p.server.async_read_some(asio::buffer(data), read.record());
    settle(context);
    p.server.cancel();
  }
  finish(context);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(destroy_the_context_with_callbacks_pending)
{
  for (auto where : every_stage) {
    counted::alive = 0;
    std::array<char, 4096> data;
    {
      asio::io_context context;
      pair<> p(context);
      for (int i = 0; i != 10; ++i)
        p.server.async_read_some(asio::buffer(data), [count = counted()](error_code, std::size_t) {});
      reach(context, where, [&] { write_text(p.client, "abc"); });
    }
    BOOST_CHECK_EQUAL(counted::alive, 0);
  }
}

BOOST_AUTO_TEST_CASE(destroy_the_context_with_sessions_that_own_their_sockets)
{
  for (auto where : every_stage) {
    counted::alive = 0;
    std::weak_ptr<session> watched;
    {
      asio::io_context context;
      std::vector<tcp::socket> clients;
      for (int i = 0; i != 20; ++i) {
        pair<> p(context);
        auto s = std::make_shared<session>(std::move(p.server));
        s->start();
        watched = s;
        clients.push_back(std::move(p.client));
      }
      reach(context, where, [&] {
        for (auto& client : clients)
          write_text(client, "abc");
      });
      BOOST_CHECK(!watched.expired());
    }
    BOOST_CHECK(watched.expired());
    BOOST_CHECK_EQUAL(counted::alive, 0);
  }
}

BOOST_AUTO_TEST_CASE(destroy_the_context_with_timers_that_own_themselves_and_a_socket)
{
  struct waiter
  {
    pair<tcp> sockets;
    asio::steady_timer timer;
    counted count;
    explicit waiter(asio::io_context& context) : sockets(context), timer(context, 1h) {}
  };
  const std::size_t before = open_descriptors();
  for (stage where : every_stage) {
    {
      asio::io_context context;
      for (int i = 0; i != 10; ++i) {
        auto w = std::make_shared<waiter>(context);
        w->timer.async_wait([w](error_code) { BOOST_ERROR("the timer has not expired"); });
      }
      reach(context, where, [] {});
      BOOST_CHECK_EQUAL(counted::alive, 10);
    }
    BOOST_CHECK_EQUAL(counted::alive, 0);
  }
  BOOST_CHECK_EQUAL(open_descriptors(), before);
}

BOOST_AUTO_TEST_CASE(destroy_the_context_with_coroutines_whose_frames_own_the_buffers)
{
  for (auto where : every_stage) {
    counted::alive = 0;
    {
      asio::io_context context;
      std::vector<tcp::socket> clients;
      for (int i = 0; i != 20; ++i) {
        pair<> reading(context), writing(context);
        asio::co_spawn(context, read_into_the_frame(std::move(reading.server)), asio::detached);
        asio::co_spawn(context, write_from_the_frame(std::move(writing.server)), asio::detached);
        clients.push_back(std::move(reading.client));
        clients.push_back(std::move(writing.client));
      }
      reach(context, where, [&] {
        for (auto& client : clients)
          write_text(client, "abc");
      });
    }
    BOOST_CHECK_EQUAL(counted::alive, 0);
  }
}

BOOST_AUTO_TEST_CASE(destroy_the_context_with_an_accept_pending_never_hangs)
{
  for (auto where : every_stage) {
    counted::alive = 0;
    {
      asio::io_context context, outside;
      listener acceptor(context);
      auto endpoint = acceptor.endpoint();
      tcp::socket client(outside);
      asio::co_spawn(context, accept_into_the_frame(std::move(acceptor)), asio::detached);
      reach(context, where, [&] { client.connect(endpoint); });
    }
    BOOST_CHECK_EQUAL(counted::alive, 0);
  }
}

BOOST_AUTO_TEST_CASE(destroy_the_context_with_a_connect_pending)
{
  for (auto where : every_stage) {
    asio::io_context outside;
    tcp::acceptor acceptor(outside, tcp::v4());
    acceptor.bind(loopback());
    acceptor.listen(0);
    tcp::socket first(outside);
    first.connect(acceptor.local_endpoint());
    asio::io_context context;
    tcp::socket client(context);
    client.async_connect(acceptor.local_endpoint(), [count = counted()](error_code) {});
    reach(context, where, [] {});
  }
  BOOST_CHECK_EQUAL(counted::alive, 0);
}

BOOST_AUTO_TEST_CASE(destroy_the_context_with_cancelled_operations_unreaped)
{
  counted::alive = 0;
  {
    asio::io_context context;
    pair<> p(context);
    std::array<char, 64> data;
    p.server.async_read_some(asio::buffer(data), [count = counted()](error_code, std::size_t) {});
    context.poll();
    p.server.cancel();
  }
  BOOST_CHECK_EQUAL(counted::alive, 0);
}

BOOST_AUTO_TEST_CASE(destroy_the_context_in_another_thread)
{
  counted::alive = 0;
  asio::io_context outside;
  listener acceptor(outside);
  tcp::socket client(outside);
  client.connect(acceptor.endpoint());
  auto context = std::make_unique<asio::io_context>();
  std::make_shared<session>(acceptor.accept(*context))->start();
  context->run_for(2ms);
  BOOST_CHECK_EQUAL(counted::alive, 1);
  std::thread([&] { context.reset(); }).join();
  BOOST_CHECK_EQUAL(counted::alive, 0);
}

BOOST_AUTO_TEST_CASE(destroyed_handler_may_use_its_socket)
{
  struct closes
  {
    std::shared_ptr<tcp::socket> socket;
    ~closes()
    {
      error_code ignored;
      if (socket && socket->is_open()) socket->close(ignored);
    }
  };
  std::weak_ptr<tcp::socket> watched;
  {
    asio::io_context context;
    pair<> p(context);
    auto socket = std::make_shared<tcp::socket>(std::move(p.server));
    watched = socket;
    static std::array<char, 8> data;
    socket->async_read_some(asio::buffer(data),
                            [c = std::make_unique<closes>(socket)](error_code, std::size_t) {});
    socket.reset();
    context.poll();
  }
  BOOST_CHECK(watched.expired());
}

BOOST_AUTO_TEST_CASE(buffers_are_not_written_to_after_the_context_is_destroyed)
{
  std::vector<char> data(1 << 20, 'o');
  asio::io_context outside;
  listener acceptor(outside);
  tcp::socket client(outside), duplicate(outside);
  client.connect(acceptor.endpoint());
  {
    asio::io_context context;
    tcp::socket server = acceptor.accept(context);
    // The connection outlives the socket the read was started on.
    duplicate.assign(tcp::v4(), ::dup(server.native_handle()));
    server.async_read_some(asio::buffer(data), [](error_code, std::size_t) {});
    context.poll();
  }
  write_text(client, "abc");
  BOOST_CHECK_EQUAL(read_text(duplicate, 3), "abc");
  BOOST_CHECK(std::all_of(data.begin(), data.end(), [](char c) { return c == 'o'; }));
}

// A handler that will never run must not keep the program from freeing the buffer of a closed socket.
BOOST_AUTO_TEST_CASE(buffers_are_left_alone_after_close)
{
  for (auto where : every_stage) {
    asio::io_context context;
    pair<> p(context);
    auto data = std::make_unique<std::array<char, 64>>();
    p.server.async_read_some(asio::buffer(*data), [](error_code, std::size_t) {});
    reach(context, where, [&] { write_text(p.client, "abc"); });
    p.server.close();
    data.reset();
  }
}

BOOST_AUTO_TEST_CASE(handler_destroys_its_own_socket)
{
  asio::io_context context;
  pair<> p(context);
  auto socket = std::make_unique<tcp::socket>(std::move(p.server));
  std::array<char, 8> data;
  outcome read;
  socket->async_read_some(asio::buffer(data), [&](error_code e, std::size_t n) {
    socket.reset();
    read.record()(e, n);
  });
  write_text(p.client, "abc");
  finish(context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(handler_destroys_the_sockets_of_others_in_the_same_batch)
{
  asio::io_context context;
  std::vector<std::unique_ptr<pair<>>> pairs;
  std::array<char, 8> data;
  int calls = 0;
  for (int i = 0; i != 10; ++i)
    pairs.push_back(std::make_unique<pair<>>(context));
  std::vector<pair<>*> all;
  for (auto& p : pairs) {
    all.push_back(p.get());
    p->server.async_read_some(asio::buffer(data), [&](error_code, std::size_t) {
      ++calls;
      pairs.clear();
    });
  }
  settle(context);
  for (auto p : all)
    write_text(p->client, "x");
  finish(context);
  BOOST_CHECK_EQUAL(calls, 10);
}

BOOST_AUTO_TEST_CASE(handler_closes_its_socket_and_opens_it_again)
{
  asio::io_context context;
  listener acceptor(context);
  tcp::socket client(context), server(context);
  client.connect(acceptor.endpoint());
  acceptor.accept(server);
  std::array<char, 8> data;
  outcome connected;
  client.async_read_some(asio::buffer(data), [&](error_code, std::size_t) {
    client.close();
    client.async_connect(acceptor.endpoint(), connected.record());
  });
  write_text(server, "x");
  finish(context);
  CHECK_SUCCEEDED(connected);
}

BOOST_AUTO_TEST_CASE(handlers_are_destroyed_after_they_ran)
{
  connection c;
  auto shared = std::make_shared<int>();
  std::array<char, 8> data;
  c.server.async_read_some(asio::buffer(data), [shared](error_code, std::size_t) {});
  std::weak_ptr<int> watched = shared;
  shared.reset();
  BOOST_CHECK(!watched.expired());
  write_text(c.client, "x");
  finish(c.context);
  BOOST_CHECK(watched.expired());
}

BOOST_AUTO_TEST_CASE(context_that_never_ran)
{
  asio::io_context context;
  tcp::socket closed(context), open(context, tcp::v4());
  listener acceptor(context);
  BOOST_CHECK(open.is_open() && !closed.is_open());
}

BOOST_AUTO_TEST_CASE(many_contexts)
{
  std::vector<std::unique_ptr<connection<>>> connections;
  for (int i = 0; i != 50; ++i)
    connections.push_back(std::make_unique<connection<>>());
  std::array<char, 8> data;
  int calls = 0;
  for (auto& c : connections) {
    c->server.async_read_some(asio::buffer(data), [&](error_code, std::size_t) { ++calls; });
    write_text(c->client, "x");
  }
  for (auto& c : connections)
    finish(c->context);
  BOOST_CHECK_EQUAL(calls, 50);
}

BOOST_AUTO_TEST_SUITE_END()
