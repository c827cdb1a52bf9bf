// fallback_threads.cpp: the fallback's threads: what they do, what they never wait for, and what a fork
// leaves alone.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fallback_ring.hpp"
#include "file_fixture.hpp"
#include <asio_uring/async_submit.hpp>
#include <asio_uring/ring/worker_threads.hpp>
#include <future>
#include <optional>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>

namespace asio = boost::asio;
using namespace test;
using boost::system::error_code;

namespace {

/// A context on the fallback, whatever the environment asks for.
struct on_the_fallback : scratch_context
{
  on_the_fallback() { asio_uring::use_io_uring(context, {.fallback = asio_uring::fallback::force}); }

  void check_that_files_are_served()
  {
    bool done = false;
    asio_uring::async_statx(context, "/", [&](error_code ec, auto) { done = !ec; });
    run_until(context, [&] { return done; });
  }
};

/// A directory with a FIFO in it.
struct fifo_directory : on_the_fallback
{
  const std::string fifo = path("fifo");
  fifo_directory() { BOOST_REQUIRE_EQUAL(::mkfifo(fifo.c_str(), 0600), 0); }

  template <typename Token>
  auto open(int flags, Token&& token)
  {
    return asio_uring::async_open(context, fifo, flags, std::filesystem::perms(0600), token);
  }
  /// Whether somebody has the FIFO open to read.
  bool has_reader() const
  {
    const int fd = ::open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
  }
};

/// Two pipes. Data is spliced from the first to the second.
struct two_pipes : on_the_fallback
{
  asio::readable_pipe in{context}, copy{context};
  asio::writable_pipe out{context}, to{context};
  two_pipes()
  {
    asio::connect_pipe(in, out);
    asio::connect_pipe(copy, to);
  }
};

/// A call that hangs until it is released.
struct hanging_call final : asio_uring::detail::worker_threads::job
{
  explicit hanging_call(std::shared_future<void> f, std::atomic<int>& n) : released(std::move(f)), ended(n) {}
  void perform() noexcept override
  {
    begun = true;
    released.wait();
  }
  void performed() noexcept override { ++ended; }

