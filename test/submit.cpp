// submit.cpp: any opcode, with any token.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"
#include "threads.hpp"

#include <future>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <regex>
#include <set>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>

using namespace test;
using namespace asio_uring;
using asio::use_awaitable;
namespace errc = boost::system::errc;

namespace {

constexpr auto aw = asio::as_tuple(asio::use_awaitable);
constexpr auto nop = [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); };

/// As liburing fills an entry.
void fill(io_uring_sqe& sqe, std::uint8_t op, int fd, const void* address, unsigned length,
          std::uint64_t offset)
{
  sqe.opcode = op;
  sqe.fd = fd;
  sqe.addr = reinterpret_cast<std::uintptr_t>(address);
  sqe.len = length;
  sqe.off = offset;
}

struct socket_pair
{
  int a, b;
  socket_pair()
  {
    int ends[2];
    BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    a = ends[0], b = ends[1];
  }
  ~socket_pair() { ::close(a), ::close(b); }
};

/// A listening TCP socket and its address.
struct listening
{
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  listening()
  {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    BOOST_REQUIRE_EQUAL(::bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
    BOOST_REQUIRE_EQUAL(::listen(fd, 16), 0);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  }
  ~listening() { ::close(fd); }
  sockaddr* name() { return reinterpret_cast<sockaddr*>(&address); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(submit, scratch_context)

// --- what it promises

BOOST_AUTO_TEST_CASE(the_handler_gets_the_result_after_the_initiating_function)
{
  outcome done;
  int result = -1;
  async_submit(context, nop, [&](error_code ec, int r) {
    done.record()(ec);
    result = r;
  });
  BOOST_TEST(!done.done());
  finish(context);
  CHECK_SUCCEEDED(done);
  BOOST_TEST(result == 0);
}

BOOST_AUTO_TEST_CASE(contexts_executors_objects_and_tokens)
{
  asio::readable_pipe object(context);
  auto strand = asio::make_strand(context);
  auto future = async_submit(context.get_executor(), nop, asio::use_future);
  auto on_strand = async_submit(strand, nop, asio::use_future);
  auto by_object = async_submit(object, nop, asio::use_future);
  auto operation = async_submit(asio::any_io_executor(context.get_executor()), nop, asio::deferred);
  auto deferred = std::move(operation)(asio::use_future);
  finish(context);
  BOOST_TEST(future.get() == 0);
  BOOST_TEST(on_strand.get() == 0);
  BOOST_TEST(by_object.get() == 0);
  BOOST_TEST(deferred.get() == 0);
  run([&]() -> asio::awaitable<void> {
    BOOST_TEST(co_await async_submit(context, nop, use_awaitable) == 0);
  }());

  asio::thread_pool pool(1);
  auto on_pool = async_submit(pool, nop, asio::use_future);
  BOOST_TEST(on_pool.get() == 0);
}

BOOST_AUTO_TEST_CASE(a_negative_result_is_an_error_code)
{
  run([&]() -> asio::awaitable<void> {
    auto [ec, result] = co_await async_submit(
        context, [](io_uring_sqe& sqe) { io_uring_prep_read(&sqe, -1, nullptr, 0, 0); }, aw);
    BOOST_TEST(ec == asio::error::bad_descriptor);
    BOOST_TEST(result == -EBADF);
  }());
}

BOOST_AUTO_TEST_CASE(an_entry_that_does_not_complete_exactly_once_is_refused)
{
  using prepare = std::function<void(io_uring_sqe&)>;
  const std::vector<std::pair<std::string, prepare>> entries = {
      {"multishot accept",
       [](io_uring_sqe& s) { io_uring_prep_multishot_accept(&s, 0, nullptr, nullptr, 0); }},
      {"multishot poll", [](io_uring_sqe& s) { io_uring_prep_poll_multishot(&s, 0, POLLIN); }},
      {"multishot recv", [](io_uring_sqe& s) { io_uring_prep_recv_multishot(&s, 0, nullptr, 0, 0); }},
      {"multishot timeout", [](io_uring_sqe& s) { io_uring_prep_timeout(&s, nullptr, 0, 1 << 6); }},
      {"multishot read", [](io_uring_sqe& s) { fill(s, opcode::read_multishot, 0, nullptr, 0, 0); }},
      {"zero-copy receive", [](io_uring_sqe& s) { fill(s, opcode::recv_zc, 0, nullptr, 0, 0); }},
      {"link timeout", [](io_uring_sqe& s) { io_uring_prep_link_timeout(&s, nullptr, 0); }},
      {"linked", [](io_uring_sqe& s) { s.flags = IOSQE_IO_LINK; }},
      {"hard-linked", [](io_uring_sqe& s) { s.flags = IOSQE_IO_HARDLINK; }},
      {"draining", [](io_uring_sqe& s) { s.flags = IOSQE_IO_DRAIN; }},
      {"silent", [](io_uring_sqe& s) { s.flags = IOSQE_CQE_SKIP_SUCCESS; }},
  };
  for (const auto& [name, fill_in] : entries)
    BOOST_TEST_CONTEXT(name)
    {
      outcome refused;
      async_submit(context, fill_in, [&](error_code ec, int) { refused.record()(ec); });
      BOOST_TEST(!refused.done());
      finish(context);
      CHECK_FAILED(refused, asio::error::invalid_argument);
    }
}

BOOST_AUTO_TEST_CASE(an_opcode_that_the_kernel_lacks_is_not_supported)
{
  outcome refused;
  async_submit(
      context, [](io_uring_sqe& sqe) { sqe.opcode = 250; },
      [&](error_code ec, int) { refused.record()(ec); });
  finish(context);
  CHECK_FAILED(refused, asio::error::operation_not_supported);
}

BOOST_AUTO_TEST_CASE(what_prepare_throws_comes_out_of_the_initiating_function)
{
  auto token = std::make_shared<int>();
  std::weak_ptr<int> watch = token;
  BOOST_CHECK_THROW(async_submit(
                        context, [](io_uring_sqe&) { throw std::runtime_error("no"); },
                        [token = std::move(token)](error_code, int) { std::abort(); }),
                    std::runtime_error);
  BOOST_TEST(watch.expired());
  finish(context);
}

BOOST_AUTO_TEST_CASE(the_operation_owns_its_payload_and_gives_it_back)
{
  struct payload
  {
    std::string path;
    std::unique_ptr<int> move_only = std::make_unique<int>(7);
    struct ::statx status = {};
  };
  write_file("file", "0123456789");
  run([&]() -> asio::awaitable<void> {
    payload* seen = nullptr;
    payload given{path("file")};
    auto [ec, result, back] = co_await async_submit(
        context, std::move(given),
        [&](io_uring_sqe& sqe, payload& p) {
          seen = &p;
          io_uring_prep_statx(&sqe, AT_FDCWD, p.path.c_str(), 0, STATX_SIZE, &p.status);
        },
        aw);
    BOOST_TEST(!ec);
    BOOST_TEST(seen != &back);
    BOOST_TEST(back.status.stx_size == 10u);
    BOOST_TEST(*back.move_only == 7);
  }());
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_nobody_gets_is_closed)
{
  const auto open = [name = path("x")](io_uring_sqe& sqe) {
    io_uring_prep_openat(&sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0);
  };
  run([&]() -> asio::awaitable<void> {
    co_await async_submit<unique_descriptor>(context, open, use_awaitable);
  }());
  const std::size_t before = open_descriptors(); // all that the context opens for itself is open
  auto kept = async_submit<unique_descriptor>(context, open, asio::use_future);
  async_submit<unique_descriptor>(context, open, asio::detached);
  finish(context);
  unique_descriptor null = kept.get();
  BOOST_TEST(null.get() >= 0);
  BOOST_TEST(open_descriptors() == before + 1);
  {
    asio::io_context other;
    for (int i = 0; i != 10; ++i)
      async_submit<unique_descriptor>(other, open, [](error_code, unique_descriptor) { std::abort(); });
  }
  BOOST_TEST(open_descriptors() == before + 1);
}

BOOST_AUTO_TEST_CASE(a_cancellation_signal_ends_the_operation)
{
  socket_pair sockets;
  char data;
  outcome cancelled, other;
  asio::cancellation_signal signal;
  const auto receive = [&](io_uring_sqe& sqe) { io_uring_prep_recv(&sqe, sockets.a, &data, 1, 0); };
  async_submit(context, receive, asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, int) {
                 cancelled.record()(ec);
               }));
  async_submit(context, receive, [&](error_code ec, int) { other.record()(ec); });
  settle(context);
  signal.emit(asio::cancellation_type::total);
  settle(context);
  CHECK_FAILED(cancelled, asio::error::operation_aborted);
  BOOST_TEST(!other.done());
  BOOST_REQUIRE_EQUAL(::write(sockets.b, "x", 1), 1);
  finish(context);
  CHECK_SUCCEEDED(other);
}

BOOST_AUTO_TEST_CASE(the_context_waits_for_the_kernel_to_leave_the_payload)
{
  constexpr std::size_t size = 8 << 20;
  const std::string name = write_file("file", std::string(size, 'x'));
  const unique_descriptor file(::open(name.c_str(), O_RDONLY | O_DIRECT));
  struct payload
  {
    std::unique_ptr<aligned_block> block;
    std::shared_ptr<bool> freed;
    ~payload()
    {
      if (block) *freed = true;
    }
    payload(std::unique_ptr<aligned_block> b, std::shared_ptr<bool> f)
        : block(std::move(b)), freed(std::move(f))
    {}
    payload(payload&&) = default;
  };
  for (int round = 0; round != 5; ++round) {
    auto freed = std::make_shared<bool>(false);
    std::thread::id gone;
    {
      asio::io_context other;
      async_submit(
          other, payload(std::make_unique<aligned_block>(size), freed),
          [&](io_uring_sqe& sqe, payload& p) {
            io_uring_prep_read(&sqe, file.get(), p.block->data, size, 0);
          },
          [](error_code, int, payload) { std::abort(); });
      BOOST_TEST(!*freed);
    }
    BOOST_TEST(*freed);
  }
}

BOOST_AUTO_TEST_CASE(any_thread_may_submit)
{
  std::atomic<int> right{0};
  asio::thread_pool pool(4);
  for (int t = 0; t != 4; ++t)
    asio::post(pool, [&] {
      for (int i = 0; i != 5000; ++i)
        async_submit(pool, nop, [&](error_code ec, int result) { right += !ec && result == 0; });
    });
  pool.join();
  BOOST_TEST(right == 20'000);
}

// --- opcodes without a typed function of their own

BOOST_AUTO_TEST_CASE(operations_started_by_foreign_threads_at_a_time_are_work_from_their_start)
{
  const auto start = [&](auto handler) {
    async_submit(context, nop, [handler](error_code ec, int) { handler(ec); });
  };
  check_that_operations_are_work_from_their_start(context, start, start);
}

BOOST_AUTO_TEST_CASE(a_handler_that_still_runs_is_work_when_the_last_operation_ends_elsewhere)
{
  socket_pair sockets;
  const auto start = [&](auto prepare) {
    return [&, prepare](auto handler) {
      async_submit(context, prepare, [handler](error_code ec, int) { handler(ec); });
    };
  };
  check_that_a_running_handler_is_work(
      context, start(nop), start([&](io_uring_sqe& sqe) { io_uring_prep_poll_add(&sqe, sockets.a, POLLIN); }),
      [&] { [[maybe_unused]] const auto written = ::write(sockets.b, "x", 1); });
}

BOOST_AUTO_TEST_CASE(all_handlers_of_a_batch_throw_one_by_one)
{
  for (int i = 0; i != 5; ++i)
    async_submit(context, nop, [](error_code, int) { throw 1; });
  outcome last;
  async_submit(context, nop, [&](error_code ec, int) { last.record()(ec); });
  int thrown = 0;
  for (bool ended = false; !ended;)
    try {
      finish(context);
      ended = true;
    } catch (int) {
      ++thrown;
    }
  BOOST_TEST(thrown == 5);
  CHECK_SUCCEEDED(last);
}

BOOST_AUTO_TEST_CASE(poll_add)
{
  socket_pair sockets;
  auto ready = async_submit(
      context, [&](io_uring_sqe& sqe) { io_uring_prep_poll_add(&sqe, sockets.a, POLLIN); }, asio::use_future);
  BOOST_REQUIRE_EQUAL(::write(sockets.b, "x", 1), 1);
  finish(context);
  BOOST_TEST((ready.get() & POLLIN));
}

BOOST_AUTO_TEST_CASE(async_cancel_by_descriptor)
{
  if (!kernel_has(IORING_OP_SOCKET)) return; // both came with 5.19
  socket_pair sockets;
  char data;
  outcome cancelled;
  async_submit(
      context, [&](io_uring_sqe& sqe) { io_uring_prep_recv(&sqe, sockets.a, &data, 1, 0); },
      [&](error_code ec, int) { cancelled.record()(ec); });
  auto cancel = async_submit(
      context, [&](io_uring_sqe& sqe) { io_uring_prep_cancel_fd(&sqe, sockets.a, 0); }, asio::use_future);
  finish(context);
  BOOST_TEST(cancel.get() == 0);
  CHECK_FAILED(cancelled, asio::error::operation_aborted);
}

// What is addressed by its user data cannot be found, for that is the service's: a signal cancels it.
BOOST_AUTO_TEST_CASE(poll_remove_and_timeout_remove)
{
  run([&]() -> asio::awaitable<void> {
    auto [no_poll, p] = co_await async_submit(
        context, [](io_uring_sqe& s) { io_uring_prep_poll_remove(&s, 42); }, aw);
    BOOST_TEST(no_poll == errc::no_such_file_or_directory);
    auto [no_timeout, t] = co_await async_submit(
        context, [](io_uring_sqe& s) { io_uring_prep_timeout_remove(&s, 42, 0); }, aw);
    BOOST_TEST(no_timeout == errc::no_such_file_or_directory);
  }());
}

BOOST_AUTO_TEST_CASE(timeout)
{
  const auto start = std::chrono::steady_clock::now();
  run([&]() -> asio::awaitable<void> {
    auto [ec, result, span] = co_await async_submit(
        context, __kernel_timespec{0, 20'000'000},
        [](io_uring_sqe& sqe, __kernel_timespec& span) { io_uring_prep_timeout(&sqe, &span, 0, 0); }, aw);
    BOOST_TEST(ec == errc::stream_timeout); // ETIME: it has expired
  }());
  BOOST_TEST((std::chrono::steady_clock::now() - start >= 20ms));
}

BOOST_AUTO_TEST_CASE(reads_and_writes_of_every_form)
{
  const unique_descriptor file(::open(path("file").c_str(), O_RDWR | O_CREAT, 0600));
  char back[8] = {};
  iovec out{const_cast<char*>("abcd"), 4}, in{back + 4, 4};
  run([&]() -> asio::awaitable<void> {
    int n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_write(&s, file.get(), "wxyz", 4, 0); }, use_awaitable);
    BOOST_TEST(n == 4);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_writev(&s, file.get(), &out, 1, 4); }, use_awaitable);
    BOOST_TEST(n == 4);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_read(&s, file.get(), back, 4, 0); }, use_awaitable);
    BOOST_TEST(n == 4);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_readv(&s, file.get(), &in, 1, 4); }, use_awaitable);
    BOOST_TEST(n == 4);
  }());
  BOOST_TEST(std::string_view(back, 8) == "wxyzabcd");
}

