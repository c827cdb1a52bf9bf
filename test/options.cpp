// test/options.cpp: options of a context: their effects, and how the program learns of them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "own_fixture.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace test;

namespace {

/// The error of use_io_uring() without a fallback, where io_uring_setup(2) fails with `refusal`.
boost::system::system_error setup_error(int refusal)
{
  boost::system::system_error seen{error_code()};
  std::thread([&] { // in a thread of its own, because a filter stays for the life of a thread
    forbid(SYS_io_uring_setup, refusal);
    asio::io_context context;
    try {
      asio_uring::use_io_uring(context, {.fallback = asio_uring::fallback::forbid});
    } catch (const boost::system::system_error& e) {
      seen = e;
    }
  })
      .join();
  return seen;
}

} // namespace

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(every_pump_and_path_by_options)
{
  for (const pump_kind pump : {pump_kind::automatic, pump_kind::ring, pump_kind::guest})
    for (const path p : {path::automatic, path::completion, path::readiness}) {
      asio::io_context context;
      asio_uring::use_io_uring(context, {.path = p, .pump = pump});
      const auto b = asio_uring::backend(context);
      BOOST_CHECK(b.io_uring && (b.path == p || p == path::automatic));
      BOOST_CHECK(b.pump == (pump == pump_kind::guest ? pump_kind::guest : pump_kind::ring));
      BOOST_CHECK_EQUAL(echoed(context, 20), 20);
    }
}

BOOST_AUTO_TEST_CASE(features_are_those_of_the_version_asked_for)
{
  asio::io_context unlimited;
  asio_uring::use_io_uring(unlimited);
  const auto has = asio_uring::backend(unlimited).features;
  for (const auto& [version, multishot, flags] :
       {std::tuple<asio_uring::linux_version, bool, unsigned>{{5, 11}, false, 0},
        {{5, 13}, true, 0},
        {{5, 18}, true, IORING_SETUP_SUBMIT_ALL}}) {
    asio::io_context context;
    asio_uring::use_io_uring(context, {.newest = version});
    const auto b = asio_uring::backend(context);
    BOOST_CHECK_EQUAL(b.features.multishot_poll(), multishot && has.multishot_poll());
    BOOST_CHECK_EQUAL(b.features.setup_flags & (IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN),
                      flags & has.setup_flags);
    BOOST_CHECK(!b.features.opcode(IORING_OP_SOCKET) && b.features.opcode(IORING_OP_RECV));
    BOOST_CHECK_EQUAL(echoed(context, 20), 20);
  }
}

BOOST_AUTO_TEST_CASE(queues_of_two_and_four_lose_nothing)
{
  for (const path p : {path::completion, path::readiness}) {
    asio::io_context context;
    asio_uring::use_io_uring(context, {.entries = 2, .completions = 4, .path = p});
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    std::vector<std::array<char, 1>> data(100);
    std::vector<std::pair<tcp::socket, tcp::socket>> pairs;
    int reads = 0;
    for (int i = 0; i != 50; ++i) {
      auto& [client, server] = pairs.emplace_back(tcp::socket(context), tcp::socket(context));
      connect(acceptor, client, server);
    }
    for (std::size_t i = 0; i != pairs.size(); ++i)
      pairs[i].second.async_read_some(asio::buffer(data[i]),
                                      [&](error_code e, std::size_t n) { reads += !e && n == 1; });
    for (auto& pair : pairs)
      asio::async_write(pair.first, asio::buffer("x", 1), asio::detached);
    context.run();
    BOOST_CHECK_EQUAL(reads, 50);
  }
}