  std::shared_future<void> released;
  std::atomic<int>& ended;
  std::atomic<bool> begun{false};
};

struct quick_call final : asio_uring::detail::worker_threads::job
{
  void perform() noexcept override {}
  void performed() noexcept override { done.set_value(); }
  std::promise<void> done;
};

std::size_t threads_of_the_process()
{
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
    ++count;
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(fallback_threads)

// --- operations that wait for others

BOOST_FIXTURE_TEST_CASE(a_fifo_is_open_when_its_other_end_is, fifo_directory)
{
  for (const int first : {O_RDONLY, O_WRONLY}) {
    asio_uring::unique_descriptor reader, writer;
    const auto open_end = [&](int flags) {
      open(flags, [&, flags](error_code ec, asio_uring::unique_descriptor d) {
        BOOST_TEST(!ec, ec.message());
        (flags == O_RDONLY ? reader : writer) = std::move(d);
      });
    };
    open_end(first);
    context.run_for(20ms);
    BOOST_TEST((reader.get() < 0 && writer.get() < 0));
    open_end(first == O_RDONLY ? O_WRONLY : O_RDONLY);
    finish(context);
    BOOST_REQUIRE_EQUAL(::write(writer.get(), "x", 1), 1);
    char c = 0;
    BOOST_REQUIRE_EQUAL(::read(reader.get(), &c, 1), 1);
    for (const int fd : {reader.get(), writer.get()})
      BOOST_TEST(!(::fcntl(fd, F_GETFL) & O_NONBLOCK));
  }
}

BOOST_FIXTURE_TEST_CASE(a_fifo_whose_writer_has_come_and_gone_is_open, fifo_directory)
{
  asio_uring::unique_descriptor reader;
  open(O_RDONLY, [&](error_code, asio_uring::unique_descriptor d) { reader = std::move(d); });
  run_until(context, [&] { return has_reader(); });
  const int writer = ::open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  BOOST_REQUIRE_EQUAL(::write(writer, "x", 1), 1);
  ::close(writer);
  finish(context);
  char c = 0;
  BOOST_REQUIRE_EQUAL(::read(reader.get(), &c, 1), 1);
}

BOOST_FIXTURE_TEST_CASE(an_open_that_waits_is_cancelled_and_leaves_nothing, fifo_directory)
{
  for (const int flags : {O_RDONLY, O_WRONLY}) {
    asio::cancellation_signal signal;
    error_code error;
    open(flags, asio::bind_cancellation_slot(
                    signal.slot(), [&](error_code ec, asio_uring::unique_descriptor) { error = ec; }));
    context.restart();
    context.run_for(20ms);
    signal.emit(asio::cancellation_type::terminal);
    finish(context);
    BOOST_TEST(error == asio::error::operation_aborted, error.message());
    BOOST_TEST(!has_reader());
  }
}

BOOST_FIXTURE_TEST_CASE(a_context_is_destroyed_while_an_open_waits, fifo_directory)
{
  auto waiting = std::make_unique<asio::io_context>();
  asio_uring::use_io_uring(*waiting, {.fallback = asio_uring::fallback::force});
  asio_uring::async_open(*waiting, path("fifo"), O_RDONLY, std::filesystem::perms(0600), [](auto...) {});
  waiting->run_for(20ms);
  waiting.reset();
  BOOST_TEST(!has_reader());
}

BOOST_FIXTURE_TEST_CASE(opens_that_wait_stop_no_other_file_operation, fifo_directory)
{
  std::vector<error_code> ends;
  for (int i = 0; i != 40; ++i)
    open(O_RDONLY, [&](error_code ec, asio_uring::unique_descriptor) { ends.push_back(ec); });
  check_that_files_are_served();
  BOOST_TEST(ends.empty());
  const int writer = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  finish(context);
  ::close(writer);
  BOOST_TEST(ends.size() == 40u);
  for (const error_code& ec : ends)
    BOOST_TEST(!ec, ec.message());
}

BOOST_FIXTURE_TEST_CASE(a_splice_waits_for_data_and_for_room, two_pipes)
{
  outcome spliced;
  asio_uring::async_splice(in, {}, to, {}, 16, 0, spliced.record());
  context.run_for(20ms);
  BOOST_TEST(!spliced.done());
  asio::write(out, asio::buffer("data", 4));
  finish(context);
  BOOST_TEST(spliced.bytes == 4u);

  BOOST_REQUIRE_EQUAL(::fcntl(to.native_handle(), F_SETPIPE_SZ, 4096), 4096);
  ::fcntl(to.native_handle(), F_SETFL, O_NONBLOCK); // as an asynchronous write to it would
  const std::string block(4096, 'x');
  while (::write(to.native_handle(), block.data(), block.size()) > 0) {
  }
  outcome full;
  asio::write(out, asio::buffer("more", 4));
  asio_uring::async_splice(in, {}, to, {}, 16, 0, full.record());
  context.restart();
  context.run_for(20ms);
  BOOST_TEST(!full.done());
  std::vector<char> taken(8192);
  copy.read_some(asio::buffer(taken));
  finish(context);
  BOOST_TEST(full.bytes == 4u);
}

BOOST_FIXTURE_TEST_CASE(splices_that_wait_are_cancelled_and_stop_nothing, two_pipes)
{
  std::vector<asio::cancellation_signal> signals(40);
  int aborted = 0;
  for (auto& signal : signals) {
    const auto count = [&](error_code ec, std::size_t) { aborted += ec == asio::error::operation_aborted; };
    asio_uring::async_splice(in, {}, to, {}, 16, 0, asio::bind_cancellation_slot(signal.slot(), count));
  }
  check_that_files_are_served();
  for (auto& signal : signals)
    signal.emit(asio::cancellation_type::terminal);
  finish(context);
  BOOST_TEST(aborted == 40);
}

BOOST_AUTO_TEST_CASE(a_context_is_destroyed_while_a_splice_waits)
{
  two_pipes pipes;
  asio_uring::async_splice(pipes.in, {}, pipes.to, {}, 16, 0, [](auto...) {});
  pipes.context.run_for(20ms);
}

// --- calls that hang

BOOST_AUTO_TEST_CASE(calls_that_hang_do_not_stop_others)
{
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> ended{0};
  const std::size_t before = threads_of_the_process();
  std::vector<std::unique_ptr<hanging_call>> calls;
  quick_call behind;
  asio_uring::detail::worker_threads threads;
  for (int i = 0; i != 100; ++i) {
    calls.push_back(std::make_unique<hanging_call>(released, ended));
    BOOST_REQUIRE(threads.start(*calls.back()));
  }
  BOOST_REQUIRE(threads.start(behind));
  BOOST_TEST((behind.done.get_future().wait_for(60s * slowness()) == std::future_status::ready));
  BOOST_TEST(ended == 0);
  release.set_value();
  BOOST_TEST(soon([&] { return ended == 100; }));
  // Only the usual number of threads stays.
  const std::size_t usual = std::max(4u, 2 * std::thread::hardware_concurrency());
  BOOST_TEST(soon([&] { return threads_of_the_process() <= before + usual + 2; }));
}

BOOST_AUTO_TEST_CASE(a_call_can_be_taken_back_until_a_thread_begins_with_it)
{
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> ended{0};
  asio_uring::detail::worker_threads threads;
  hanging_call call(released, ended);
  BOOST_REQUIRE(threads.start(call));
  BOOST_TEST(soon([&] { return call.begun.load(); }));
  BOOST_TEST(!threads.cancel(call));
  // More calls than are made at a time, so the last is not begun for a while.
  bool taken_back = false;
  std::vector<std::unique_ptr<hanging_call>> others;
  for (int i = 0; i != 200; ++i) {
    others.push_back(std::make_unique<hanging_call>(released, ended));
    BOOST_REQUIRE(threads.start(*others.back()));
  }
  taken_back = threads.cancel(*others.back());
  BOOST_TEST(taken_back);
  BOOST_TEST(!others.back()->begun);
  release.set_value();
  BOOST_TEST(soon([&] { return ended == 200; }));
}

BOOST_FIXTURE_TEST_CASE(its_threads_take_no_signals, on_the_fallback)
{
  asio_uring::async_statx(context, "/", [](auto...) {});
  finish(context);
  int others = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == std::to_string(::gettid())) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("SigBlk:")) {
        ++others;
        // All but SIGKILL and SIGSTOP, which cannot be blocked, and two that the C library reserves.
        BOOST_TEST((std::stoull(line.substr(8), nullptr, 16) | 0x180040100u) == ~0ull, line);
      }
  }
  BOOST_TEST(others > 0);
}