BOOST_AUTO_TEST_CASE(registered_buffers)
{
  const unique_descriptor file(::open(path("file").c_str(), O_RDWR | O_CREAT, 0600));
  const aligned_block block(8192);
  const iovec memory{block.data, 8192};
  BOOST_REQUIRE_EQUAL(io_uring_register(ring_descriptor(context), IORING_REGISTER_BUFFERS, &memory, 1), 0);
  std::memcpy(block.data, "fixed", 5);
  const bool vectored = kernel_has(opcode::readv_fixed);
  run([&]() -> asio::awaitable<void> {
    int n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_write_fixed(&s, file.get(), block.data, 5, 0, 0); },
        use_awaitable);
    BOOST_TEST(n == 5);
    n = co_await async_submit(
        context,
        [&](io_uring_sqe& s) { io_uring_prep_read_fixed(&s, file.get(), block.data + 4096, 5, 0, 0); },
        use_awaitable);
    BOOST_TEST(n == 5);
    BOOST_TEST(std::string_view(block.data + 4096, 5) == "fixed");
    // Memory that was not registered.
    char elsewhere[5];
    auto [ec, r] = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_read_fixed(&s, file.get(), elsewhere, 5, 0, 0); }, aw);
    BOOST_TEST(ec == errc::bad_address);
    if (!vectored) co_return;
    iovec out{block.data, 5}, in{block.data + 100, 5};
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { fill(s, opcode::writev_fixed, file.get(), &out, 1, 5); },
        use_awaitable);
    BOOST_TEST(n == 5);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { fill(s, opcode::readv_fixed, file.get(), &in, 1, 5); },
        use_awaitable);
    BOOST_TEST(n == 5);
    BOOST_TEST(std::string_view(block.data + 100, 5) == "fixed");
  }());
}

