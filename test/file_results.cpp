// file_results.cpp: results of operations on files, of chains and of submissions, as a program gets them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <asio_uring/owned_buffers.hpp>

using namespace test;
using asio::random_access_file;
using asio::stream_file;
namespace errc = boost::system::errc;

namespace {

/// Offsets that a file cannot have: the kernel's are signed, and -1 means the file's position.
constexpr std::uint64_t no_offsets[] = {std::uint64_t{1} << 63, ~std::uint64_t{1}, ~std::uint64_t{0}};

struct files_of_text : scratch_context
{
  const std::string name = write_file("file", "head of the file");
  random_access_file file{context, name, read_write};
  char bytes[4] = {'?', '?', '?', '?'};
  const std::array<asio::mutable_buffer, 2> halves{asio::buffer(bytes, 2), asio::buffer(bytes + 2, 2)};
};

/// "00--01--…": four bytes for each number, so that bytes reveal their place.
std::string numbers(int count)
{
  std::string text;
  for (int i = 0; i < count; ++i)
    text += std::to_string(i / 10) + std::to_string(i % 10) + "--";
  return text;
}

struct numbered_file : scratch_context
{
  const std::string name = write_file("file", numbers(50));
  stream_file file{context, name, read_write};
  char bytes[40];
  outcome cancelled, done;