// --- forks

BOOST_FIXTURE_TEST_CASE(what_a_child_closes_or_destroys_goes_on_in_its_parent, on_the_fallback)
{
  std::optional<listener> acceptor(context);
  const auto where = acceptor->endpoint();
  int accepted = 0;
  std::function<void()> accept = [&] {
    acceptor->async_accept([&](error_code ec, tcp::socket) {
      BOOST_TEST(!ec, ec.message());
      ++accepted;
      accept();
    });
  };
  accept();
  outcome ticked;
  asio::steady_timer timer(context, 1h);
  timer.async_wait(ticked.record());
  const auto connects = [&](int expected) {
    tcp::socket client(context);
    client.connect(where);
    run_until(context, [&] { return accepted == expected; });
    settle(context); // the next accept waits in the epoll set
  };
  connects(1);
  BOOST_TEST(in_child([&] {
               acceptor.reset();
               return 0;
             }) == 0);
  connects(2);
  BOOST_TEST(in_child([&] {
               acceptor->close();
               std::destroy_at(&context);
               return 0;
             }) == 0);
  connects(3);
  BOOST_TEST(!ticked.done());
}

BOOST_FIXTURE_TEST_CASE(a_child_waits_for_no_thread_of_its_parent, on_the_fallback)
{
  static std::unique_ptr<leased_file> leased; // the child exits without destroying its copy
  leased = std::make_unique<leased_file>(path("leased"));
  outcome opened;
  const auto record = [&](error_code ec, asio_uring::unique_descriptor) { opened.record()(ec); };
  asio_uring::async_open(context, path("leased"), O_RDONLY, std::filesystem::perms(0600), record);
  check_that_files_are_served(); // by a thread that is idle now, or by the one that hung
  context.run_for(20ms);
  BOOST_TEST(in_child([&] {
               std::destroy_at(&context);
               return 0;
             }) == 0);
  leased.reset();
  finish(context);
  CHECK_SUCCEEDED(opened);
}