BOOST_AUTO_TEST_CASE(files_update_and_fixed_files)
{
  const std::string name = write_file("file", "data");
  int slots[2] = {-1, -1};
  BOOST_REQUIRE_EQUAL(io_uring_register(ring_descriptor(context), IORING_REGISTER_FILES, slots, 2), 0);
  const bool installs = kernel_has(opcode::fixed_fd_install);
  run([&]() -> asio::awaitable<void> {
    int fd = ::open(name.c_str(), O_RDONLY);
    const int updated = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_files_update(&s, &fd, 1, 1); }, use_awaitable);
    BOOST_TEST(updated == 1);
    ::close(fd);
    char data[4];
    const int n = co_await async_submit(
        context,
        [&](io_uring_sqe& s) {
          io_uring_prep_read(&s, 1, data, 4, 0);
          s.flags = IOSQE_FIXED_FILE;
        },
        use_awaitable);
    BOOST_TEST(n == 4);
    BOOST_TEST(std::string_view(data, 4) == "data");
    if (!installs) co_return;
    const unique_descriptor installed = co_await async_submit<unique_descriptor>(
        context,
        [](io_uring_sqe& s) {
          fill(s, opcode::fixed_fd_install, 1, nullptr, 0, 0);
          s.flags = IOSQE_FIXED_FILE;
        },
        use_awaitable);
    BOOST_TEST(::pread(installed.get(), data, 4, 0) == 4);
  }());
}