  /// A read of 40 bytes, cancelled before or after the kernel has performed it.
  void cancel_a_read()
  {
    file.async_read_some(asio::buffer(bytes), cancelled.record());
    file.cancel();
  }
  /// 40 if the read was performed nevertheless and its handler got the bytes, 0 if it had no effect.
  std::uint64_t read_by_it() const { return cancelled.error ? 0 : cancelled.bytes; }
  std::uint64_t position() { return file.seek(0, asio::file_base::seek_cur); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(file_results)

// --- offsets

BOOST_FIXTURE_TEST_CASE(no_transfer_takes_an_offset_that_no_file_has, files_of_text)
{
  for (const std::uint64_t offset : no_offsets) {
    error_code ec;
    outcome done[6];
    file.write_some_at(offset, asio::buffer(bytes), ec);
    BOOST_TEST(ec == errc::invalid_argument);
    file.read_some_at(offset, asio::buffer(bytes), ec);
    BOOST_TEST(ec == errc::invalid_argument);
    file.async_write_some_at(offset, asio::buffer(bytes), done[0].record());
    file.async_write_some_at(offset, halves, done[1].record());
    file.async_read_some_at(offset, asio::buffer(bytes), done[2].record());
    file.async_read_some_at(offset, halves, done[3].record());
    const auto with_buffer = [](outcome& o) {
      return [&o](error_code e, std::size_t n, std::string) { o.record()(e, n); };
    };
    asio_uring::async_write_at(file, offset, std::string("????"), with_buffer(done[4]));
    asio_uring::async_read_at(file, offset, std::string("????"), with_buffer(done[5]));
    finish(context);
    for (const outcome& o : done)
      CHECK_FAILED(o, errc::invalid_argument);
  }
  BOOST_TEST(std::string(bytes, 4) == "????");
  BOOST_TEST(read_file(name) == "head of the file");
}

BOOST_FIXTURE_TEST_CASE(a_transfer_of_nothing_succeeds_at_any_offset, files_of_text)
{
  error_code ec = asio::error::eof;
  BOOST_TEST(file.write_some_at(no_offsets[2], asio::const_buffer(), ec) == 0u);
  BOOST_TEST(!ec);
  outcome done;
  file.async_write_some_at(no_offsets[2], asio::const_buffer(), done.record());
  finish(context);
  CHECK_SUCCEEDED(done);
}

BOOST_FIXTURE_TEST_CASE(the_largest_offset_fails_as_the_system_call_does, files_of_text)
{
  const std::uint64_t largest = no_offsets[0] - 1;
  error_code written, read;
  outcome write, other;
  file.write_some_at(largest, asio::buffer(bytes), written);
  file.read_some_at(largest, asio::buffer(bytes), read);
  file.async_write_some_at(largest, asio::buffer(bytes), write.record());
  file.async_read_some_at(largest, asio::buffer(bytes), other.record());
  finish(context);
  BOOST_TEST(written);
  CHECK_FAILED(write, written);
  BOOST_TEST(read);
  CHECK_FAILED(other, read);
}

BOOST_FIXTURE_TEST_CASE(no_chain_takes_an_offset_that_no_file_has, files_of_text)
{
  for (const std::uint64_t offset : no_offsets) {
    outcome done[2];
    const auto record = [](outcome& o) {
      return [&o](error_code e, std::vector<int> results) {
        o.record()(e, results.size());
        BOOST_TEST(results == std::vector<int>(2, -ECANCELED), boost::test_tools::per_element());
      };
    };
    asio_uring::chain(file)
        .write_at(file, 0, asio::buffer("one", 3))
        .write_at(file, offset, asio::buffer(bytes))
        .async_run(record(done[0]));
    asio_uring::chain(context)
        .read_at(file, offset, asio::buffer(bytes))
        .fsync(file)
        .async_run(record(done[1]));
    finish(context);
    CHECK_FAILED(done[0], errc::invalid_argument);
    CHECK_FAILED(done[1], errc::invalid_argument);
  }
  BOOST_TEST(read_file(name) == "head of the file");
}

BOOST_FIXTURE_TEST_CASE(a_chain_is_valid_again_after_one_that_was_not, files_of_text)
{
  outcome refused, done;
  auto operations = asio_uring::chain(file);
  operations.write_at(file, no_offsets[2], asio::buffer(bytes))
      .async_run([&](error_code e, std::vector<int>) { refused.record()(e); });
  operations.write_at(file, 0, asio::buffer("HEAD", 4)).async_run([&](error_code e, std::vector<int>) {
    done.record()(e);
  });
  finish(context);
  CHECK_FAILED(refused, errc::invalid_argument);
  CHECK_SUCCEEDED(done);
  BOOST_TEST(read_file(name) == "HEAD of the file");
}

BOOST_FIXTURE_TEST_CASE(no_splice_takes_an_offset_that_no_file_has, files_of_text)
{
  asio::readable_pipe in(context);
  asio::writable_pipe out(context);
  asio::connect_pipe(in, out);
  asio::write(out, asio::buffer("????", 4));
  for (const std::uint64_t offset : no_offsets) {
    outcome to_file, from_file;
    asio_uring::async_splice(in, std::nullopt, file, offset, 4, 0, to_file.record());
    asio_uring::async_splice(file, offset, out, std::nullopt, 4, 0, from_file.record());
    finish(context);
    CHECK_FAILED(to_file, errc::invalid_argument);
    CHECK_FAILED(from_file, errc::invalid_argument);
  }
  BOOST_TEST(read_text(in, 4) == "????");
  BOOST_TEST(read_file(name) == "head of the file");
}

BOOST_FIXTURE_TEST_CASE(no_size_or_range_begins_beyond_what_files_have, files_of_text)
{
  for (const std::uint64_t offset : no_offsets) {
    outcome allocated, range;
    error_code ec;
    file.resize(offset, ec);
    BOOST_TEST(ec == errc::invalid_argument);
    asio_uring::async_fallocate(file, 0, offset, 4096, allocated.record());
    asio_uring::async_sync_file_range(file, offset, 16, SYNC_FILE_RANGE_WRITE, range.record());
    finish(context);
    CHECK_FAILED(allocated, errc::invalid_argument);
    CHECK_FAILED(range, errc::invalid_argument);
    outcome truncated;
    asio_uring::async_ftruncate(file, offset, truncated.record());
    finish(context);
    CHECK_FAILED(truncated, errc::invalid_argument);
  }
  BOOST_TEST(read_file(name) == "head of the file");
}

// --- a cancelled read of a stream file, and what is done next

BOOST_FIXTURE_TEST_CASE(a_position_set_after_a_cancelled_read_is_kept, numbered_file)
{
  asio::post(context, [&] {
    cancel_a_read();
    file.seek(100, asio::file_base::seek_set);
  });
  finish(context);
  BOOST_TEST(cancelled.calls == 1);
  BOOST_TEST(position() == 100u);
  file.async_write_some(asio::buffer("HERE", 4), done.record());
  finish(context);
  CHECK_SUCCEEDED(done);
  BOOST_TEST(read_file(name).find("HERE") == 100u);
}

BOOST_FIXTURE_TEST_CASE(a_write_behind_a_cancelled_read_begins_where_that_has_left_the_file, numbered_file)
{
  asio::post(context, [&] {
    cancel_a_read();
    file.async_write_some(asio::buffer("HERE", 4), done.record());
  });
  finish(context);
  CHECK_SUCCEEDED(done);
  BOOST_TEST(read_file(name).find("HERE") == read_by_it());
  BOOST_TEST(position() == read_by_it() + 4);
}

BOOST_FIXTURE_TEST_CASE(a_synchronous_read_after_a_cancelled_one_begins_where_that_has_left_the_file,
                        numbered_file)
{
  std::string text;
  asio::post(context, [&] {
    cancel_a_read();
    text = read_text(file, 4);
  });
  finish(context);
  BOOST_TEST(text == numbers(50).substr(read_by_it(), 4));
  BOOST_TEST(position() == read_by_it() + 4);
}

BOOST_FIXTURE_TEST_CASE(a_synchronous_write_after_a_cancelled_read_begins_where_that_has_left_the_file,
                        numbered_file)
{
  asio::post(context, [&] {
    cancel_a_read();
    write_text(file, "HERE");
  });
  finish(context);
  BOOST_TEST(read_file(name).find("HERE") == read_by_it());
  BOOST_TEST(position() == read_by_it() + 4);
}

BOOST_FIXTURE_TEST_CASE(the_position_told_after_a_cancelled_read_is_final, numbered_file)
{
  std::uint64_t told = 0, native = 0;
  asio::post(context, [&] {
    cancel_a_read();
    native = static_cast<std::uint64_t>(::lseek(file.native_handle(), 0, SEEK_CUR));
    told = position();
  });
  finish(context);
  BOOST_TEST(told == read_by_it());
  BOOST_TEST(native == read_by_it());
  BOOST_TEST(position() == read_by_it());
}

BOOST_FIXTURE_TEST_CASE(a_released_stream_file_is_where_a_cancelled_read_has_left_it, numbered_file)
{
  int fd = -1;
  asio::post(context, [&] {
    cancel_a_read();
    fd = file.release();
  });
  finish(context);
  BOOST_TEST(static_cast<std::uint64_t>(::lseek(fd, 0, SEEK_CUR)) == read_by_it());
  ::close(fd);
}

BOOST_FIXTURE_TEST_CASE(many_cancelled_reads_leave_the_position_to_the_last, numbered_file)
{
  for (int i = 0; i < rounds(200); ++i) {
    outcome first, second;
    std::string text;
    file.seek(0, asio::file_base::seek_set);
    asio::post(context, [&] {
      file.async_read_some(asio::buffer(bytes, 8), first.record());
      file.async_read_some(asio::buffer(bytes + 8, 8), second.record());
      if (i % 3 == 0) context.poll_one(); // it may have been submitted, or performed
      file.cancel();
      file.seek(i % 50 * 4, asio::file_base::seek_set);
      text = read_text(file, 4);
    });
    finish(context);
    BOOST_TEST(first.calls == 1);
    BOOST_TEST(second.calls == 1);
    BOOST_REQUIRE_EQUAL(text, numbers(50).substr(static_cast<std::size_t>(i % 50 * 4), 4));
  }
}

// --- a chain that waits for its turn

struct waiting_chain : scratch_context
{
  asio::readable_pipe in{context};
  asio::writable_pipe out{context};
  asio::cancellation_signal of_wait, of_chain;
  outcome first, second, chained, another;

  waiting_chain() { asio::connect_pipe(in, out); }
  void wait(outcome& o, asio::cancellation_slot slot = {})
  {
    const auto poll = [fd = in.native_handle()](io_uring_sqe& sqe) {
      io_uring_prep_poll_add(&sqe, fd, POLLIN);
    };
    asio_uring::async_submit(context, poll, asio::bind_cancellation_slot(slot, o.record()));
  }
  void chain(outcome& o, asio::cancellation_slot slot = {})
  {
    const auto nop = [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); };
    asio_uring::chain(context).drain().add(nop).async_run(
        asio::bind_cancellation_slot(slot, [&o](error_code e, std::vector<int>) { o.record()(e); }));
  }
};

BOOST_FIXTURE_TEST_CASE(a_drained_chain_is_cancelled_beside_what_it_waits_for, waiting_chain,
                        *boost::unit_test::precondition(on_kernel_ring))
{
  wait(first);
  wait(second, of_wait.slot());
  chain(chained, of_chain.slot());
  settle(context);
  of_wait.emit(asio::cancellation_type::terminal);
  of_chain.emit(asio::cancellation_type::terminal);
  run_until(context, [&] { return second.done() && chained.done(); });
  CHECK_FAILED(second, asio::error::operation_aborted);
  CHECK_FAILED(chained, asio::error::operation_aborted);
  BOOST_TEST(!first.done());
  write_text(out, "x");
  finish(context);
  CHECK_SUCCEEDED(first);
}

BOOST_FIXTURE_TEST_CASE(a_drained_chain_starts_when_what_it_waited_for_was_cancelled, waiting_chain,
                        *boost::unit_test::precondition(on_kernel_ring))
{
  wait(first, of_wait.slot());
  chain(chained, of_chain.slot());
  chain(another);
  settle(context);
  of_chain.emit(asio::cancellation_type::terminal);
  run_until(context, [&] { return chained.done(); });
  BOOST_TEST(!another.done());
  of_wait.emit(asio::cancellation_type::terminal);
  finish(context);
  CHECK_FAILED(first, asio::error::operation_aborted);
  CHECK_FAILED(chained, asio::error::operation_aborted);
  CHECK_SUCCEEDED(another);
}

BOOST_AUTO_TEST_SUITE_END()
