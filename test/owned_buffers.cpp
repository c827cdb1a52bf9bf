// owned_buffers.cpp: transfers that own their buffer; registered buffers.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <asio_uring/registered_buffer_pool.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <sys/file.h>
#include <sys/resource.h>
#include <thread>

using namespace test;
using asio::use_awaitable;

BOOST_FIXTURE_TEST_SUITE(owned_buffers, scratch_directory)

BOOST_AUTO_TEST_CASE(the_buffer_comes_back_with_the_result)
{
  asio::io_context context;
  asio_uring::random_access_file file(context, path("file"),
                                      asio::file_base::read_write | asio::file_base::create);
  std::string back;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        std::string text = "hello, world";
        const char* const memory = text.data();
        auto [written, same] = co_await asio_uring::async_write_at(file, 0, std::move(text), use_awaitable);
        BOOST_TEST(written == 12u);
        BOOST_TEST((same.data() == memory || same.size() < 16));
        auto [read, bytes] = co_await asio_uring::async_read_at(file, 7, std::vector<char>(5), use_awaitable);
        BOOST_TEST(read == 5u);
        back.assign(bytes.begin(), bytes.end());
        auto [ec, n, rest] = co_await asio_uring::async_read_at(file, 7, std::array<char, 64>(),
                                                                asio::as_tuple(use_awaitable));
        BOOST_TEST(ec == asio::error::eof);
        BOOST_TEST(n == 5u);
        BOOST_TEST(std::string_view(rest.data(), n) == "world");
      },
      [](std::exception_ptr e) { BOOST_TEST(!e); });
  finish(context);
  BOOST_TEST(back == "world");
}

BOOST_AUTO_TEST_CASE(the_buffer_stays_in_place_however_the_handler_moves)
{
  asio::io_context context;
  asio_uring::random_access_file file(context, write_file("file", std::string(4096, 'x')),
                                      asio::file_base::read_only);
  int right = 0;
  for (int i = 0; i != 100; ++i)
    asio_uring::async_read_at(
        file, 0, std::array<char, 4096>(),
        asio::bind_executor(asio::make_strand(context),
                            [&](error_code ec, std::size_t n, std::array<char, 4096> data) {
                              right += !ec && n == 4096 && data[0] == 'x' && data[4095] == 'x';
                            }));
  finish(context);
  BOOST_TEST(right == 100);
}

BOOST_AUTO_TEST_CASE(streams_and_sockets_own_buffers_too)
{
  connection<tcp> c;
  std::string got;
  asio::co_spawn(
      c.context,
      [&]() -> asio::awaitable<void> {
        co_await asio_uring::async_write(c.client, std::string("ab"), use_awaitable);
        co_await asio_uring::async_send(c.client, std::string("cd"), use_awaitable);
        auto [n, first] = co_await asio_uring::async_read(c.server, std::vector<char>(3), use_awaitable);
        auto [m, second] = co_await asio_uring::async_receive(c.server, std::vector<char>(16), use_awaitable);
        got.assign(first.data(), n);
        got.append(second.data(), m);
      },
      [](std::exception_ptr e) { BOOST_TEST(!e); });
  finish(c.context);
  BOOST_TEST(got == "abcd");
}

BOOST_AUTO_TEST_CASE(a_cancelled_operation_gives_its_buffer_back)
{
  using namespace asio::experimental::awaitable_operators;
  connection<tcp> c;
  outcome cancelled;
  asio::cancellation_signal signal;
  std::size_t size = 0;
  asio_uring::async_receive(c.server, std::vector<char>(1000),
                            asio::bind_cancellation_slot(
                                signal.slot(), [&](error_code ec, std::size_t n, std::vector<char> buffer) {
                                  cancelled.record()(ec, n);
                                  size = buffer.size();
                                }));
  settle(c.context);
  signal.emit(asio::cancellation_type::total);
  finish(c.context);
  CHECK_FAILED(cancelled, asio::error::operation_aborted);
  BOOST_TEST(size == 1000u);
}

BOOST_AUTO_TEST_CASE(the_context_may_go_with_the_kernel_at_work_in_the_buffer)
{
  constexpr std::size_t size = 8 << 20;
  const std::string name = write_file("file", std::string(size, 'x'));
  for (int round = 0; round != 5; ++round) {
    asio::io_context context;
    asio_uring::random_access_file file(context, name, asio::file_base::read_only);
    for (int i = 0; i != 4; ++i)
      asio_uring::async_read_at(file, 0, std::vector<char>(size),
                                [](error_code, std::size_t, std::vector<char>) { std::abort(); });
    file.size(); // submits
  }
}

