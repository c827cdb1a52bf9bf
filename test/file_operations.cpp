// test/file_operations.cpp: file operations in flight: tokens, executors, cancellation, lifetime.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <future>
#include <sys/stat.h>
#include <thread>

using namespace test;
using asio::random_access_file;
using asio::stream_file;
using file_base = asio::file_base;

namespace {

/// A FIFO on which a read waits until something is written. It is also open for writing, so there is no end
/// of file.
struct fifo : scratch_directory
{
  std::string name = path("fifo");
  fifo() { BOOST_REQUIRE_EQUAL(::mkfifo(name.c_str(), 0600), 0); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(file_operations, scratch_directory)

// --- tokens, executors, moves

BOOST_AUTO_TEST_CASE(every_kind_of_token_works)
{
  asio::io_context context;
  random_access_file file(context, path("file"), read_write | file_base::create);
  std::future<std::size_t> written;
  char data[4];
  std::size_t read = 0, deferred = 0;
  written = file.async_write_some_at(0, asio::buffer("data", 4), asio::use_future);
  finish(context);
  BOOST_TEST(written.get() == 4u);
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        read = co_await file.async_read_some_at(0, asio::buffer(data), asio::use_awaitable);
        deferred =
            co_await file.async_read_some_at(1, asio::buffer(data), asio::deferred)(asio::use_awaitable);
        auto [ec, n] =
            co_await file.async_read_some_at(4, asio::buffer(data), asio::as_tuple(asio::use_awaitable));
        BOOST_TEST(ec == asio::error::eof);
        BOOST_TEST(n == 0u);
      },
      asio::detached);
  finish(context);
  BOOST_TEST(read == 4u);
  BOOST_TEST(deferred == 3u);
}

BOOST_AUTO_TEST_CASE(a_file_moves_with_its_operations_in_flight)
{
  fifo pipe;
  asio::io_context context;
  stream_file file(context, pipe.name, read_write);
  char data[4];
  outcome read;
  asio::async_read(file, asio::buffer(data), read.record());
  settle(context);
  stream_file moved(std::move(file));
  BOOST_TEST(!file.is_open());
  BOOST_TEST(!read.done());
  BOOST_TEST(moved.write_some(asio::buffer("data", 4)) == 4u);
  finish(context);
  CHECK_SUCCEEDED(read);
  file = std::move(moved);
  BOOST_TEST(file.is_open());
  BOOST_TEST(!moved.is_open());
}

BOOST_AUTO_TEST_CASE(a_file_moves_between_executor_types)
{
  asio::io_context context;
  asio::basic_random_access_file<asio::io_context::executor_type> concrete(
      context, write_file("file", "data"), read_only);
  random_access_file erased(std::move(concrete));
  BOOST_TEST(!concrete.is_open());
  char data[4];
  outcome read;
  erased.async_read_some_at(0, asio::buffer(data), read.record());
  finish(context);
  CHECK_SUCCEEDED(read);
  asio_uring::random_access_file ours(context);
  ours = asio_uring::random_access_file(context, path("file"), read_only);
  BOOST_TEST(ours.is_open());
  asio_uring::basic_stream_file<asio::io_context::executor_type> native(context, path("file"), read_only);
  asio_uring::stream_file stream(std::move(native));
  BOOST_TEST(stream.is_open());
}

BOOST_AUTO_TEST_CASE(a_handler_runs_on_its_executor)
{
  asio::io_context context;
  asio::thread_pool pool(1);
  random_access_file file(context, write_file("file", "data"), read_only);
  char data[4];
  std::thread::id ran;
  file.async_read_some_at(0, asio::buffer(data), asio::bind_executor(pool, [&](error_code, std::size_t) {
                            ran = std::this_thread::get_id();
                          }));
  context.run();
  pool.join();
  BOOST_CHECK(ran != std::thread::id());
  BOOST_CHECK(ran != std::this_thread::get_id());
}

BOOST_AUTO_TEST_CASE(files_work_on_a_thread_pool)
{
  const pattern data;
  asio::thread_pool pool(4);
  std::atomic<int> right{0};
  std::vector<std::future<void>> ended;
  for (int f = 0; f != 8; ++f)
    ended.push_back(asio::co_spawn(
        pool,
        [&, f]() -> asio::awaitable<void> {
          random_access_file file(co_await asio::this_coro::executor, path("file" + std::to_string(f)),
                                  read_write | file_base::create);
          std::vector<char> back(10'000);
          for (std::size_t i = 0; i != 100; ++i) {
            co_await asio::async_write_at(file, i * 10'000, data.at(f + i, 10'000), asio::use_awaitable);
            co_await asio::async_read_at(file, i * 10'000, asio::buffer(back), asio::use_awaitable);
            right += data.matches(f + i, back.data(), back.size());
          }
        },
        asio::use_future));
  pool.join();
  for (auto& e : ended)
    BOOST_CHECK_NO_THROW(e.get());
  BOOST_TEST(right == 800);
}

BOOST_AUTO_TEST_CASE(the_first_files_of_a_context_are_made_by_several_threads)
{
  write_file("file", "data");
  for (int round = 0; round != 100; ++round) {
    asio::thread_pool pool(4);
    std::atomic<int> waiting{4};
    std::vector<std::future<std::size_t>> read;
    for (int i = 0; i != 4; ++i)
      read.push_back(asio::co_spawn(
          pool,
          [&]() -> asio::awaitable<std::size_t> {
            for (--waiting; waiting;) {
            }
            random_access_file file(pool, path("file"), read_only);
            char data[4];
            co_return co_await file.async_read_some_at(0, asio::buffer(data), asio::use_awaitable);
          },
          asio::use_future));
    pool.join();
    for (auto& r : read)
      BOOST_TEST(r.get() == 4u);
  }
}

// --- cancelling

BOOST_AUTO_TEST_CASE(cancel_ends_what_waits)
{
  fifo pipe;
  asio::io_context context;
  stream_file file(context, pipe.name, read_write);
  char data[4];
  outcome read, behind;
  file.async_read_some(asio::buffer(data), read.record());
  file.async_read_some(asio::buffer(data), behind.record());
  settle(context);
  file.cancel();
  finish(context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  CHECK_FAILED(behind, asio::error::operation_aborted);
  BOOST_TEST(file.is_open());
}

BOOST_AUTO_TEST_CASE(a_cancellation_signal_ends_its_own_operation)
{
  fifo pipe;
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    asio::io_context context;
    stream_file file(context, pipe.name, read_write);
    char data[4];
    outcome read, behind;
    asio::cancellation_signal signal;
    file.async_read_some(asio::buffer(data), asio::bind_cancellation_slot(signal.slot(), read.record()));
    file.async_read_some(asio::buffer(data), behind.record());
    settle(context);
    signal.emit(type);
    settle(context);
    CHECK_FAILED(read, asio::error::operation_aborted);
    BOOST_TEST(!behind.done());
    file.write_some(asio::buffer("data", 4));
    finish(context);
    CHECK_SUCCEEDED(behind);
  }
}

BOOST_AUTO_TEST_CASE(close_and_destruction_end_what_waits)
{
  fifo pipe;
  asio::io_context context;
  char data[4];
  outcome closed, destroyed, released;
  stream_file file(context, pipe.name, read_write);
  file.async_read_some(asio::buffer(data), closed.record());
  settle(context);
  file.close();
  finish(context);
  CHECK_FAILED(closed, asio::error::operation_aborted);
  {
    stream_file other(context, pipe.name, read_write);
    other.async_read_some(asio::buffer(data), destroyed.record());
    settle(context);
  }
  finish(context);
  CHECK_FAILED(destroyed, asio::error::operation_aborted);
  file.open(pipe.name, read_write);
  file.async_read_some(asio::buffer(data), released.record());
  settle(context);
  ::close(file.release());
  finish(context);
  CHECK_FAILED(released, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(a_cancelled_read_leaves_the_position_where_it_was)
{
  asio::io_context context;
  stream_file file(context, write_file("file", "0123456789"), read_write);
  char data[4];
  outcome read;
  file.async_read_some(asio::buffer(data), read.record());
  BOOST_TEST(file.size() == 10u); // after the read, whose completion waits to be collected
  file.cancel();
  finish(context);
  CHECK_FAILED(read, asio::error::operation_aborted);
  BOOST_TEST(file.seek(0, file_base::seek_cur) == 0u);
  outcome next;
  file.async_read_some(asio::buffer(data), next.record());
  finish(context);
  CHECK_SUCCEEDED(next);
  BOOST_TEST(std::string_view(data, 4) == "0123");
}

BOOST_AUTO_TEST_CASE(a_cancelled_read_of_a_fifo_loses_nothing)
{
  fifo pipe;
  asio::io_context context;
  stream_file file(context, pipe.name, read_write);
  stream_file writer(context, pipe.name, read_write);
  char data[4];
  outcome read;
  file.async_read_some(asio::buffer(data), read.record());
  settle(context);
  writer.write_some(asio::buffer("abcdefgh", 8));
  file.cancel();
  finish(context);
  std::string got;
  while (got.size() < 8) {
    outcome next;
    file.async_read_some(asio::buffer(data), next.record());
    finish(context);
    CHECK_SUCCEEDED(next);
    got.append(data, next.bytes);
  }
  if (read.error)
    BOOST_TEST(got == "abcdefgh");
  else
    BOOST_TEST(got == "efgh");
}

BOOST_AUTO_TEST_CASE(positional_reads_that_were_cancelled_come_to_an_end)
{
  asio::io_context context;
  random_access_file file(context, write_file("file", std::string(1 << 22, 'x')),
                          read_only | static_cast<file_base::flags>(O_DIRECT));
  const aligned_block block(64 * 65536);
  std::vector<outcome> read(64);
  std::vector<asio::cancellation_signal> signals(64);
  for (std::size_t i = 0; i != 64; ++i)
    file.async_read_some_at(i * 65536, asio::buffer(block.data + i * 65536, 65536),
                            asio::bind_cancellation_slot(signals[i].slot(), read[i].record()));
  context.poll_one();
  for (auto& signal : signals)
    signal.emit(asio::cancellation_type::terminal);
  finish(context);
  for (const outcome& r : read) {
    BOOST_TEST(r.calls == 1);
    BOOST_TEST((!r.error || r.error == asio::error::operation_aborted), r);
  }
}

// --- lifetime

BOOST_AUTO_TEST_CASE(the_context_waits_for_the_kernel_to_leave_the_buffer)
{
  constexpr std::size_t size = 8 << 20;
  const std::string name = write_file("file", std::string(size, 'x'));
  for (int round = 0; round != 200; ++round) {
    const aligned_block block(size);
    {
      asio::io_context context;
      random_access_file file(context, name, read_only | static_cast<file_base::flags>(O_DIRECT));
      file.async_read_some_at(0, asio::buffer(block.data, size),
                              [](error_code, std::size_t) { std::abort(); });
      file.size(); // submits
    }
    std::memset(block.data, 'o', size);
    std::this_thread::sleep_for(20ms);
    BOOST_REQUIRE((block.data[0] == 'o' && std::memcmp(block.data, block.data + 1, size - 1) == 0));
  }
}

BOOST_AUTO_TEST_CASE(handlers_in_flight_are_destroyed_with_the_context)
{
  auto token = std::make_shared<int>();
  std::weak_ptr<int> watch = token;
  fifo pipe;
  char data[4];
  const std::size_t before = open_descriptors();
  {
    asio::io_context context;
    stream_file file(context, pipe.name, read_write);
    random_access_file other(context, write_file("file", "data"), read_only);
    file.async_read_some(asio::buffer(data), [token](error_code, std::size_t) { std::abort(); });
    other.async_read_some_at(0, asio::buffer(data), [token](error_code, std::size_t) { std::abort(); });
    token.reset();
  }
  BOOST_TEST(watch.expired());
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(a_read_races_a_timer)
{
  using namespace asio::experimental::awaitable_operators;
  fifo pipe;
  asio::io_context context;
  stream_file file(context, pipe.name, read_write);
  char data[4];
  std::size_t winner = 2;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        asio::steady_timer timer(context, 20ms);
        auto result = co_await (file.async_read_some(asio::buffer(data), asio::use_awaitable) ||
                                timer.async_wait(asio::use_awaitable));
        winner = result.index();
      },
      asio::detached);
  finish(context);
  BOOST_TEST(winner == 1u);
}

BOOST_AUTO_TEST_CASE(a_large_file_is_copied_through_a_few_buffers)
{
  asio::io_context context;
  const pattern data;
  std::string text;
  while (text.size() < 3'000'000) {
    const auto block = data.at(text.size(), 100'000);
    text.append(static_cast<const char*>(block.data()), block.size());
  }
  random_access_file from(context, write_file("from", text), read_only);
  random_access_file to(context, path("to"), read_write | file_base::create);
  std::uint64_t next = 0;
  for (int i = 0; i != 8; ++i)
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          std::vector<char> buffer(32768);
          for (;;) {
            const std::uint64_t at = std::exchange(next, next + buffer.size());
            auto [ec, n] = co_await asio::async_read_at(from, at, asio::buffer(buffer),
                                                        asio::as_tuple(asio::use_awaitable));
            if (n) co_await asio::async_write_at(to, at, asio::buffer(buffer, n), asio::use_awaitable);
            if (ec) break;
          }
        },
        asio::detached);
  finish(context);
  BOOST_TEST((contents(to) == text));
}

BOOST_AUTO_TEST_SUITE_END()
