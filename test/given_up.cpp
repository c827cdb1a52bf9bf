// given_up.cpp: operations that the kernel gives up by itself: they begin anew, or end with an error that a
// program knows.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <asio_uring/ring/emulated_kernel.hpp>
#include <functional>
#include <list>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>

using namespace test;
using asio::random_access_file;
using asio::stream_file;

namespace {

/// An opcode that no kernel has. The test's answer to it is the error of io_uring_enter itself, if any.
constexpr std::uint8_t entering = 255;

/// A kernel that answers each entry as the test says. An entry without an answer waits until it is cancelled.
/// A cancellation without an answer waits as well.
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
    io_uring_sqe call{};
    call.opcode = entering;
    if (answer_(call)) return -EAGAIN;
    const unsigned taken = take_entries([&](const io_uring_sqe& entry) { entries_.push_back(entry); });
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto result = answer_(*entry);
      if (result) {
        post(entry->user_data, *result, 0);
        if (entry->opcode == IORING_OP_ASYNC_CANCEL) cancel(entry->addr);
      }
      entry = result ? entries_.erase(entry) : std::next(entry);
    }
    if (wait && !ready()) std::this_thread::sleep_for(1ms);
    return static_cast<int>(taken);
  }
  int fd() noexcept override { return -1; }

private:
  void cancel(std::uint64_t target)
  {
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry)
      if (entry->user_data == target) {
        post(target, -ECANCELED, 0);
        entries_.erase(entry);
        return;
      }
  }

  answer answer_;
  std::list<io_uring_sqe> entries_;
};

/// Whether an entry is not the loop's own.
bool transfers(const io_uring_sqe& entry)
{
  return entry.opcode != IORING_OP_POLL_ADD && entry.opcode != IORING_OP_ASYNC_CANCEL &&
         entry.opcode != entering;
}
std::optional<int> unless_waiting(const io_uring_sqe& entry)
{
  return entry.opcode == IORING_OP_ASYNC_CANCEL ? std::optional(0) : std::nullopt;
}

/// A context on such a kernel.
void answer_with(asio::io_context& context, answering_kernel::answer a,
                 asio_uring::path path = asio_uring::path::automatic)
{
  asio_uring::options o;
  o.path = path;
  o.pump = asio_uring::pump_kind::ring;
  o.fallback = asio_uring::fallback::forbid;
  o.kernel = [a] { return std::make_unique<answering_kernel>(a); };
  asio_uring::use_io_uring(context, o);
}

} // namespace

BOOST_AUTO_TEST_SUITE(given_up)

BOOST_FIXTURE_TEST_CASE(what_the_kernel_refuses_for_good_ends_with_try_again, scratch_context)
{
  int asked = 0;
  answer_with(context, [&](const io_uring_sqe& entry) -> std::optional<int> {
    if (!transfers(entry)) return unless_waiting(entry);
    ++asked;
    return -ECANCELED;
  });
  random_access_file file(context, write_file("file", "text"), read_write);
  stream_file stream(context, path("file"), read_write);
  char bytes[4];
  outcome done[4];
  asio_uring::async_fsync(file, done[0].record());
  file.async_read_some_at(0, asio::buffer(bytes), done[1].record());
  stream.async_read_some(asio::buffer(bytes), done[2].record());
  asio_uring::async_unlink(context, path("file"), done[3].record());
  finish(context);
  for (const outcome& o : done)
    CHECK_FAILED(o, asio::error::try_again);
  BOOST_TEST(asked <= 4 * 20);
}

BOOST_FIXTURE_TEST_CASE(a_descriptor_that_the_kernel_refuses_to_read_is_read_by_a_call, scratch_context)
{
  answer_with(
      context,
      [](const io_uring_sqe& entry) -> std::optional<int> {
        if (transfers(entry)) return -ECANCELED;
        if (entry.opcode != IORING_OP_POLL_ADD) return unless_waiting(entry);
        pollfd p{entry.fd, static_cast<short>(entry.poll32_events), 0};
        return ::poll(&p, 1, 0) == 1 ? std::optional<int>(p.revents) : std::nullopt;
      },
      asio_uring::path::completion);
  asio::posix::stream_descriptor file(context,
                                      ::open(write_file("file", "text").c_str(), O_RDONLY | O_CLOEXEC));
  char bytes[4];
  outcome done;
  file.async_read_some(asio::buffer(bytes), done.record());
  finish(context);
  CHECK_SUCCEEDED(done);
  BOOST_TEST(std::string(bytes, 4) == "text");
}

