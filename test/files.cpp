// test/files.cpp: opening, reading and writing stream and random-access files.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

using namespace test;
using asio::random_access_file;
using asio::stream_file;
using file_base = asio::file_base;

namespace {

struct other_user
{
  other_user() { BOOST_REQUIRE_EQUAL(::seteuid(65534), 0); }
  ~other_user() { BOOST_REQUIRE_EQUAL(::seteuid(0), 0); }
};

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

// An error left in the caller's variable must not be taken for a failed open, which would close the number of
// the open file.
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

BOOST_AUTO_TEST_CASE(a_synchronous_call_on_another_object_comes_after_a_write_that_was_started_before_it)
{
  asio::io_context context;
  int ends[2];
  BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
  stream_file out(context, ends[1]);
  asio::readable_pipe in(context, ends[0]);
  outcome before, written;
  out.async_write_some(asio::buffer("first", 5), before.record());
  finish(context);
  asio::post(context, [&] {
    out.async_write_some(asio::buffer("second", 6), written.record());
    std::jthread late([&] { // so that the read ends in any case
      std::this_thread::sleep_for(500ms);
      BOOST_WARN(::write(ends[1], "too late", 8) == 8);
    });
    char data[11];
    BOOST_TEST(asio::read(in, asio::buffer(data)) == 11u);
    BOOST_TEST(std::string_view(data, 11) == "firstsecond");
  });
  finish(context);
  CHECK_SUCCEEDED(written);
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

BOOST_AUTO_TEST_SUITE_END()