BOOST_AUTO_TEST_CASE(bad_options_name_the_value_and_what_is_allowed)
{
  const auto complains = [](const char* part) {
    return [part](const std::invalid_argument& e) {
      return std::string(e.what()).find(part) != std::string::npos;
    };
  };
  asio::io_context context;
  using asio_uring::use_io_uring;
  BOOST_CHECK_EXCEPTION(use_io_uring(context, {.entries = 0}), std::invalid_argument,
                        complains("entries = 0"));
  BOOST_CHECK_EXCEPTION(use_io_uring(context, {.entries = 65536}), std::invalid_argument,
                        complains("2 to 32768"));
  BOOST_CHECK_EXCEPTION(use_io_uring(context, {.completions = 1}), std::invalid_argument,
                        complains("completions = 1"));
  BOOST_CHECK_EXCEPTION(use_io_uring(context, {.newest = {5, 10}}), std::invalid_argument,
                        complains("options.newest = 5.10: allowed are versions from 5.11 on"));
  BOOST_CHECK_EXCEPTION(use_io_uring(context, {.spin = std::chrono::seconds(2)}), std::invalid_argument,
                        complains("options.spin = 2000000000 ns: allowed is 0 to 1 s"));
  BOOST_CHECK_EXCEPTION(use_io_uring(context, {.min_wait = std::chrono::microseconds(-1)}),
                        std::invalid_argument, complains("options.min_wait = -1 us: allowed is 0 to 100 ms"));
  BOOST_CHECK_EXCEPTION(use_io_uring(context, {.busy_poll = std::chrono::seconds(2)}), std::invalid_argument,
                        complains("options.busy_poll = 2000000 us: allowed is 0 to 1 s"));
  for (const char* version :
       {"6", "six.one", "5.1", "6.1x", " 6.1", "-6.1", "+6.1", "6.-1", "4294967302.1"}) {
    environment unknown("ASIO_URING_NEWEST", version);
    BOOST_CHECK_EXCEPTION(use_io_uring(context), std::invalid_argument, complains(version));
  }
  environment wrong("ASIO_URING_PATH", "fast");
  BOOST_CHECK_EXCEPTION(use_io_uring(context), std::invalid_argument, complains("ASIO_URING_PATH=fast"));
}

BOOST_AUTO_TEST_CASE(options_after_the_first_object_are_refused)
{
  asio::io_context context;
  tcp::socket socket(context);
  BOOST_CHECK_THROW(asio_uring::use_io_uring(context), std::logic_error);
}

BOOST_AUTO_TEST_CASE(stock_timers_signal_sets_and_sockets_that_come_first_do_not_keep_the_ring_from_its_place)
{
  asio::io_context context;
  asio::steady_timer expired_soon(context, std::chrono::milliseconds(1));
  asio::steady_timer timer(context, std::chrono::milliseconds(5));
  asio::signal_set signals(context, SIGUSR1);
  asio::local::stream_protocol::socket a(context), b(context);
  asio::local::connect_pair(a, b);
  char byte;
  std::string came;
  std::function<void(error_code)> tick = [&, left = 20](error_code e) mutable {
    if (e) return;
    if (--left == 0) {
      [[maybe_unused]] const auto raised = ::raise(SIGUSR1);
      return;
    }
    timer.expires_after(std::chrono::milliseconds(1));
    timer.async_wait([&](error_code next) { tick(next); });
  };
  expired_soon.async_wait([&](error_code e) { came += e ? "" : "timer "; });
  timer.async_wait([&](error_code e) { tick(e); });
  signals.async_wait([&](error_code e, int) {
    came += e ? "" : "signal ";
    asio::write(b, asio::buffer("x", 1));
  });
  a.async_read_some(asio::buffer(&byte, 1), [&](error_code e, std::size_t) { came += e ? "" : "byte"; });

  asio_uring::use_io_uring(context, {.pump = pump_kind::ring});
  BOOST_CHECK(asio_uring::backend(context).pump == pump_kind::ring);
  BOOST_TEST(echoed(context, 20) == 20);
  BOOST_TEST(came == "timer signal byte");
}

