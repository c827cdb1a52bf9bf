// test/registered_buffers.cpp: pools, leases and registrations that outlive their origin.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"
#include "replaced_new.hpp"
#include "watched_memory.hpp"

using namespace test;
using asio_uring::leased_buffer;
using asio_uring::registered_buffer_pool;

namespace {

struct overwritten_when_freed : scratch_directory, overwriting
{};

} // namespace

BOOST_FIXTURE_TEST_SUITE(registered_buffers, overwritten_when_freed)

BOOST_AUTO_TEST_CASE(an_exception_may_unwind_pool_file_and_context_with_a_lease_in_flight)
{
  const std::string name = write_file("file", std::string(1 << 20, 'x'));
  for (int round = 0; round < 20; ++round) {
    asio::io_context context;
    const auto pool =
        std::make_unique<registered_buffer_pool>(context, 4, 1 << 16); // on the heap, so that it is freed
    asio_uring::random_access_file file(context, name, asio::file_base::read_only);
    asio_uring::async_read_at(file, 0, pool->try_lease(), [](error_code, std::size_t, leased_buffer) {});
    if (round % 2) context.poll();
  }
}

BOOST_AUTO_TEST_CASE(a_pool_whose_context_has_ended_lends_nothing)
{
  auto context = std::make_unique<asio::io_context>();
  registered_buffer_pool pool(*context, 2, 4096);
  leased_buffer lease = pool.try_lease();
  context.reset();
  BOOST_TEST(pool.size() == 2u);
  BOOST_TEST(lease.size() == 4096u);
  std::memset(lease.data(), 'x', lease.size());
  BOOST_TEST(!pool.try_lease());
  BOOST_CHECK_EXCEPTION(
      pool.async_lease([](error_code, leased_buffer) {}), boost::system::system_error,
      [](const boost::system::system_error& e) { return e.code() == asio::error::bad_descriptor; });
  lease.release();
  BOOST_TEST(!pool.try_lease());
}

BOOST_AUTO_TEST_CASE(a_lease_outlives_pool_and_context)
{
  leased_buffer lease;
  {
    asio::io_context context;
    registered_buffer_pool pool(context, 1, 4096);
    lease = pool.try_lease();
  }
  std::memset(lease.data(), 'x', lease.size());
  BOOST_TEST(static_cast<char*>(lease.data())[4095] == 'x');
}

BOOST_AUTO_TEST_CASE(a_lease_outlives_its_pool_and_still_works)
{
  asio::io_context context;
  asio_uring::random_access_file file(context, write_file("file", "data"), asio::file_base::read_only);
  auto pool = std::make_unique<registered_buffer_pool>(context, 1, 4096);
  leased_buffer lease = pool->try_lease();
  pool.reset();
  outcome read;
  asio_uring::async_read_at(file, 0, std::move(lease), [&](error_code ec, std::size_t n, leased_buffer back) {
    BOOST_TEST(std::memcmp(back.data(), "data", 4) == 0);
    read.record()(ec, n);
  });
  finish(context);
  CHECK_FAILED(read, asio::error::eof);
  BOOST_TEST(read.bytes == 4u);
  registered_buffer_pool next(context, 1, 4096); // the registration ended with the lease
  BOOST_TEST(!!next.try_lease());
}

BOOST_AUTO_TEST_CASE(who_waits_when_the_pool_ends_is_told)
{
  asio::io_context context;
  auto pool = std::make_unique<registered_buffer_pool>(context, 1, 4096);
  const leased_buffer lease = pool->try_lease();
  outcome waited;
  pool->async_lease([&](error_code ec, leased_buffer none) {
    BOOST_TEST(!none);
    waited.record()(ec);
  });
  settle(context);
  pool.reset();
  finish(context);
  CHECK_FAILED(waited, asio::experimental::error::channel_cancelled);
}

BOOST_AUTO_TEST_CASE(who_waits_when_the_context_ends_is_destroyed)
{
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> watch = held;
  auto context = std::make_unique<asio::io_context>();
  registered_buffer_pool pool(*context, 1, 4096);
  leased_buffer lease = pool.try_lease();
  pool.async_lease([held = std::move(held)](error_code, leased_buffer) { BOOST_ERROR("called"); });
  context.reset();
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(buffers_go_to_those_who_wait_in_their_order)
{
  asio::io_context context;
  registered_buffer_pool pool(context, 2, 4096);
  std::vector<leased_buffer> held;
  std::string order;
  for (const char name : {'a', 'b', 'c', 'd'})
    pool.async_lease([&, name](error_code ec, leased_buffer lease) {
      BOOST_TEST(!ec);
      order += name;
      held.push_back(std::move(lease));
    });
  BOOST_TEST(order.empty()); // handlers do not run within the initiating function
  run_until(context, [&] { return order.size() == 2; });
  BOOST_TEST(order == "ab");
  BOOST_TEST(!pool.try_lease());
  held.clear();
  finish(context);
  BOOST_TEST(order == "abcd");
}

BOOST_AUTO_TEST_CASE(a_registration_outlives_its_context)
{
  std::vector<char> memory(4096);
  auto context = std::make_unique<asio::io_context>();
  const auto registration = asio_uring::register_buffers(*context, asio::buffer(memory));
  context.reset();
  BOOST_TEST(registration.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_closed_file_outlives_its_context)
{
  auto context = std::make_unique<asio::io_context>();
  asio_uring::random_access_file file(*context, write_file("file", "data"), asio::file_base::read_only);
  asio_uring::stream_file never_opened(*context);
  file.close();
  context.reset();
  error_code ec;
  char byte;
  BOOST_TEST(file.size(ec) == 0u);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  file.read_some_at(0, asio::buffer(&byte, 1), ec);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  never_opened.read_some(asio::buffer(&byte, 1), ec);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  never_opened.seek(0, asio::file_base::seek_set, ec);
  BOOST_TEST(ec == asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(whichever_move_of_an_owned_buffers_handler_throws_nothing_is_left)
{
  const std::string name = write_file("file", "data");
  for (int n = 0;; ++n) {
    asio::io_context context;
    asio_uring::random_access_file file(context, name, asio::file_base::read_only);
    throwing_handler::called = 0;
    bool thrown = false;
    const auto attempt = [&](auto&& part) {
      try {
        part();
      } catch (const std::runtime_error&) {
        thrown = true;
      }
    };
    attempt([&] {
      throwing_handler handler;
      throwing_handler::moves_left = n;
      asio_uring::async_read_at(file, 0, std::vector<char>(4), std::move(handler));
    });
    attempt([&] { finish(context); });
    throwing_handler::moves_left = -1;
    finish(context);
    BOOST_TEST_CONTEXT("move " << n)
    {
      BOOST_CHECK_EQUAL(throwing_handler::alive, 0);
      BOOST_CHECK_EQUAL(memory.live, 0);
      BOOST_CHECK_EQUAL(throwing_handler::called, thrown ? 0 : 1);
    }
    if (!thrown) return;
    BOOST_REQUIRE_LT(n, 50);
  }
}

BOOST_AUTO_TEST_SUITE_END()