BOOST_FIXTURE_TEST_CASE(what_the_kernel_refuses_a_few_times_is_performed, scratch_context)
{
  int asked = 0;
  answer_with(context, [&](const io_uring_sqe& entry) -> std::optional<int> {
    if (!transfers(entry)) return unless_waiting(entry);
    return ++asked < 8 ? -ECANCELED : 0;
  });
  random_access_file file(context, write_file("file", "text"), read_write);
  outcome done;
  asio_uring::async_fsync(file, done.record());
  finish(context);
  CHECK_SUCCEEDED(done);
  BOOST_TEST(asked == 8);
}

// Each time, the kernel gives up what the exited thread had submitted.
BOOST_FIXTURE_TEST_CASE(an_operation_outlives_more_threads_than_refusals_are_allowed, scratch_context)
{
  asio::readable_pipe in(context), out(context);
  asio::writable_pipe from(context), to(context);
  asio::connect_pipe(in, from);
  asio::connect_pipe(out, to);
  outcome spliced;
  asio_uring::async_splice(in, std::nullopt, to, std::nullopt, 4, 0, spliced.record());
  for (int i = 0; i < 40; ++i)
    std::thread([&] {
      context.restart();
      context.run_for(2ms);
    }).join();
  BOOST_TEST(!spliced.done());
  write_text(from, "text");
  finish(context);
  CHECK_SUCCEEDED(spliced);
}

BOOST_FIXTURE_TEST_CASE(without_a_thread_to_be_had_operations_end, scratch_context,
                        *boost::unit_test::precondition(as_root))
{
  random_access_file file(context, path("file"), read_write | asio::file_base::create);
  const pid_t child = ::fork();
  if (child == 0) {
    asio::io_context own;
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_NPROC, &none);
    if (::setuid(65534)) ::_exit(2); // root has no limit
    random_access_file copy(own, ::dup(file.native_handle()));
    outcome done;
    asio_uring::async_fsync(copy, done.record());
    own.run_for(30s * slowness());
    ::_exit(done.done() && done.error != asio::error::operation_aborted ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
}

BOOST_FIXTURE_TEST_CASE(no_internal_error_of_the_kernel_reaches_the_program, scratch_context)
{
  int error = 0, asked = 0;
  answer_with(context, [&](const io_uring_sqe& entry) -> std::optional<int> {
    if (!transfers(entry)) return unless_waiting(entry);
    return asked++ ? 0 : -error;
  });
  random_access_file file(context, write_file("file", "text"), read_write);
  char bytes[4];
  const auto nop = [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); };
  const auto known = [](const error_code& e) { return e.value() < 512; };
  for (error = 512; error < 532; ++error) {
    outcome synced, read, submitted, chained;
    asked = 0;
    asio_uring::async_fsync(file, synced.record());
    finish(context);
    asked = 0;
    file.async_read_some_at(0, asio::buffer(bytes), read.record());
    finish(context);
    asked = 0;
    asio_uring::async_submit(context, nop, [&](error_code e, int) { submitted.record()(e); });
    finish(context);
    asked = 0;
    asio_uring::chain(context).add(nop).async_run([&](error_code e, std::vector<int> results) {
      chained.record()(e);
      BOOST_TEST(results.at(0) > -512);
    });
    finish(context);
    BOOST_TEST(known(synced.error));
    BOOST_TEST(known(read.error));
    BOOST_TEST(known(submitted.error));
    BOOST_TEST(known(chained.error));
    // Interrupted, but not by the program: it begins anew.
    const bool restarts = (error >= 512 && error <= 514) || error == 516;
    BOOST_TEST(synced.succeeded() == restarts);
    if (restarts) CHECK_FAILED(submitted, asio::error::operation_aborted);
  }
}

// The kernel interrupts its own thread, because this entry, another one or none was cancelled.
BOOST_FIXTURE_TEST_CASE(a_cancelled_splice_is_aborted, scratch_context)
{
  asio::readable_pipe in(context), out(context);
  asio::writable_pipe from(context), to(context);
  asio::connect_pipe(in, from);
  asio::connect_pipe(out, to);
  asio::cancellation_signal signal;
  outcome spliced;
  asio_uring::async_splice(in, std::nullopt, to, std::nullopt, 100, 0,
                           asio::bind_cancellation_slot(signal.slot(), spliced.record()));
  context.run_for(50ms);
  BOOST_TEST(!spliced.done());
  signal.emit(asio::cancellation_type::terminal);
  finish(context);
  CHECK_FAILED(spliced, asio::error::operation_aborted);
}