BOOST_AUTO_TEST_CASE(what_has_completed_comes_before_a_stock_timer_that_was_made_before_the_ring)
{
  for (const asio_uring::fallback f : {asio_uring::fallback::automatic, asio_uring::fallback::force}) {
    asio::io_context context;
    asio::steady_timer timer(context, std::chrono::milliseconds(5));
    asio_uring::use_io_uring(context, {.pump = pump_kind::ring, .fallback = f});
    asio_uring::local::stream_protocol::socket a(context), b(context);
    asio_uring::local::connect_pair(a, b);
    std::string order;
    char byte;
    timer.async_wait([&](error_code) { order += " timer"; });
    a.async_read_some(asio::buffer(&byte, 1), [&](error_code, std::size_t) { order += " read"; });
    b.write_some(asio::buffer("x", 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    context.run();
    BOOST_TEST(order == " read timer");
  }
}

BOOST_AUTO_TEST_CASE(the_ring_takes_its_place_within_a_handler)
{
  const environment any_pump("ASIO_URING_PUMP", nullptr);
  asio::io_context context;
  asio::steady_timer timer(context, std::chrono::milliseconds(1));
  bool received = false;
  std::optional<tcp::acceptor> acceptor;
  std::optional<tcp::socket> client, server;
  char byte;
  timer.async_wait([&](error_code) {
    acceptor.emplace(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    client.emplace(context);
    server.emplace(context);
    connect(*acceptor, *client, *server);
    server->async_read_some(asio::buffer(&byte, 1), [&](error_code e, std::size_t) { received = !e; });
    timer.expires_after(std::chrono::milliseconds(1));
    timer.async_wait([&](error_code) { asio::write(*client, asio::buffer("x", 1)); });
  });
  context.run();
  BOOST_CHECK(asio_uring::backend(context).pump == pump_kind::ring);
  BOOST_TEST(received);
}

BOOST_AUTO_TEST_CASE(
    the_ring_takes_its_place_with_a_posted_handler_in_the_queue_and_handlers_keep_their_order)
{
  asio::io_context context;
  asio::steady_timer timer(context);
  std::string order;
  for (const char* name : {"1", "2", "3"})
    asio::post(context, [&, name] { order += name; });
  tcp::socket socket(context);
  asio::post(context, [&] { order += "4"; });
  BOOST_TEST(context.run() == 4U);
  BOOST_TEST(order == "1234");
}

BOOST_AUTO_TEST_CASE(a_ring_that_came_later_wakes_and_stops_as_one_that_was_first)
{
  const environment any_pump("ASIO_URING_PUMP", nullptr);
  asio::io_context context;
  asio::steady_timer timer(context, std::chrono::hours(1));
  tcp::socket socket(context);
  BOOST_CHECK(asio_uring::backend(context).pump == pump_kind::ring);
  auto work = asio::make_work_guard(context);
  std::atomic<int> posted = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] { context.run(); });
  for (int i = 0; i < 100; ++i) {
    asio::post(context, [&] { ++posted; });
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  bool expired = false;
  asio::post(context, [&] { // earlier than the one that the ring waits for
    timer.expires_after(std::chrono::milliseconds(5));
    timer.async_wait([&](error_code e) {
      expired = !e;
      context.stop();
    });
  });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(posted == 100);
  BOOST_TEST(expired);
}

BOOST_AUTO_TEST_CASE(ring_pump_is_refused_and_automatic_becomes_a_guest_where_a_thread_is_in_the_reactor)
{
  const environment any_pump("ASIO_URING_PUMP", nullptr);
  asio::io_context context;
  asio::steady_timer timer(context, std::chrono::hours(1)); // creates the stock reactor
  timer.async_wait([](error_code) {});
  std::thread thread([&] { context.run(); });
  while (!asio_uring::detail::has_thread_in_reactor(asio::use_service<asio::detail::scheduler>(context)))
    std::this_thread::yield();
  BOOST_CHECK_THROW(asio_uring::use_io_uring(context, {.pump = pump_kind::ring}), std::logic_error);
  asio_uring::use_io_uring(context);
  BOOST_CHECK(asio_uring::backend(context).pump == pump_kind::guest);
  timer.cancel();
  thread.join();
  context.restart();
  BOOST_CHECK_EQUAL(echoed(context, 20), 20);
}

BOOST_AUTO_TEST_CASE(no_descriptor_left_for_the_ring_or_its_fallback_is_a_clear_error)
{
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  for (const asio_uring::fallback f : {asio_uring::fallback::automatic, asio_uring::fallback::force}) {
    asio::io_context context;
    error_code seen;
    std::string text;
    const int lowest = ::dup(0);
    ::close(lowest);
    const rlimit none{static_cast<rlim_t>(lowest), old.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    try {
      asio_uring::use_io_uring(context, {.fallback = f});
    } catch (const boost::system::system_error& e) {
      seen = e.code();
      text = e.what();
    } catch (const std::exception& e) {
      text = e.what();
    }
    ::setrlimit(RLIMIT_NOFILE, &old);
    BOOST_CHECK_EQUAL(seen, asio::error::no_descriptors);
    BOOST_CHECK_MESSAGE(text.find("ulimit -n") != std::string::npos, text);
  }
}

BOOST_AUTO_TEST_CASE(forbidden_io_uring_is_a_clear_error)
{
  const auto error = setup_error(EPERM);
  BOOST_CHECK_EQUAL(error.code(), boost::system::errc::operation_not_permitted);
  BOOST_CHECK_MESSAGE(std::string(error.what()).find("seccomp") != std::string::npos, error.what());
}

BOOST_AUTO_TEST_CASE(kernel_without_io_uring_is_a_clear_error)
{
  const auto error = setup_error(ENOSYS);
  BOOST_CHECK_EQUAL(error.code(), boost::system::errc::function_not_supported);
  BOOST_CHECK_MESSAGE(std::string(error.what()).find("5.11") != std::string::npos, error.what());
}

// Linux 5.1 to 5.5 answer EINVAL to set-up flags that came later.
BOOST_AUTO_TEST_CASE(kernel_older_than_every_set_up_flag_is_a_clear_error)
{
  const auto error = setup_error(EINVAL);
  BOOST_CHECK_EQUAL(error.code(), boost::system::errc::function_not_supported);
  BOOST_CHECK_MESSAGE(std::string(error.what()).find("5.11") != std::string::npos, error.what());
}

BOOST_AUTO_TEST_CASE(backend_prints_in_words)
{
  asio::io_context context;
  std::ostringstream before, after;
  before << asio_uring::backend(context);
  tcp::socket socket(context);
  after << asio_uring::backend(context);
  BOOST_CHECK(before.str().find("undecided: ") == 0);
  BOOST_CHECK(after.str().find("io_uring: ") == 0 && after.str().find("pump ring") != std::string::npos &&
              after.str().find("FAST_POLL") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_line_reports_the_backend)
{
  const auto reported = [](const char* wanted) {
    ::setenv("ASIO_URING_REPORT", wanted, 1);
    std::FILE* const file = std::tmpfile();
    const int before = ::dup(2);
    ::dup2(::fileno(file), 2);
    {
      asio::io_context context;
      tcp::socket socket(context);
    }
    ::dup2(before, 2);
    ::close(before);
    ::unsetenv("ASIO_URING_REPORT");
    std::string text(1000, 0);
    std::rewind(file);
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
  };
  BOOST_TEST(reported("0").empty());
  const std::string line = reported("1");
  BOOST_TEST(line.starts_with("asio_uring: io_uring: the context's reactor is the ring; path "));
  BOOST_TEST(std::count(line.begin(), line.end(), '\n') == 1);
}

BOOST_AUTO_TEST_CASE(who_spins_does_not_sleep_when_the_peer_answers_soon)
{
  for (const bool spins : {false, true}) {
    asio::io_context context;
    asio_uring::use_io_uring(context, {.spin = std::chrono::milliseconds(spins ? 1000 : 0)});
    asio_uring::local::stream_protocol::socket client(context), server(context);
    asio_uring::local::connect_pair(client, server);
    std::array<char, 8> data;
    bool received = false, expired = false, posted = false;
    server.async_receive(asio::buffer(data), [&](error_code e, std::size_t) { received = !e; });
    std::thread peer([&, fd = client.native_handle()] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      [[maybe_unused]] const auto sent = ::send(fd, "x", 1, 0);
    });
    context.run();
    peer.join();
    BOOST_TEST(received);
    BOOST_TEST((asio_uring::statistics(context).waits == 0) == spins);

    // Whatever else ends a sleep also ends this one.
    context.restart();
    asio::steady_timer timer(context, std::chrono::milliseconds(5));
    timer.async_wait([&](error_code e) { expired = !e; });
    context.run();
    BOOST_TEST(expired);
    context.restart();
    auto work = asio::make_work_guard(context);
    std::thread poster([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      asio::post(context, [&] {
        posted = true;
        work.reset();
      });
    });
    context.run();
    poster.join();
    BOOST_TEST(posted);
  }
}

/// The number of waits that it takes to receive from ten sockets that get data one after the other.
std::uint64_t waits_for_ten(std::chrono::microseconds min_wait)
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.min_wait = min_wait});
  using socket = asio_uring::local::stream_protocol::socket;
  std::vector<socket> clients, servers;
  std::array<char, 8> data;
  int received = 0;
  for (int i = 0; i < 10; ++i) {
    asio_uring::local::connect_pair(clients.emplace_back(context), servers.emplace_back(context));
    servers.back().async_receive(asio::buffer(data), [&](error_code e, std::size_t) { received += !e; });
  }
  context.poll();
  const auto before = asio_uring::statistics(context).waits;
  std::thread peer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    for (auto& c : clients) {
      [[maybe_unused]] const auto sent = ::send(c.native_handle(), "x", 1, 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  context.run();
  peer.join();
  BOOST_TEST(received == 10);
  return asio_uring::statistics(context).waits - before;
}

BOOST_AUTO_TEST_CASE(who_waits_for_more_sleeps_less_often)
{
  using std::chrono::milliseconds;
  asio::io_context context;
  asio_uring::local::stream_protocol::socket socket(context);
  if (!asio_uring::backend(context).features.has(IORING_FEAT_MIN_TIMEOUT)) return;
  std::uint64_t fewest = 10;
  for (int i = 0; i < 20 && fewest > 1; ++i) // the peer may not be scheduled for long
    fewest = std::min(fewest, waits_for_ten(milliseconds(100)));
  BOOST_TEST(fewest == 1U);

  // A timer must not wait for more completions.
  asio::io_context timed;
  asio_uring::use_io_uring(timed, {.min_wait = milliseconds(100)});
  asio_uring::local::stream_protocol::socket client(timed), server(timed);
  asio_uring::local::connect_pair(client, server);
  char byte;
  client.async_receive(asio::buffer(&byte, 1), [](error_code, std::size_t) {});
  auto shortest = milliseconds(1000);
  for (int i = 0; i < 20 && shortest >= milliseconds(50); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    asio::steady_timer timer(timed, milliseconds(2));
    bool expired = false;
    timer.async_wait([&](error_code) { expired = true; });
    while (!expired)
      timed.run_one();
    shortest = std::min(shortest,
                        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin));
  }
  BOOST_TEST((shortest < milliseconds(50)));
}

BOOST_AUTO_TEST_CASE(the_kernel_polls_network_devices_where_it_can)
{
  for (const int asked : {0, 50}) {
    asio::io_context context;
    asio_uring::use_io_uring(context, {.busy_poll = std::chrono::microseconds(asked)});
    asio_uring::ip::tcp::socket socket(context);
    const auto b = asio_uring::backend(context);
    BOOST_TEST((!b.busy_poll || (asked > 0 && b.io_uring)));
  }
  asio::io_context old;
  asio_uring::use_io_uring(old, {.busy_poll = std::chrono::microseconds(50), .newest = {6, 8}});
  asio_uring::ip::tcp::socket socket(old);
  BOOST_TEST(!asio_uring::backend(old).busy_poll);
}

BOOST_AUTO_TEST_CASE(who_spins_in_vain_sleeps)
{
  asio_uring::detail::spinner s(std::chrono::microseconds(10));
  unsigned spun = 0;
  constexpr unsigned sleeps = 1000;
  for (unsigned i = 0; i != sleeps; ++i)
    if (s.wanted()) {
      std::chrono::nanoseconds spent;
      BOOST_TEST(!s.spin(
          std::chrono::seconds(1), [] { return false; }, spent));
      BOOST_TEST(spent.count() >= 10'000);
      ++spun;
    }
  BOOST_TEST(spun < sleeps / 20);
}

BOOST_AUTO_TEST_SUITE_END()