BOOST_AUTO_TEST_CASE(provided_buffers_tell_which_one_was_taken)
{
  struct taken
  {
    unsigned flags = 0;
    void completed(int, unsigned f) { flags = f; }
  };
  socket_pair sockets;
  char buffers[4][64];
  run([&]() -> asio::awaitable<void> {
    co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_provide_buffers(&s, buffers, 64, 4, 9, 0); },
        use_awaitable);
    BOOST_REQUIRE_EQUAL(::write(sockets.b, "data", 4), 4);
    auto [ec, n, t] = co_await async_submit(
        context, taken(),
        [&](io_uring_sqe& s, taken&) {
          io_uring_prep_recv(&s, sockets.a, nullptr, 64, 0);
          s.flags = IOSQE_BUFFER_SELECT;
          s.buf_group = 9;
        },
        aw);
    BOOST_TEST(!ec);
    BOOST_TEST(n == 4);
    BOOST_TEST((t.flags & IORING_CQE_F_BUFFER));
    BOOST_TEST(std::string_view(buffers[t.flags >> IORING_CQE_BUFFER_SHIFT], 4) == "data");
    const int removed = co_await async_submit(
        context, [](io_uring_sqe& s) { io_uring_prep_remove_buffers(&s, 4, 9); }, use_awaitable);
    BOOST_TEST(removed == 3);
  }());
}