BOOST_AUTO_TEST_CASE(registered_buffers_are_read_into_and_written_from)
{
  asio::io_context context;
  asio_uring::random_access_file file(context, path("file"),
                                      asio::file_base::read_write | asio::file_base::create);
  const pattern data;
  std::vector<char> memory(4 * 4096), back(4 * 4096);
  {
    std::vector<asio::mutable_buffer> parts;
    for (std::size_t i = 0; i != 4; ++i)
      parts.push_back(asio::buffer(memory.data() + i * 4096, 4096));
    const auto registered = asio_uring::register_buffers(context, parts);
    BOOST_TEST(registered.size() == 4u);
    if (asio_uring::backend(context).io_uring) // the fallback only gives them numbers
      BOOST_CHECK_THROW((void)asio_uring::register_buffers(context, parts), boost::system::system_error);
    for (int round = 0; round != 10; ++round) {
      std::vector<outcome> written(4), read(4);
      asio::buffer_copy(parts, data.at(round, memory.size()));
      for (std::size_t i = 0; i != 4; ++i)
        asio::async_write_at(file, i * 4096, registered[i], written[i].record());
      finish(context);
      std::fill(memory.begin(), memory.end(), 0);
      for (std::size_t i = 0; i != 4; ++i)
        file.async_read_some_at(i * 4096, asio::buffer(registered[i], 4000), read[i].record());
      finish(context);
      for (std::size_t i = 0; i != 4; ++i) {
        CHECK_SUCCEEDED(written[i]);
        CHECK_SUCCEEDED(read[i]);
        BOOST_TEST(read[i].bytes == 4000u);
        BOOST_TEST(data.matches(round + i * 4096, memory.data() + i * 4096, 4000));
      }
      BOOST_TEST(file.read_some_at(0, registered[3]) == 4096u);
    }
  }
  const auto other = asio_uring::register_buffers(context, asio::buffer(back));
  outcome read;
  file.async_read_some_at(0, other[0], read.record());
  finish(context);
  CHECK_SUCCEEDED(read);
  BOOST_TEST(data.matches(9, back.data(), back.size()));
}

BOOST_AUTO_TEST_CASE(a_void_registration_is_told_by_the_kernel)
{
  // This shows that registered buffers are used by their index.
  asio::io_context context;
  asio_uring::random_access_file file(context, write_file("file", "data"), asio::file_base::read_only);
  std::vector<char> memory(4096);
  asio::mutable_registered_buffer buffer;
  {
    const auto registered = asio_uring::register_buffers(context, asio::buffer(memory));
    buffer = registered[0];
  }
  outcome read;
  file.async_read_some_at(0, buffer, read.record());
  finish(context);
  if (asio_uring::backend(context).io_uring)
    CHECK_FAILED(read, boost::system::errc::bad_address);
  else
    CHECK_SUCCEEDED(read); // with the fallback they are ordinary buffers
}

BOOST_AUTO_TEST_CASE(a_pool_lends_its_buffers_and_gets_them_back)
{
  using asio_uring::leased_buffer;
  asio::io_context context;
  BOOST_CHECK_THROW(asio_uring::registered_buffer_pool(context, 0, 4096), std::invalid_argument);
  BOOST_CHECK_THROW(asio_uring::registered_buffer_pool(context, 2, 1000), std::invalid_argument);
  asio_uring::registered_buffer_pool pool(context, 2, 8192);
  BOOST_TEST(pool.size() == 2u);
  leased_buffer first = pool.try_lease(), second = pool.try_lease();
  BOOST_TEST((first && second));
  BOOST_TEST(first.size() == 8192u);
  BOOST_TEST(first.data() != second.data());
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(second.data()) % 4096 == 0u);
  BOOST_TEST(!pool.try_lease());
  BOOST_TEST(leased_buffer().size() == 0u);

  leased_buffer third;
  outcome waited;
  pool.async_lease([&](error_code ec, leased_buffer lease) {
    third = std::move(lease);
    waited.record()(ec);
  });
  settle(context);
  BOOST_TEST(!waited.done());
  void* const given_back = first.data();
  first.release();
  BOOST_TEST(!first);
  finish(context);
  CHECK_SUCCEEDED(waited);
  BOOST_TEST(third.data() == given_back);
}

BOOST_AUTO_TEST_CASE(a_leased_buffer_travels_with_its_operation)
{
  using asio_uring::leased_buffer;
  asio::io_context context;
  asio_uring::registered_buffer_pool pool(context, 1, 4096);
  asio_uring::random_access_file file(context, path("file"),
                                      asio::file_base::read_write | asio::file_base::create);
  leased_buffer lease = pool.try_lease();
  void* const place = lease.data();
  const pattern data;
  std::memcpy(lease.data(), data.at(0, 4096).data(), 4096);
  outcome written, read;
  asio_uring::async_write_at(
      file, 0, std::move(lease), [&](error_code ec, std::size_t n, leased_buffer back) {
        BOOST_TEST(back.data() == place);
        std::memset(back.data(), 0, back.size());
        written.record()(ec, n);
        asio_uring::async_read_at(file, 0, std::move(back),
                                  [&](error_code e, std::size_t m, leased_buffer again) {
                                    BOOST_TEST(data.matches(0, static_cast<char*>(again.data()), m));
                                    read.record()(e, m);
                                  });
      });
  BOOST_TEST(!pool.try_lease());
  finish(context);
  CHECK_SUCCEEDED(written);
  CHECK_SUCCEEDED(read);
  BOOST_TEST(read.bytes == 4096u);
  BOOST_TEST(!!pool.try_lease()); // the first lease ended with the handler's argument
}