// --- what entries mean

BOOST_FIXTURE_TEST_CASE(a_pipe_is_read_and_written_whatever_the_offset, two_pipes)
{
  char c = 0;
  std::vector<int> results;
  const auto record = [&](error_code, int result) { results.push_back(result); };
  asio_uring::async_submit(
      context, [&](io_uring_sqe& s) { io_uring_prep_write(&s, out.native_handle(), "x", 1, 0); }, record);
  finish(context);
  asio_uring::async_submit(
      context, [&](io_uring_sqe& s) { io_uring_prep_read(&s, in.native_handle(), &c, 1, 7); }, record);
  finish(context);
  BOOST_TEST((results == std::vector<int>{1, 1}));
  BOOST_TEST(c == 'x');
}

BOOST_FIXTURE_TEST_CASE(lengths_of_more_than_two_gibibytes, on_the_fallback)
{
  const std::size_t size = 3ull << 30;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  BOOST_REQUIRE(memory != MAP_FAILED);
  char* const bytes = static_cast<char*>(memory);
  bytes[0] = bytes[size - 1] = 7;
  outcome advised, random;
  asio_uring::async_madvise(context, asio::buffer(bytes, size), MADV_DONTNEED, advised.record());
  asio::random_access_file file(context, path("file"), asio::file_base::read_write | asio::file_base::create);
  asio_uring::async_fadvise(file, 0, size, POSIX_FADV_RANDOM, random.record());
  finish(context);
  CHECK_SUCCEEDED(advised);
  CHECK_SUCCEEDED(random);
  BOOST_TEST((bytes[0] == 0 && bytes[size - 1] == 0));
  ::munmap(memory, size);
}

BOOST_AUTO_TEST_CASE(lengths_of_more_than_four_gibibytes)
{
  const std::uint64_t size = 5ull << 30;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  BOOST_REQUIRE(memory != MAP_FAILED);
  char* const last = static_cast<char*>(memory) + size - 1;
  *last = 7;
  emulated e;
  e.push(1, [&](io_uring_sqe* s) {
    io_uring_prep_madvise(s, memory, 0, MADV_DONTNEED);
    s->off = size;
  });
  BOOST_TEST(e.result_of(1) == 0);
  BOOST_TEST(*last == 0);
  ::munmap(memory, size);
}

BOOST_AUTO_TEST_CASE(what_only_a_ring_can_do_is_refused)
{
  emulated e;
  int sockets[2];
  BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  char c;
  e.push(1, [&](io_uring_sqe* s) {
    io_uring_prep_recv(s, sockets[0], &c, 1, 0);
    s->ioprio = IORING_RECV_MULTISHOT;
  });
  e.push(2, [&](io_uring_sqe* s) { io_uring_prep_openat_direct(s, AT_FDCWD, "/", O_RDONLY, 0, 1); });
  e.push(3, [&](io_uring_sqe* s) {
    io_uring_prep_poll_add(s, sockets[0], POLLIN);
    s->len = IORING_POLL_UPDATE_EVENTS;
  });
  e.push(4, [&](io_uring_sqe* s) { io_uring_prep_fsync(s, sockets[0], 1 << 7); });
  for (const std::uint64_t each : {1, 2, 3, 4})
    BOOST_TEST(e.result_of(each) == -EINVAL);
  // This flag is supported: not to wait.
  e.push(5, [&](io_uring_sqe* s) {
    io_uring_prep_read(s, sockets[0], &c, 1, 0);
    s->rw_flags = RWF_NOWAIT;
  });
  BOOST_TEST((e.result_of(5) == -EAGAIN || e.result_of(5) == -EOPNOTSUPP));
  for (const int fd : sockets)
    ::close(fd);
}

BOOST_AUTO_TEST_SUITE_END()