BOOST_AUTO_TEST_CASE(sockets_from_socket_to_shutdown)
{
  if (!kernel_has(IORING_OP_SOCKET)) return;
  listening server;
  run([&]() -> asio::awaitable<void> {
    const unique_descriptor client = co_await async_submit<unique_descriptor>(
        context, [](io_uring_sqe& s) { io_uring_prep_socket(&s, AF_INET, SOCK_STREAM, 0, 0); },
        use_awaitable);
    co_await async_submit(
        context,
        [&](io_uring_sqe& s) { io_uring_prep_connect(&s, client.get(), server.name(), server.length); },
        use_awaitable);
    const unique_descriptor peer = co_await async_submit<unique_descriptor>(
        context, [&](io_uring_sqe& s) { io_uring_prep_accept(&s, server.fd, nullptr, nullptr, 0); },
        use_awaitable);
    int n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_send(&s, client.get(), "ab", 2, 0); }, use_awaitable);
    BOOST_TEST(n == 2);
    char data[4];
    iovec more{const_cast<char*>("cd"), 2}, in{data + 2, 2};
    msghdr out_message{}, in_message{};
    out_message.msg_iov = &more, out_message.msg_iovlen = 1;
    in_message.msg_iov = &in, in_message.msg_iovlen = 1;
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_recv(&s, peer.get(), data, 2, 0); }, use_awaitable);
    BOOST_TEST(n == 2);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_sendmsg(&s, client.get(), &out_message, 0); },
        use_awaitable);
    BOOST_TEST(n == 2);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_recvmsg(&s, peer.get(), &in_message, 0); },
        use_awaitable);
    BOOST_TEST(n == 2);
    BOOST_TEST(std::string_view(data, 4) == "abcd");
    co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_shutdown(&s, client.get(), SHUT_WR); }, use_awaitable);
    n = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_recv(&s, peer.get(), data, 2, 0); }, use_awaitable);
    BOOST_TEST(n == 0);
  }());
}

