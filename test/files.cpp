// files.cpp: stream and random-access files.
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

constexpr auto read_only = file_base::read_only;
constexpr auto read_write = file_base::read_write;

/// A FIFO, which a read waits for as long as nothing is written. Open for writing, too: no end of file.
struct fifo : scratch_directory
{
  std::string name = path("fifo");
  fifo() { BOOST_REQUIRE_EQUAL(::mkfifo(name.c_str(), 0600), 0); }
};

struct other_user
{
  other_user() { BOOST_REQUIRE_EQUAL(::seteuid(65534), 0); }
  ~other_user() { BOOST_REQUIRE_EQUAL(::seteuid(0), 0); }
};

std::string contents(random_access_file& file)
{
  std::string all(file.size(), '\0');
  asio::read_at(file, 0, asio::buffer(all));
  return all;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(files, scratch_directory)

// --- open, and the file as a whole

BOOST_AUTO_TEST_CASE(a_created_file_is_there_and_empty)
{
  asio::io_context context;
  random_access_file file(context, path("new"), read_write | file_base::create);
  BOOST_TEST(file.is_open());
  BOOST_TEST(file.size() == 0u);
  BOOST_TEST(std::filesystem::exists(path("new")));
}

BOOST_AUTO_TEST_CASE(open_flags_are_obeyed)
{
  asio::io_context context;
  const std::string name = write_file("file", "0123456789");
  error_code ec;
  random_access_file file(context);
  file.open(name, read_write | file_base::create | file_base::exclusive, ec);
  BOOST_TEST(ec == boost::system::errc::file_exists);
  file.open(name, read_write | file_base::truncate);
  BOOST_TEST(file.size() == 0u);
  file.close();

  stream_file log(context, name, file_base::write_only | file_base::append);
  asio::write(log, asio::buffer("one", 3));
  log.seek(0, file_base::seek_set);
  asio::write(log, asio::buffer("two", 3));
  log.close();
  BOOST_TEST(read_file(name) == "onetwo");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_says_why)
{
  asio::io_context context;
  error_code ec;
  random_access_file file(context);
  file.open(path("missing"), read_only, ec);
  BOOST_TEST(ec == boost::system::errc::no_such_file_or_directory);
  file.open(path("."), read_write, ec);
  BOOST_TEST(ec == boost::system::errc::is_a_directory);
  BOOST_TEST(!file.is_open());
  BOOST_CHECK_THROW(stream_file(context, path("missing"), read_only), boost::system::system_error);

  file.open(write_file("there", "x"), read_only);
  file.open(path("there"), read_only, ec);
  BOOST_TEST(ec == asio::error::already_open);
  BOOST_TEST(file.is_open());
}

// An error left in the caller's variable: the file was taken for refused, and its number closed under it.
BOOST_AUTO_TEST_CASE(open_forgets_the_error_of_an_earlier_operation)
{
  asio::io_context context;
  const std::string name = write_file("file", "x");
  error_code ec = asio::error::operation_aborted;
  random_access_file file(context);
  file.open(name, read_only, ec);
  BOOST_TEST(!ec);
  BOOST_TEST(contents(file) == "x");

  asio::readable_pipe in(context);
  asio::writable_pipe out(context);
  ec = asio::error::operation_aborted;
  asio::connect_pipe(in, out, ec);
  BOOST_TEST(!ec);

  asio::posix::stream_descriptor assigned(context);
  ec = asio::error::operation_aborted;
  assigned.assign(in.release(), ec);
  BOOST_TEST(!ec);
}

BOOST_AUTO_TEST_CASE(a_forbidden_file_gives_permission_denied, *boost::unit_test::precondition(as_root))
{
  asio::io_context context;
  const std::string name = write_file("secret", "x");
  ::chmod(name.c_str(), 0600);
  other_user nobody;
  error_code ec;
  random_access_file file(context);
  file.open(name, read_only, ec);
  BOOST_TEST(ec == boost::system::errc::permission_denied);
}

BOOST_AUTO_TEST_CASE(size_resize_and_synchronisation)
{
  asio::io_context context;
  random_access_file file(context, path("file"), read_write | file_base::create);
  file.resize(10);
  BOOST_TEST(file.size() == 10u);
  file.write_some_at(8, asio::buffer("abcd", 4));
  file.sync_data();
  file.sync_all();
  BOOST_TEST(file.size() == 12u);
  file.resize(9);
  BOOST_TEST(read_file(path("file")) == std::string(8, '\0') + "a");
}

BOOST_AUTO_TEST_CASE(a_closed_file_gives_bad_descriptor)
{
  asio::io_context context;
  random_access_file file(context, write_file("file", "data"), read_write);
  stream_file stream(context);
  file.close();
  char data[4];
  error_code ec;
  BOOST_TEST(file.read_some_at(0, asio::buffer(data), ec) == 0u);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  file.size(ec);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  file.cancel(ec);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  stream.seek(0, file_base::seek_set, ec);
  BOOST_TEST(ec == asio::error::bad_descriptor);
  outcome at, some;
  file.async_write_some_at(0, asio::buffer(data), at.record());
  stream.async_read_some(asio::buffer(data), some.record());
  BOOST_TEST(!at.done());
  finish(context);
  CHECK_FAILED(at, asio::error::bad_descriptor);
  CHECK_FAILED(some, asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(assign_and_release_hand_the_descriptor_over)
{
  asio::io_context context;
  const int fd = ::open(write_file("file", "data").c_str(), O_RDWR);
  random_access_file file(context, fd);
  BOOST_TEST(file.native_handle() == fd);
  error_code ec;
  file.assign(fd, ec);
  BOOST_TEST(ec == asio::error::already_open);
  BOOST_TEST(file.release() == fd);
  BOOST_TEST(!file.is_open());
  BOOST_TEST(::close(fd) == 0);
  file.assign(fd, ec);
  BOOST_TEST(ec == asio::error::bad_descriptor);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_read_keeps_its_flags)
{
  asio::io_context context;
  stream_file file(context, write_file("file", "text"), read_only);
  const int flags = ::fcntl(file.native_handle(), F_GETFL);
  char text[4];
  asio::async_read(file, asio::buffer(text), [](error_code ec, std::size_t) { BOOST_TEST(!ec); });
  context.run();
  BOOST_TEST(::fcntl(file.native_handle(), F_GETFL) == flags);
  const asio_uring::unique_descriptor released(file.release());
  BOOST_TEST(::fcntl(released.get(), F_GETFL) == flags);
}

// --- reading and writing at an offset

BOOST_AUTO_TEST_CASE(a_read_past_the_end_is_short_then_eof)
{
  asio::io_context context;
  random_access_file file(context, write_file("file", "0123456789"), read_only);
  char data[16];
  outcome tail, end, far, composed;
  file.async_read_some_at(6, asio::buffer(data), tail.record());
  finish(context);
  CHECK_SUCCEEDED(tail);
  BOOST_TEST(tail.bytes == 4u);
  BOOST_TEST(std::string_view(data, 4) == "6789");
  file.async_read_some_at(10, asio::buffer(data), end.record());
  file.async_read_some_at(1 << 30, asio::buffer(data), far.record());
  asio::async_read_at(file, 2, asio::buffer(data), composed.record());
  finish(context);
  CHECK_FAILED(end, asio::error::eof);
  CHECK_FAILED(far, asio::error::eof);
  CHECK_FAILED(composed, asio::error::eof);
  BOOST_TEST(composed.bytes == 8u);
  error_code ec;
  BOOST_TEST(file.read_some_at(10, asio::buffer(data), ec) == 0u);
  BOOST_TEST(ec == asio::error::eof);
}

BOOST_AUTO_TEST_CASE(an_empty_buffer_completes_with_nothing_even_at_the_end)
{
  asio::io_context context;
  random_access_file file(context, write_file("file", ""), read_write);
  std::array<asio::mutable_buffer, 2> none;
  outcome read, scattered, write;
  file.async_read_some_at(0, asio::mutable_buffer(), read.record());
  file.async_read_some_at(0, none, scattered.record());
  file.async_write_some_at(0, asio::const_buffer(), write.record());
  BOOST_TEST(!read.done());
  finish(context);
  CHECK_SUCCEEDED(read);
  CHECK_SUCCEEDED(scattered);
  CHECK_SUCCEEDED(write);
  BOOST_TEST(file.read_some_at(0, asio::mutable_buffer()) == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back_with_1_to_100_buffers)
{
  asio::io_context context;
  random_access_file file(context, path("file"), read_write | file_base::create);
  const pattern data;
  std::mt19937 random(1);
  constexpr std::size_t size = 50'000;
  for (std::size_t count = 1; count <= 100; ++count) {
    const std::size_t offset = random() % 1'000'000;
    std::vector<char> back(size);
    outcome written, read;
    asio::async_write_at(file, offset, scattered(data.at(count, size), count, random), written.record());
    finish(context);
    CHECK_SUCCEEDED(written);
    asio::async_read_at(file, offset, scattered(asio::buffer(back), count, random), read.record());
    finish(context);
    CHECK_SUCCEEDED(read);
    BOOST_TEST(read.bytes == size);
    BOOST_TEST(data.matches(count, back.data(), size));
    std::fill(back.begin(), back.end(), 0);
    BOOST_TEST(file.read_some_at(offset, scattered(asio::buffer(back), count, random)) == size);
    BOOST_TEST(data.matches(count, back.data(), size));
  }
}

BOOST_AUTO_TEST_CASE(one_operation_takes_as_many_buffers_as_the_kernel)
{
  asio::io_context context;
  random_access_file file(context, path("file"), read_write | file_base::create);
  char c = 'x';
  std::vector<asio::const_buffer> many(2000, asio::buffer(&c, 1));
  outcome written;
  file.async_write_some_at(0, many, written.record());
  finish(context);
  CHECK_SUCCEEDED(written);
  BOOST_TEST(written.bytes == 1024u);
}

BOOST_AUTO_TEST_CASE(operations_at_256_places_are_in_flight_together)
{
  asio::io_context context;
  random_access_file file(context, path("file"), read_write | file_base::create);
  const pattern data;
  constexpr std::size_t count = 256, size = 4096;
  std::vector<outcome> written(count), read(count);
  for (std::size_t i = 0; i != count; ++i)
    file.async_write_some_at((count - 1 - i) * size, data.at(i * 7, size), written[i].record());
  finish(context);
  std::vector<std::array<char, size>> back(count);
  for (std::size_t i = 0; i != count; ++i)
    file.async_read_some_at(i * size, asio::buffer(back[i]), read[i].record());
  finish(context);
  for (std::size_t i = 0; i != count; ++i) {
    CHECK_SUCCEEDED(written[i]);
    CHECK_SUCCEEDED(read[i]);
    BOOST_TEST(read[i].bytes == size);
    BOOST_TEST(data.matches((count - 1 - i) * 7, back[i].data(), size));
  }
}

BOOST_AUTO_TEST_CASE(more_operations_than_the_ring_has_entries_complete)
{
  asio::io_context context;
  random_access_file file(context, write_file("file", std::string(1 << 20, 'x')), read_only);
  constexpr std::size_t count = 20'000;
  std::vector<std::array<char, 64>> back(count);
  std::size_t right = 0;
  for (std::size_t i = 0; i != count; ++i)
    file.async_read_some_at(i * 32, asio::buffer(back[i]),
                            [&](error_code ec, std::size_t n) { right += !ec && n == 64; });
  finish(context);
  BOOST_TEST(right == count);
}

BOOST_AUTO_TEST_CASE(a_write_to_a_file_open_for_reading_fails)
{
  asio::io_context context;
  random_access_file file(context, write_file("file", "data"), read_only);
  outcome written;
  file.async_write_some_at(0, asio::buffer("x", 1), written.record());
  finish(context);
  CHECK_FAILED(written, asio::error::bad_descriptor);
  BOOST_TEST(written.bytes == 0u);
}

BOOST_AUTO_TEST_CASE(a_full_device_gives_no_space_on_device)
{
  asio::io_context context;
  stream_file full(context, "/dev/full", file_base::write_only);
  outcome written;
  asio::async_write(full, asio::buffer("data", 4), written.record());
  finish(context);
  CHECK_FAILED(written, boost::system::errc::no_space_on_device);
}

BOOST_AUTO_TEST_CASE(a_read_of_a_directory_fails)
{
  asio::io_context context;
  random_access_file directory(context, path("."), read_only);
  char data[16];
  outcome read;
  directory.async_read_some_at(0, asio::buffer(data), read.record());
  finish(context);
  CHECK_FAILED(read, boost::system::errc::is_a_directory);
}

BOOST_AUTO_TEST_CASE(direct_io_wants_alignment_and_says_so)
{
  asio::io_context context;
  random_access_file file(context, write_file("file", std::string(1 << 16, 'x')),
                          read_write | static_cast<file_base::flags>(O_DIRECT));
  const aligned_block block(8192);
  outcome right, odd_address, odd_offset, odd_size;
  file.async_read_some_at(4096, asio::buffer(block.data, 8192), right.record());
  file.async_read_some_at(4096, asio::buffer(block.data + 1, 4096), odd_address.record());
  file.async_read_some_at(4095, asio::buffer(block.data, 4096), odd_offset.record());
  file.async_write_some_at(4096, asio::buffer(block.data, 4095), odd_size.record());
  finish(context);
  CHECK_SUCCEEDED(right);
  BOOST_TEST(right.bytes == 8192u);
  CHECK_FAILED(odd_address, asio::error::invalid_argument);
  CHECK_FAILED(odd_offset, asio::error::invalid_argument);
  CHECK_FAILED(odd_size, asio::error::invalid_argument);
}

// --- a file with a position

BOOST_AUTO_TEST_CASE(a_stream_moves_its_position)
{
  asio::io_context context;
  stream_file file(context, path("file"), read_write | file_base::create);
  outcome written, read;
  asio::async_write(file, asio::buffer("hello, world", 12), written.record());
  finish(context);
  CHECK_SUCCEEDED(written);
  BOOST_TEST(file.seek(0, file_base::seek_cur) == 12u);
  BOOST_TEST(file.seek(-5, file_base::seek_end) == 7u);
  char data[5];
  asio::async_read(file, asio::buffer(data), read.record());
  finish(context);
  CHECK_SUCCEEDED(read);
  BOOST_TEST(std::string_view(data, 5) == "world");
  BOOST_TEST(file.seek(0, file_base::seek_cur) == 12u);
  outcome end;
  file.async_read_some(asio::buffer(data), end.record());
  finish(context);
  CHECK_FAILED(end, asio::error::eof);
  error_code ec;
  file.seek(-1, file_base::seek_set, ec);
  BOOST_TEST(ec == asio::error::invalid_argument);
}

BOOST_AUTO_TEST_CASE(synchronous_and_asynchronous_calls_share_the_position)
{
  asio::io_context context;
  stream_file file(context, write_file("file", "abcdefgh"), read_write);
  char data[2];
  BOOST_TEST(file.read_some(asio::buffer(data)) == 2u);
  outcome read;
  file.async_read_some(asio::buffer(data), read.record());
  finish(context);
  BOOST_TEST(std::string_view(data, 2) == "cd");
  BOOST_TEST(file.write_some(asio::buffer("XY", 2)) == 2u);
  BOOST_TEST(read_file(path("file")) == "abcdXYgh");
}

BOOST_AUTO_TEST_CASE(operations_of_a_stream_are_served_in_order)
{
  asio::io_context context;
  stream_file file(context, path("file"), read_write | file_base::create);
  const pattern data;
  constexpr std::size_t count = 100, size = 5000;
  std::vector<outcome> written(count);
  std::mt19937 random(1);
  for (std::size_t i = 0; i != count; ++i)
    if (i % 2)
      file.async_write_some(data.at(i * size, size), written[i].record());
    else
      file.async_write_some(scattered(data.at(i * size, size), 5, random), written[i].record());
  finish(context);
  for (const outcome& w : written) {
    CHECK_SUCCEEDED(w);
    BOOST_TEST(w.bytes == size);
  }
  const std::string all = read_file(path("file"));
  BOOST_TEST(all.size() == count * size);
  BOOST_TEST(data.matches(0, all.data(), all.size()));
}

BOOST_AUTO_TEST_CASE(buffered_streams_and_read_until_work_on_a_stream_file)
{
  asio::io_context context;
  std::string text;
  for (int i = 0; i != 3000; ++i)
    text += "line " + std::to_string(i) + "\n";
  {
    asio::buffered_write_stream<asio_uring::stream_file> out(context);
    out.next_layer().open(path("file"), file_base::write_only | file_base::create);
    outcome written, flushed;
    asio::async_write(out, asio::buffer(text), written.record());
    finish(context);
    CHECK_SUCCEEDED(written);
    out.async_flush(flushed.record());
    finish(context);
  }
  asio::buffered_read_stream<asio_uring::stream_file> in(context);
  in.next_layer().open(path("file"), read_only);
  std::string got, line;
  int lines = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        error_code ec;
        for (;;) {
          const std::size_t n = co_await asio::async_read_until(
              in, asio::dynamic_buffer(line), '\n', asio::redirect_error(asio::use_awaitable, ec));
          if (ec) break;
          got += line.substr(0, n);
          line.erase(0, n);
          ++lines;
        }
        BOOST_TEST(ec == asio::error::eof);
      },
      asio::detached);
  finish(context);
  BOOST_TEST(lines == 3000);
  BOOST_TEST(got == text);
}

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
  BOOST_TEST(file.size() == 10u); // comes after the read, whose completion waits to be collected
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
