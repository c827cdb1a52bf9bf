// file_results.cpp: what the results of files, chains and submissions mean to a program.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <asio_uring/owned_buffers.hpp>
#include <asio_uring/ring/emulated_kernel.hpp>
#include <functional>
#include <list>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

using namespace test;
using asio::random_access_file;
using asio::stream_file;
namespace errc = boost::system::errc;

namespace {

constexpr auto read_write = asio::file_base::read_write;

/// Those that a file cannot have: the kernel's are signed, and take -1 for the file's position.
constexpr std::uint64_t no_offsets[] = {std::uint64_t{1} << 63, ~std::uint64_t{1}, ~std::uint64_t{0}};

struct files_of_text : scratch_context
{
  const std::string name = write_file("file", "head of the file");
  random_access_file file{context, name, read_write};
  char bytes[4] = {'?', '?', '?', '?'};
  const std::array<asio::mutable_buffer, 2> halves{asio::buffer(bytes, 2), asio::buffer(bytes + 2, 2)};
};

/// "00--01--…": four bytes for each number, so that a place can be told by its bytes.
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
  /// 40 if the read was performed nevertheless and its handler has the bytes, 0 if it left no trace.
  std::uint64_t read_by_it() const { return cancelled.error ? 0 : cancelled.bytes; }
  std::uint64_t position() { return file.seek(0, asio::file_base::seek_cur); }
};

/// Answers each entry as the test says; no answer: it waits until it is cancelled, which it is at once.
class answering_kernel final : public asio_uring::emulated_kernel
{
public:
  using answer = std::function<std::optional<int>(const io_uring_sqe&)>;

  explicit answering_kernel(answer a) : emulated_kernel(64, 128), answer_(std::move(a))
  {
    features_.opcodes.set();
  }
  int enter(unsigned wait, const __kernel_timespec*) noexcept override
  {
    const unsigned taken = take_entries([&](const io_uring_sqe& entry) { take(entry); });
    if (wait && !ready()) std::this_thread::sleep_for(1ms);
    return static_cast<int>(taken);
  }
  int fd() noexcept override { return -1; }

private:
  void take(const io_uring_sqe& entry)
  {
    if (entry.opcode == IORING_OP_ASYNC_CANCEL) {
      const auto found = std::find(waiting_.begin(), waiting_.end(), entry.addr);
      if (found != waiting_.end()) {
        waiting_.erase(found);
        post(entry.addr, -ECANCELED, 0);
      }
      post(entry.user_data, 0, 0);
    } else if (const auto result = answer_(entry))
      post(entry.user_data, *result, 0);
    else
      waiting_.push_back(entry.user_data);
  }

  answer answer_;
  std::list<std::uint64_t> waiting_;
};

/// A context on such a kernel.
[[maybe_unused]] void answer_with(asio::io_context& context, answering_kernel::answer a)
{
  asio_uring::options o;
  o.pump = asio_uring::pump_kind::ring;
  o.fallback = asio_uring::fallback::forbid;
  o.kernel = [a] { return std::make_unique<answering_kernel>(a); };
  asio_uring::use_io_uring(context, o);
}

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
    if (!kernel_has(asio_uring::opcode::ftruncate)) continue;
    outcome truncated;
    asio_uring::async_ftruncate(file, offset, truncated.record());
    finish(context);
    CHECK_FAILED(truncated, errc::invalid_argument);
  }
  BOOST_TEST(read_file(name) == "head of the file");
}

BOOST_AUTO_TEST_SUITE_END()