BOOST_AUTO_TEST_CASE(a_registered_file_goes_by_its_place)
{
  asio::io_context context;
  asio_uring::random_access_file file(context, path("file"),
                                      asio::file_base::read_write | asio::file_base::create);
  asio_uring::random_access_file closed(context);
  error_code ec;
  BOOST_TEST(asio_uring::register_file(closed, ec) == asio::error::bad_descriptor);
  asio_uring::register_file(file);
  asio_uring::register_file(file);
  // Operations that use the number find another file.
  const int number = file.native_handle(), kept = ::dup(number),
            other = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (asio_uring::backend(context).io_uring) BOOST_REQUIRE_EQUAL(::dup2(other, number), number);
  char back[5] = {};
  outcome written, synced, read;
  file.async_write_some_at(0, asio::buffer("hello", 5), written.record());
  finish(context);
  file.async_read_some_at(0, asio::buffer(back), read.record());
  asio_uring::async_fsync(file, synced.record());
  finish(context);
  ::dup2(kept, number);
  for (const int fd : {kept, other})
    ::close(fd);
  CHECK_SUCCEEDED(written);
  CHECK_SUCCEEDED(synced);
  CHECK_SUCCEEDED(read);
  BOOST_TEST(std::string(back, 5) == "hello");
}

BOOST_AUTO_TEST_CASE(closing_a_registered_file_lets_go_of_it)
{
  asio::io_context context;
  const std::string name = write_file("file", "data");
  for (int round = 0; round < 3000; ++round) {
    asio_uring::random_access_file file(context, name, asio::file_base::read_only);
    asio_uring::register_file(file); // in a table of 1024 entries
    // Before Linux 6.4, this takes the kernel a second each time.
    const bool reads = round % 250 == 0, looks = reads || round % 250 == 1;
    if (looks) BOOST_REQUIRE_EQUAL(::flock(file.native_handle(), LOCK_EX | LOCK_NB), 0);
    char byte;
    if (reads) file.async_read_some_at(0, asio::buffer(&byte, 1), [](error_code, std::size_t) {});
    file.close();
    if (!looks) continue;
    // The lock belongs to the file, not to the number: it ends when the file is closed.
    const int again = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    bool free = false;
    for (int attempt = 0; !free && attempt < 5000; ++attempt) {
      free = ::flock(again, LOCK_EX | LOCK_NB) == 0;
      if (!free) context.restart(), context.poll(), std::this_thread::sleep_for(1ms);
    }
    ::close(again);
    BOOST_REQUIRE(free);
  }
}

BOOST_AUTO_TEST_CASE(a_full_table_of_files_is_an_error_and_harms_nothing)
{
  asio::io_context context;
  const std::string name = write_file("file", "data");
  rlimit limit;
  ::getrlimit(RLIMIT_NOFILE, &limit);
  rlimit low = limit;
  low.rlim_cur = 100; // the first registration makes the table this large
  ::setrlimit(RLIMIT_NOFILE, &low);
  std::vector<asio_uring::random_access_file> files;
  error_code ec;
  for (int i = 0; i <= 100 && !ec; ++i) {
    files.emplace_back(context, name, asio::file_base::read_only);
    asio_uring::register_file(files.back(), ec);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (!asio_uring::backend(context).io_uring)
    BOOST_TEST(!ec);
  else {
    BOOST_TEST(ec == boost::system::errc::too_many_files_open_in_system);
    BOOST_TEST(files.size() == 101u);
  }
  char byte;
  outcome read;
  files.back().async_read_some_at(0, asio::buffer(&byte, 1), read.record());
  finish(context);
  CHECK_SUCCEEDED(read);
  files.front().close();
  if (ec) asio_uring::register_file(files.back());
}

BOOST_AUTO_TEST_CASE(stock_registrations_are_ordinary_buffers)
{
  asio::io_context context;
  asio_uring::random_access_file file(context, write_file("file", "data"), asio::file_base::read_only);
  std::vector<char> memory(4096);
  auto numbered = asio::register_buffers(context, asio::buffer(memory));
  outcome read;
  file.async_read_some_at(0, numbered[0], read.record());
  finish(context);
  CHECK_SUCCEEDED(read);
  BOOST_TEST(read.bytes == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
