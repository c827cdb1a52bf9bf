// test/limits.cpp: few descriptors, little locked memory, many connections, and peers that are slow or never
// read.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "fixture.hpp"

#ifndef ASIO_URING_TEST_STOCK
#include <asio_uring/backend.hpp>
#endif

#include <malloc.h>
#include <sys/resource.h>

#include <functional>

using namespace test;

namespace {

/// Sets a resource limit, and restores the old one at the end.
class limit
{
  int resource_;
  rlimit before_;

public:
  limit(__rlimit_resource resource, rlim_t soft) : resource_(resource)
  {
    ::getrlimit(resource, &before_);
    const rlimit now{std::min(soft, before_.rlim_max), before_.rlim_max};
    BOOST_REQUIRE_EQUAL(::setrlimit(resource, &now), 0);
  }
  ~limit() { ::setrlimit(static_cast<__rlimit_resource>(resource_), &before_); }
  limit(const limit&) = delete;

  static rlim_t soft(__rlimit_resource resource)
  {
    rlimit now{};
    ::getrlimit(resource, &now);
    return now.rlim_cur;
  }
};

/// The limit under which `count` more descriptors can be opened.
rlim_t with_free_descriptors(unsigned count)
{
  // Gaps among the numbers are filled first.
  std::vector<int> opened;
  for (unsigned i = 0; i != count; ++i)
    opened.push_back(::dup(0));
  const int highest = *std::max_element(opened.begin(), opened.end());
  for (int fd : opened)
    ::close(fd);
  return static_cast<rlim_t>(highest) + 1;
}

std::size_t live_memory()
{
  const auto heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

/// Exchanges a message over each connection; returns how many came back unchanged.
std::size_t exchange(asio::io_context& context, std::vector<tcp::socket>& clients,
                     std::vector<tcp::socket>& servers)
{
  std::vector<std::uint32_t> out(clients.size()), in(servers.size()), back(clients.size());
  std::size_t returned = 0;
  for (std::size_t i = 0; i != servers.size(); ++i)
    asio::async_read(servers[i], asio::buffer(&in[i], 4), [&, i](error_code e, std::size_t) {
      if (!e) asio::async_write(servers[i], asio::buffer(&in[i], 4), [](error_code, std::size_t) {});
    });
  for (std::size_t i = 0; i != clients.size(); ++i) {
    out[i] = static_cast<std::uint32_t>(i * 2654435761u);
    asio::async_write(clients[i], asio::buffer(&out[i], 4), [](error_code, std::size_t) {});
    asio::async_read(clients[i], asio::buffer(&back[i], 4),
                     [&, i](error_code e, std::size_t) { returned += !e && back[i] == out[i]; });
  }
  finish(context);
  return returned;
}

} // namespace

BOOST_AUTO_TEST_SUITE(limits)

BOOST_AUTO_TEST_CASE(without_locked_memory)
{
  BOOST_CHECK_EQUAL(in_child([] {
                      const rlimit none{0, 0};
                      if (::setrlimit(RLIMIT_MEMLOCK, &none)) return 1;
                      if (::geteuid() == 0 && ::setuid(65534)) return 2; // root may lock without limit
                      asio::io_context context;
                      pair<tcp> p(context);
                      std::array<char, 4> data{};
                      outcome written, read;
                      asio::async_read(p.server, asio::buffer(data), read.record());
                      asio::async_write(p.client, asio::buffer("ping", 4), written.record());
                      context.run_for(20s);
                      if (!written.succeeded() || !read.succeeded() || data != std::array{'p', 'i', 'n', 'g'})
                        return 3;
#ifndef ASIO_URING_TEST_STOCK
                      const auto b = asio_uring::backend(context);
                      if (with_kernel_ring() && !b.io_uring &&
                          b.reason.find("RLIMIT_MEMLOCK") == b.reason.npos)
                        return 4;
#endif
                      return 0;
                    }),
                    0);
}

BOOST_AUTO_TEST_CASE(descriptors_run_out_in_a_storm_of_connects_and_come_back)
{
  constexpr std::size_t count = 40, room = 5;
  asio::io_context context;
  listener acceptor(context);
  std::vector<tcp::socket> clients, servers;
  for (std::size_t i = 0; i != count; ++i)
    clients.emplace_back(context).connect(acceptor.endpoint());
  settle(context);

  // Whether the next accept gets a connection.
  const auto accepts = [&] {
    error_code error = asio::error::would_block;
    acceptor.async_accept([&](error_code e, tcp::socket s) {
      error = e;
      if (!e) servers.push_back(std::move(s));
    });
    finish(context);
    BOOST_REQUIRE_MESSAGE(!error || error == asio::error::no_descriptors, error.message());
    return !error;
  };
  {
    limit tight(RLIMIT_NOFILE, with_free_descriptors(room));
    while (servers.size() != room)
      BOOST_REQUIRE(accepts());
    for (int i = 0; i != 100; ++i)
      BOOST_REQUIRE(!accepts());

    // Connections wait, and no operation asks for them: the loop must not spin.
    asio::steady_timer timer(context, 100ms);
    outcome expired;
    timer.async_wait(expired.record());
    check_count(finish(context), 1);
    CHECK_SUCCEEDED(expired);
    const auto work = asio::make_work_guard(context);
    BOOST_TEST(sleeps(context));

    // The closed servers have discarded the messages of their clients.
    servers.clear();
  }
  clients.erase(clients.begin(), clients.begin() + room);
  {
    limit tight(RLIMIT_NOFILE, with_free_descriptors(2));
    BOOST_CHECK(accepts());
    BOOST_CHECK(accepts());
    BOOST_CHECK(!accepts());
  }
  while (servers.size() != count - room)
    BOOST_REQUIRE(accepts());
  std::sort(servers.begin(), servers.end(),
            [](auto& a, auto& b) { return a.remote_endpoint() < b.remote_endpoint(); });
  std::sort(clients.begin(), clients.end(),
            [](auto& a, auto& b) { return a.local_endpoint() < b.local_endpoint(); });
  BOOST_CHECK_EQUAL(exchange(context, clients, servers), count - room);
}

BOOST_AUTO_TEST_CASE(ten_thousand_connections)
{
  // Two descriptors for each connection; if fewer are allowed, fewer connections.
  limit generous(RLIMIT_NOFILE, 20'200);
  const std::size_t count = std::min<std::size_t>(10'000, (limit::soft(RLIMIT_NOFILE) - 200) / 2);
  BOOST_TEST_MESSAGE(count << " connections");
  BOOST_REQUIRE_GE(count, 400);

  asio::io_context context;
  listener acceptor(context);
  std::vector<tcp::socket> clients, servers;
  clients.reserve(count);
  servers.reserve(count);
  std::size_t connected = 0;
  for (std::size_t i = 0; i != count; ++i) {
    acceptor.async_accept([&](error_code e, tcp::socket s) {
      if (!e) servers.push_back(std::move(s));
    });
    clients.emplace_back(context).async_connect(acceptor.endpoint(), [&](error_code e) { connected += !e; });
    if (i % 1000 == 999) settle(context); // no more at a time than the backlog holds
  }
  finish(context);
  BOOST_REQUIRE_EQUAL(connected, count);
  BOOST_REQUIRE_EQUAL(servers.size(), count);
  std::sort(servers.begin(), servers.end(),
            [](auto& a, auto& b) { return a.remote_endpoint() < b.remote_endpoint(); });
  std::sort(clients.begin(), clients.end(),
            [](auto& a, auto& b) { return a.local_endpoint() < b.local_endpoint(); });
  BOOST_CHECK_EQUAL(exchange(context, clients, servers), count);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(peers_that_send_a_byte_now_and_then, Protocol, stream_protocols)
{
  constexpr std::size_t peers = 10, bytes = 30;
  asio::io_context context;
  std::vector<std::unique_ptr<pair<Protocol>>> slow;
  std::vector<std::string> got(peers, std::string(bytes, '\0'));
  std::vector<outcome> reads(peers);
  for (std::size_t i = 0; i != peers; ++i) {
    slow.push_back(std::make_unique<pair<Protocol>>(context));
    asio::async_read(slow[i]->server, asio::buffer(got[i]), reads[i].record());
  }
  const std::string text = "abcdefghijklmnopqrstuvwxyz0123456789";
  asio::steady_timer timer(context);
  std::size_t sent = 0;
  std::function<void()> send = [&] {
    for (auto& p : slow)
      write_text(p->client, text.substr(sent, 1));
    if (++sent == bytes) return;
    timer.expires_after(2ms);
    timer.async_wait([&](error_code) { send(); });
  };
  send();

  // Other sockets are served meanwhile.
  pair<Protocol> fast(context);
  std::array<char, 1> there{'x'}, here{};
  std::size_t rounds = 0;
  std::function<void()> play = [&] {
    asio::async_write(fast.client, asio::buffer(there), [](error_code, std::size_t) {});
    asio::async_read(fast.server, asio::buffer(here), [&](error_code e, std::size_t) {
      BOOST_REQUIRE(!e);
      ++rounds;
      if (sent != bytes) play();
    });
  };
  play();
  finish(context);
  for (std::size_t i = 0; i != peers; ++i) {
    CHECK_SUCCEEDED(reads[i]);
    BOOST_CHECK_EQUAL(got[i], text.substr(0, bytes));
  }
  BOOST_CHECK_GT(rounds, bytes);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(peers_that_never_read, Protocol, stream_protocols)
{
  constexpr std::size_t peers = 50;
  const pattern bytes;
  const std::string text(static_cast<const char*>(bytes.at(0, 1'000'000).data()), 1'000'000);
  const std::array<asio::const_buffer, 16> endless = [&] {
    std::array<asio::const_buffer, 16> all;
    all.fill(asio::buffer(text));
    return all;
  }();
  asio::io_context context;
  std::vector<std::unique_ptr<pair<Protocol>>> deaf;
  for (std::size_t i = 0; i != peers; ++i) {
    deaf.push_back(std::make_unique<pair<Protocol>>(context));
    deaf[i]->server.set_option(asio::socket_base::send_buffer_size(65536));
    deaf[i]->client.set_option(asio::socket_base::receive_buffer_size(65536));
  }
  std::vector<outcome> writes(peers);
  const std::size_t before = live_memory();
  for (std::size_t i = 0; i != peers; ++i)
    asio::async_write(deaf[i]->server, endless, writes[i].record());
  while (context.run_for(50ms) != 0)
    continue; // until all of them wait
  const std::size_t started = live_memory();
  context.run_for(50ms);
  BOOST_CHECK(std::none_of(writes.begin(), writes.end(), [](auto& w) { return w.done(); }));
  BOOST_CHECK_LE(started, before + peers * 4096);
  BOOST_CHECK_LE(live_memory(), started + 65536); // though 800 MB wait

  for (auto& p : deaf)
    p->server.cancel();
  finish(context);
  for (std::size_t i = 0; i != peers; ++i) {
    CHECK_FAILED(writes[i], asio::error::operation_aborted);
    deaf[i]->server.close();
    // The bytes that were reported as sent have arrived, and nothing else.
    const std::string all = read_to_end(deaf[i]->client);
    BOOST_REQUIRE_EQUAL(all.size(), writes[i].bytes);
    for (std::size_t at = 0; at < all.size(); at += text.size())
      BOOST_REQUIRE(all.compare(at, text.size(), text, 0, all.size() - at) == 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()