BOOST_AUTO_TEST_CASE(bind_and_listen)
{
  if (!kernel_has(opcode::bind)) return;
  const unique_descriptor acceptor(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  run([&]() -> asio::awaitable<void> {
    co_await async_submit(
        context,
        [&](io_uring_sqe& s) { fill(s, opcode::bind, acceptor.get(), &address, 0, sizeof(address)); },
        use_awaitable);
    co_await async_submit(
        context, [&](io_uring_sqe& s) { fill(s, opcode::listen, acceptor.get(), nullptr, 4, 0); },
        use_awaitable);
  }());
  socklen_t length = sizeof(address);
  ::getsockname(acceptor.get(), reinterpret_cast<sockaddr*>(&address), &length);
  const unique_descriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  BOOST_TEST(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
}

BOOST_AUTO_TEST_CASE(a_zero_copy_send_completes_when_its_buffer_is_free)
{
  if (!kernel_has(IORING_OP_SEND_ZC)) return;
  const bool sends_messages = kernel_has(IORING_OP_SENDMSG_ZC);
  listening server;
  const unique_descriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  BOOST_REQUIRE_EQUAL(::connect(client.get(), server.name(), server.length), 0);
  const unique_descriptor peer(::accept(server.fd, nullptr, nullptr));
  // The kernel needs the buffer until all of it has been received, on older ones until the peer has read it.
  std::string got, sent;
  std::thread reader([&] {
    std::array<char, 4096> part;
    for (ssize_t n; (n = ::recv(peer.get(), part.data(), part.size(), 0)) > 0;)
      got.append(part.data(), static_cast<std::size_t>(n));
  });
  run([&]() -> asio::awaitable<void> {
    auto [ec, n, text] = co_await async_submit(
        context, std::vector<char>(100'000, 'z'),
        [&](io_uring_sqe& s, std::vector<char>& text) {
          io_uring_prep_send_zc(&s, client.get(), text.data(), text.size(), 0, 0);
        },
        aw);
    BOOST_TEST(!ec);
    BOOST_TEST(n > 0);
    sent.append(text.data(), static_cast<std::size_t>(n));

    if (!sends_messages) co_return;
    iovec piece{text.data(), 100};
    msghdr message{};
    message.msg_iov = &piece, message.msg_iovlen = 1;
    auto [message_ec, m] = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_sendmsg_zc(&s, client.get(), &message, 0); }, aw);
    BOOST_TEST(!message_ec);
    BOOST_TEST(m == 100);
    sent.append(text.data(), 100);
    // Errors have a notification, too.
    auto [bad, r] = co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_send_zc(&s, -1, "x", 1, 0, 0); }, aw);
    BOOST_TEST(bad == asio::error::bad_descriptor);
  }());
  ::shutdown(client.get(), SHUT_RDWR);
  reader.join();
  BOOST_TEST((got == sent));
}