BOOST_FIXTURE_TEST_CASE(a_splice_outlives_the_thread_that_began_it, scratch_context)
{
  asio::readable_pipe in(context), out(context);
  asio::writable_pipe from(context), to(context);
  asio::connect_pipe(in, from);
  asio::connect_pipe(out, to);
  outcome spliced;
  std::thread([&] {
    asio_uring::async_splice(in, std::nullopt, to, std::nullopt, 4, 0, spliced.record());
    context.run_for(50ms);
  }).join();
  context.restart();
  context.run_for(50ms);
  BOOST_TEST(!spliced.done());
  write_text(from, "text");
  finish(context);
  CHECK_SUCCEEDED(spliced);
  BOOST_TEST(read_text(out, 4) == "text");
}

BOOST_FIXTURE_TEST_CASE(what_a_kernel_without_memory_refuses_to_take_is_left_to_the_loop, scratch_context)
{
  const auto refuses = std::make_shared<bool>(false);
  answer_with(context, [refuses](const io_uring_sqe& entry) -> std::optional<int> {
    if (entry.opcode == entering) return *refuses ? std::optional(0) : std::nullopt;
    return transfers(entry) ? std::optional(0) : unless_waiting(entry);
  });
  random_access_file file(context, write_file("file", "text"), read_write);
  outcome done;
  *refuses = true;
  asio_uring::async_fsync(file, done.record()); // submitted at once, as the loop is not running
  *refuses = false;
  finish(context);
  CHECK_SUCCEEDED(done);
}

// --- a late result

struct late_result : scratch_context
{
  std::optional<local::socket> socket, peer;
  outcome read;

  void on(answering_kernel::answer a)
  {
    answer_with(context, std::move(a), asio_uring::path::completion);
    asio::local::connect_pair(socket.emplace(context), peer.emplace(context));
    socket->non_blocking(true);
  }
};

BOOST_FIXTURE_TEST_CASE(a_synchronous_function_does_not_wait_for_a_kernel_that_does_not_answer, late_result)
{
  const auto answers = std::make_shared<bool>(false); // also used when the context is destroyed
  on([answers](const io_uring_sqe& entry) { return *answers ? unless_waiting(entry) : std::nullopt; });
  char byte;
  error_code ec;
  asio::post(context, [&] {
    socket->async_read_some(asio::buffer(&byte, 1), read.record());
    socket->cancel();
    socket->read_some(asio::buffer(&byte, 1), ec);
    *answers = true;
  });
  finish(context);
  BOOST_TEST(ec == asio::error::would_block);
  CHECK_FAILED(read, asio::error::operation_aborted);
}

#if !defined(__SANITIZE_ADDRESS__) &&                                                                        \
    !defined(__SANITIZE_THREAD__) // they abort a program that allocates too much
struct address_space_limit
{
  rlimit before{};
  explicit address_space_limit(std::size_t more)
  {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    ::getrlimit(RLIMIT_AS, &before);
    const rlimit now{pages * 4096 + more, before.rlim_max};
    ::setrlimit(RLIMIT_AS, &now);
  }
  ~address_space_limit() { ::setrlimit(RLIMIT_AS, &before); }
};

BOOST_FIXTURE_TEST_CASE(late_bytes_that_find_no_memory_are_delivered, late_result)
{
  constexpr std::size_t size = std::size_t{1} << 30;
  void* const memory = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  BOOST_REQUIRE(memory != MAP_FAILED);
  on([&](const io_uring_sqe& entry) {
    return entry.opcode == IORING_OP_RECV ? std::optional<int>(size) : unless_waiting(entry);
  });
  {
    const address_space_limit limit(size / 2);
    asio::post(context, [&] {
      socket->async_read_some(asio::buffer(memory, size), read.record());
      socket->cancel();
    });
    finish(context);
  }
  CHECK_SUCCEEDED(read);
  BOOST_TEST(read.bytes == size);
  BOOST_TEST(socket->available() == 0u);
  ::munmap(memory, size);
}
#endif

BOOST_FIXTURE_TEST_CASE(late_bytes_of_a_closed_socket_are_delivered, late_result)
{
  on([&](const io_uring_sqe& entry) {
    return entry.opcode == IORING_OP_RECV ? std::optional<int>(1) : unless_waiting(entry);
  });
  char byte;
  asio::post(context, [&] {
    socket->async_read_some(asio::buffer(&byte, 1), read.record());
    socket->cancel();
    socket->close();
  });
  finish(context);
  CHECK_SUCCEEDED(read); // a later read could not find its bytes
}

BOOST_AUTO_TEST_SUITE_END()
