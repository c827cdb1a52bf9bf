// test/no_memory.cpp: every single allocation fails once.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"
#include "replaced_new.hpp"
#include <new>

using namespace test;

namespace {

/// Calls `attempt()` again and again, with one allocation after the other failing, until none fails.
template <typename Attempt>
void fail_each_allocation(Attempt attempt)
{
  for (long n = 0;; ++n) {
    BOOST_REQUIRE_LT(n, 1000);
    bool failed = false;
    BOOST_TEST_CONTEXT("allocation " << n)
    attempt([&](auto&& part) {
      allocations_left = n;
      try {
        part();
      } catch (const std::bad_alloc&) {
        failed = true;
      }
      allocations_left = -1;
      return !failed;
    });
    if (!failed) return;
  }
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(no_memory, scratch_directory)

BOOST_AUTO_TEST_CASE(a_chain_is_as_it_was_where_an_operation_found_no_memory)
{
  using asio_uring::random_access_file;
  asio::io_context context;
  for (const std::size_t before : {0, 1, 3, 4}) // some of these fill the capacity of vectors
    fail_each_allocation([&](auto may_fail) {
      random_access_file file(context, path("file"),
                              asio::file_base::read_write | asio::file_base::create |
                                  asio::file_base::truncate);
      auto chain = asio_uring::chain(file);
      std::string expected;
      expected.reserve(100);
      const auto write = [&] {
        chain.write_at(file, expected.size(), asio::buffer("abcd", 4));
        expected += "abcd";
      };
      for (std::size_t i = 0; i < before; ++i)
        write();
      may_fail(write);
      BOOST_CHECK_EQUAL(chain.size(), expected.size() / 4);
      write();
      outcome run;
      chain.async_run([&](error_code ec, std::vector<int> results) {
        BOOST_CHECK(results == std::vector<int>(expected.size() / 4, 4));
        run.record()(ec);
      });
      finish(context);
      CHECK_SUCCEEDED(run);
      BOOST_CHECK_EQUAL(read_file(path("file")), expected);
    });
}

BOOST_AUTO_TEST_CASE(opening_leaves_no_descriptor_where_there_is_no_memory)
{
  asio::io_context context;
  tcp::socket(context, tcp::v4()).close();
  std::vector<tcp::socket> used; // all file states made so far: the next is allocated
  fail_each_allocation([&](auto may_fail) {
    used.emplace_back(context, tcp::v4());
    tcp::socket socket(context);
    asio_uring::random_access_file file(context);
    const std::string name = path("file");
    const std::size_t before = open_descriptors();
    may_fail([&] { socket.open(tcp::v4()); });
    BOOST_CHECK_EQUAL(open_descriptors(), before + socket.is_open());
    const std::size_t with_socket = open_descriptors();
    may_fail([&] { file.open(name, asio::file_base::read_write | asio::file_base::create); });
    BOOST_CHECK_EQUAL(open_descriptors(), with_socket + file.is_open());
  });
}

BOOST_AUTO_TEST_CASE(an_accepted_connection_is_closed_where_there_is_no_memory)
{
  asio::io_context context;
  listener acceptor(context);
  std::vector<tcp::socket> used;
  fail_each_allocation([&](auto may_fail) {
    tcp::socket client(context, tcp::v4()), peer(context);
    auto session = std::make_shared<int>();
    const std::weak_ptr<int> watch = session;
    const std::size_t before = open_descriptors();
    bool accepted = false;
    acceptor.async_accept(peer, [&, session = std::move(session)](error_code ec) { accepted = !ec; });
    settle(context);
    client.connect(acceptor.endpoint());
    may_fail([&] { finish(context); });
    finish(context);
    BOOST_CHECK(watch.expired());
    BOOST_CHECK_EQUAL(peer.is_open(), accepted);
    BOOST_CHECK_EQUAL(open_descriptors(), before + accepted);
    used.emplace_back(std::move(peer));
    used.emplace_back(std::move(client));
  });
}

BOOST_AUTO_TEST_SUITE_END()