BOOST_AUTO_TEST_CASE(openat2)
{
  write_file("file", "data");
  const unique_descriptor directory(::open(path(".").c_str(), O_RDONLY | O_DIRECTORY));
  struct payload
  {
    std::string name;
    open_how how{};
  };
  const auto open = [&](io_uring_sqe& s, payload& p) {
    p.how.flags = O_RDONLY;
    p.how.resolve = RESOLVE_BENEATH;
    io_uring_prep_openat2(&s, directory.get(), p.name.c_str(), &p.how);
  };
  run([&]() -> asio::awaitable<void> {
    payload inside{"file"}, outside{"/dev/null"};
    auto [ec, file, p] = co_await async_submit<unique_descriptor>(context, std::move(inside), open, aw);
    BOOST_TEST(!ec);
    BOOST_TEST(file.get() >= 0);
    auto [beyond, none, q] = co_await async_submit<unique_descriptor>(context, std::move(outside), open, aw);
    BOOST_TEST(beyond == errc::cross_device_link);
    BOOST_TEST(!none);
  }());
}

BOOST_AUTO_TEST_CASE(epoll_ctl_and_epoll_wait)
{
  socket_pair sockets;
  const unique_descriptor set(::epoll_create1(0));
  const bool waits = kernel_has(opcode::epoll_wait);
  run([&]() -> asio::awaitable<void> {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = 5;
    co_await async_submit(
        context,
        [&](io_uring_sqe& s) { io_uring_prep_epoll_ctl(&s, set.get(), sockets.a, EPOLL_CTL_ADD, &event); },
        use_awaitable);
    BOOST_REQUIRE_EQUAL(::write(sockets.b, "x", 1), 1);
    epoll_event happened[4] = {};
    int n;
    if (waits)
      n = co_await async_submit(
          context, [&](io_uring_sqe& s) { fill(s, opcode::epoll_wait, set.get(), happened, 4, 0); },
          use_awaitable);
    else
      n = ::epoll_wait(set.get(), happened, 4, 1000);
    BOOST_TEST(n == 1);
    BOOST_TEST((happened[0].data.u32 == 5u));
  }());
}

BOOST_AUTO_TEST_CASE(msg_ring_to_another_ring)
{
  if (!kernel_has(IORING_OP_MSG_RING)) return;
  asio_uring::ring other;
  run([&]() -> asio::awaitable<void> {
    co_await async_submit(
        context, [&](io_uring_sqe& s) { io_uring_prep_msg_ring(&s, other.fd(), 17, 4711, 0); },
        use_awaitable);
  }());
  int seen = 0;
  other.submit();
  other.consume_completions([&](const io_uring_cqe& cqe) { seen += cqe.res == 17 && cqe.user_data == 4711; });
  BOOST_TEST(seen == 1);
}

BOOST_AUTO_TEST_CASE(uring_cmd_asks_a_socket)
{
  if (!kernel_has(IORING_OP_URING_CMD)) return;
  listening server;
  const unique_descriptor client(::socket(AF_INET, SOCK_STREAM, 0));
  BOOST_REQUIRE_EQUAL(::connect(client.get(), server.name(), server.length), 0);
  const unique_descriptor peer(::accept(server.fd, nullptr, nullptr));
  BOOST_REQUIRE_EQUAL(::write(client.get(), "12345", 5), 5);
  pollfd p{peer.get(), POLLIN, 0};
  ::poll(&p, 1, 5000);
  run([&]() -> asio::awaitable<void> {
    auto [ec, waiting] = co_await async_submit(
        context,
        [&](io_uring_sqe& s) { fill(s, IORING_OP_URING_CMD, peer.get(), nullptr, 0, 0 /* SIOCINQ */); }, aw);
    // Before 6.7 sockets take no commands.
    BOOST_TEST((ec == asio::error::operation_not_supported || waiting == 5), ec.message());
  }());
}

