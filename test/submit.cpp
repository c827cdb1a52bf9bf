// test/submit.cpp: submissions with any token: when and how they end, and what they own meanwhile.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "submit_fixture.hpp"
#include "threads.hpp"

#include <future>
#include <regex>
#include <set>
#include <thread>

using namespace test;
using namespace asio_uring;
using asio::use_awaitable;
namespace errc = boost::system::errc;

BOOST_FIXTURE_TEST_SUITE(submit, scratch_context)

// --- guarantees

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
      CHECK_FAILED(refused, errc::invalid_argument);
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
  const std::size_t before = open_descriptors(); // by now the context has opened all its own descriptors
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

// --- waits, and what ends them

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

// These address requests by user_data, which belongs to the service, so they find nothing. Use a cancellation
// signal instead.
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
    BOOST_TEST(ec == errc::stream_timeout); // ETIME: the timeout has expired
  }());
  BOOST_TEST((std::chrono::steady_clock::now() - start >= 20ms));
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