BOOST_AUTO_TEST_CASE(waitid_waits_for_a_child)
{
  if (!kernel_has(opcode::waitid)) return;
  const pid_t child = ::fork();
  if (child == 0) {
    ::usleep(20'000);
    ::_exit(3);
  }
  siginfo_t info{};
  run([&]() -> asio::awaitable<void> {
    const int result = co_await async_submit(
        context,
        [&](io_uring_sqe& s) {
          fill(s, opcode::waitid, child, nullptr, P_PID, reinterpret_cast<std::uintptr_t>(&info));
          s.file_index = WEXITED;
        },
        use_awaitable);
    BOOST_TEST(result == 0);
  }());
  BOOST_TEST(info.si_pid == child);
  BOOST_TEST(info.si_status == 3);
}

BOOST_AUTO_TEST_CASE(futexes_wait_and_wake)
{
  if (!kernel_has(opcode::futex_wait)) return;
  constexpr int size_u32_private = 2 | 128;
  struct waitv
  {
    std::uint64_t value, address;
    std::uint32_t flags, reserved;
  };
  std::uint32_t word = 1;
  const auto wait = [&](std::uint64_t expected) {
    return [&, expected](io_uring_sqe& s) {
      fill(s, opcode::futex_wait, size_u32_private, &word, 0, expected);
      s.addr3 = FUTEX_BITSET_MATCH_ANY;
    };
  };
  outcome woken, vector_woken;
  async_submit(context, wait(1), [&](error_code ec, int) { woken.record()(ec); });
  async_submit(
      context, waitv{1, reinterpret_cast<std::uintptr_t>(&word), size_u32_private, 0},
      [](io_uring_sqe& s, waitv& v) { fill(s, opcode::futex_waitv, 0, &v, 1, 0); },
      [&](error_code ec, int, waitv) { vector_woken.record()(ec); });
  settle(context);
  BOOST_TEST(!woken.done());
  BOOST_TEST(!vector_woken.done());
  run([&]() -> asio::awaitable<void> {
    auto [other_value, r] = co_await async_submit(context, wait(2), aw);
    BOOST_TEST(other_value == errc::resource_unavailable_try_again);
    const int n = co_await async_submit(
        context,
        [&](io_uring_sqe& s) {
          fill(s, opcode::futex_wake, size_u32_private, &word, 0, 10);
          s.addr3 = FUTEX_BITSET_MATCH_ANY;
        },
        use_awaitable);
    BOOST_TEST(n == 2);
  }());
  CHECK_SUCCEEDED(woken);
  CHECK_SUCCEEDED(vector_woken);
}

BOOST_AUTO_TEST_CASE(pipe_makes_two_descriptors)
{
  if (!kernel_has(opcode::pipe)) return;
  struct ends
  {
    int fd[2] = {-1, -1};
  };
  run([&]() -> asio::awaitable<void> {
    auto [ec, result, made] = co_await async_submit(
        context, ends(), [](io_uring_sqe& s, ends& e) { fill(s, opcode::pipe, 0, e.fd, 0, 0); }, aw);
    BOOST_TEST(!ec);
    const unique_descriptor reads(made.fd[0]), writes(made.fd[1]);
    BOOST_TEST(::write(writes.get(), "x", 1) == 1);
    char data;
    BOOST_TEST(::read(reads.get(), &data, 1) == 1);
  }());
}

// --- the table in the documentation

BOOST_AUTO_TEST_CASE(every_opcode_of_the_kernel_is_in_the_documentation)
{
  std::set<std::string> rows;
  const std::string table = read_file(ASIO_URING_TEST_DOC "/opcodes.md");
  const std::regex row("\\n\\| (\\w+) \\| [^|]+ \\| [^|]+ \\| [^|]+ \\|");
  for (std::sregex_iterator it(table.begin(), table.end(), row), end; it != end; ++it)
    rows.insert((*it)[1]);
  ring_descriptor(context);
  const features kernel = backend(context).features;
  for (unsigned op = 0; op != kernel.opcodes.size(); ++op)
    if (kernel.opcode(op) && *opcode_name(op)) BOOST_TEST(rows.count(opcode_name(op)) == 1u, opcode_name(op));
}

BOOST_AUTO_TEST_SUITE_END()
