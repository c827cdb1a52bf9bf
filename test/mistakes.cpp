// test/mistakes.cpp: what a program is told that makes a mistake. doc/mistakes.md says the same.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "file_fixture.hpp"

#include <asio_uring/detail/asio/scheduler.hpp>
#include <memory>
#include <sys/resource.h>
#include <thread>
#include <vector>

using namespace test;
using asio_uring::async_submit;
using asio_uring::backend;
using asio_uring::chain;
using asio_uring::options;
using asio_uring::use_io_uring;
namespace errc = boost::system::errc;

namespace {

void multishot_poll(io_uring_sqe& sqe) { io_uring_prep_poll_multishot(&sqe, 0, POLLIN); }

/// Whether a text has these words, and the page quotes them.
void check_said(const std::string& text, const std::string& words)
{
  static const std::string page = read_file(ASIO_URING_TEST_DOC "/mistakes.md");
  BOOST_TEST(text.find(words) != text.npos, "'" << text << "' does not say '" << words << "'");
  BOOST_TEST(page.find(words) != page.npos, "doc/mistakes.md does not quote '" << words << "'");
}

/// What is told by an exception.
template <typename Exception = std::exception, typename F>
std::string thrown(F&& f)
{
  try {
    f();
  } catch (const Exception& e) {
    return e.what();
  }
  return "nothing was thrown";
}

/// The program's own choice of pump and backend.
struct without_environment : scratch_context
{
  environment any_backend{"ASIO_URING_BACKEND", nullptr};
  environment any_pump{"ASIO_URING_PUMP", nullptr};
  environment any_path{"ASIO_URING_PATH", nullptr};
  environment any_kernel{"ASIO_URING_NEWEST", nullptr};

  template <typename Chain>
  error_code error_of_chain(Chain&& c)
  {
    error_code seen;
    c.async_run([&](error_code ec, std::vector<int>) { seen = ec; });
    finish(context);
    return seen;
  }
  template <typename Prepare>
  error_code error_of_entry(Prepare prepare)
  {
    error_code seen;
    async_submit(context, prepare, [&](error_code ec, int result) {
      BOOST_TEST(result == -EINVAL);
      seen = ec;
    });
    finish(context);
    return seen;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(mistakes, without_environment)

// --- chains and entries

BOOST_AUTO_TEST_CASE(a_chain_without_an_operation)
{
  const char* const words =
      "a chain without an operation: add one; async_run() has emptied a chain that was run before";
  check_said(error_of_chain(chain(context)).message(), words);
  auto twice = chain(context).add(nop);
  BOOST_TEST(!error_of_chain(twice));
  check_said(error_of_chain(twice).message(), words);
}

BOOST_AUTO_TEST_CASE(a_chain_of_more_operations_than_the_ring_has_entries)
{
  auto long_chain = chain(context);
  for (int i = 0; i < 1000; ++i)
    long_chain.add(nop);
  check_said(error_of_chain(long_chain).message(),
             "a chain of 1000 operations, more than the ring has entries: raise options.entries or "
             "ASIO_URING_ENTRIES, or divide the chain");
}

BOOST_AUTO_TEST_CASE(a_chain_with_an_offset_that_no_file_has)
{
  asio_uring::random_access_file file(context, write_file("file", "x"), read_write);
  char byte;
  check_said(
      error_of_chain(chain(file).fsync(file).read_at(file, 1ULL << 63, asio::buffer(&byte, 1))).message(),
      "operation 2 of the chain: an offset beyond 2^63 - 1, which no file has");
}

BOOST_AUTO_TEST_CASE(an_entry_that_no_handler_can_stand_for)
{
  const auto with = [](unsigned char flag) {
    return [flag](io_uring_sqe& sqe) {
      nop(sqe);
      sqe.flags |= flag;
    };
  };
  for (const unsigned char flag : {IOSQE_IO_LINK, IOSQE_IO_HARDLINK})
    check_said(error_of_entry(with(flag)).message(),
               "IOSQE_IO_LINK or IOSQE_IO_HARDLINK would bind a stranger: leave the flag out; "
               "asio_uring::chain() links its operations by itself");
  check_said(error_of_entry(with(IOSQE_IO_DRAIN)).message(),
             "IOSQE_IO_DRAIN would wait for every poll of an idle socket: leave the flag out; "
             "asio_uring::chain().drain() waits for what was started before");
  check_said(error_of_entry(with(IOSQE_CQE_SKIP_SUCCESS)).message(),
             "IOSQE_CQE_SKIP_SUCCESS would never tell of a success: leave the flag out");
  check_said(error_of_entry(multishot_poll).message(),
             "a multishot operation completes more than once: leave the flag out, or use "
             "asio_uring::accept_stream, receive_stream, datagram_stream or poll_stream");
  check_said(
      error_of_entry([](io_uring_sqe& sqe) { io_uring_prep_link_timeout(&sqe, nullptr, 0); }).message(),
      "IORING_OP_LINK_TIMEOUT is bound to another operation: give that one the token asio_uring::within()");
}

BOOST_AUTO_TEST_CASE(such_an_entry_in_a_chain_has_a_number)
{
  check_said(error_of_chain(chain(context).add(nop).add(multishot_poll).add(nop)).message(),
             "operation 2 of the chain: a multishot operation completes more than once");
  check_said(error_of_chain(chain(context).add(nop).add(nop).add([](io_uring_sqe& sqe) {
               nop(sqe);
               sqe.flags |= IOSQE_IO_LINK;
             })).message(),
             "operation 3 of the chain: IOSQE_IO_LINK or IOSQE_IO_HARDLINK would bind a stranger");
}

BOOST_AUTO_TEST_CASE(such_an_error_is_an_invalid_argument_and_what_names_its_category)
{
  const error_code chained = error_of_chain(chain(context)), single = error_of_entry(multishot_poll);
  for (const error_code& ec : {chained, single}) {
    BOOST_TEST(ec == errc::invalid_argument);
    BOOST_TEST(ec != errc::operation_not_supported);
    BOOST_TEST((ec && ec.category() == asio_uring::misuse_category()));
  }
  const std::string what = boost::system::system_error(single, "submit").what();
  BOOST_TEST(what.starts_with("submit: a multishot operation"));
  BOOST_TEST(what.find("[asio_uring:") != what.npos);
}

// --- memory and files

BOOST_AUTO_TEST_CASE(buffers_registered_twice)
{
  if (with_fallback() || !backend((use_io_uring(context), context)).io_uring)
    return; // which has no use for them
  char data[4096];
  const auto first = asio_uring::register_buffers(context, asio::buffer(data));
  const std::string words =
      "register_buffers: the context has registered buffers already, and one registration at a time: "
      "register "
      "all at once, or end the other; a registered_buffer_pool is one until its last lease ends";
  check_said(thrown<boost::system::system_error>(
                 [&] { const auto second = asio_uring::register_buffers(context, asio::buffer(data)); }),
             words);
  check_said(
      thrown<boost::system::system_error>([&] { asio_uring::registered_buffer_pool(context, 1, 4096); }),
      words);
}

BOOST_AUTO_TEST_CASE(buffers_that_the_kernel_does_not_take)
{
  if (!backend((use_io_uring(context), context)).io_uring) return;
  char data[4096];
  check_said(
      thrown([&] { (void)asio_uring::register_buffers(context, asio::buffer(data, 0)); }),
      "register_buffers: no buffer, or one that is empty, larger than 1 GiB, or no memory of this process");
  const std::vector<asio::mutable_buffer> many(20000, asio::buffer(data));
  check_said(thrown([&] { (void)asio_uring::register_buffers(context, many); }),
             "register_buffers: allowed are 1 to 16384 buffers");
}

BOOST_AUTO_TEST_CASE(a_pool_of_odd_buffers)
{
  check_said(thrown<std::invalid_argument>([&] { asio_uring::registered_buffer_pool(context, 2, 1000); }),
             "registered_buffer_pool of 2 buffers of 1000 bytes: allowed are at least one, and a multiple of "
             "4096 bytes");
}

BOOST_AUTO_TEST_CASE(a_pool_after_its_context)
{
  auto mortal = std::make_unique<asio::io_context>();
  asio_uring::registered_buffer_pool pool(*mortal, 1, 4096);
  mortal.reset();
  BOOST_TEST(!pool.try_lease());
  check_said(thrown<boost::system::system_error>(
                 [&] { pool.async_lease([](error_code, asio_uring::leased_buffer) {}); }),
             "registered_buffer_pool: the pool or its context has ended: Bad file descriptor");
}

/// Asio's interface, and so Asio's error.
BOOST_AUTO_TEST_CASE(direct_io_that_is_not_aligned)
{
  asio_uring::random_access_file file(context, write_file("file", std::string(8192, 'x')),
                                      read_write | static_cast<asio::file_base::flags>(O_DIRECT));
  const aligned_block block(8192);
  outcome odd;
  file.async_read_some_at(0, asio::buffer(block.data + 1, 4096), odd.record());
  finish(context);
  CHECK_FAILED(odd, asio::error::invalid_argument);
  check_said(boost::system::system_error(odd.error).what(), "Invalid argument [system:22");
}

// --- options and environment

BOOST_AUTO_TEST_CASE(options_out_of_range)
{
  using namespace std::chrono_literals;
  const auto refused = [&](const options& o, const char* words) {
    check_said(thrown<std::invalid_argument>([&] { use_io_uring(context, o); }), words);
  };
  refused({.entries = 0}, "asio_uring: options.entries = 0: allowed is 2 to 32768");
  refused({.entries = 8192, .completions = 100},
          "asio_uring: options.completions = 100: allowed is 16384 to 65536");
  refused({.spin = 2s}, "asio_uring: options.spin = 2000000000 ns: allowed is 0 to 1 s, such as 50us");
  refused({.newest = {5, 4}}, "asio_uring: options.newest = 5.4: allowed are versions from 5.11 on");
}

BOOST_AUTO_TEST_CASE(many_entries_bring_their_completions)
{
  use_io_uring(context, {.entries = 8192});
  BOOST_TEST(backend(context).entries == 8192U);
  BOOST_TEST(backend(context).completions == 16384U);
}

BOOST_AUTO_TEST_CASE(variables_with_values_that_they_have_not)
{
  const auto refused = [&](const char* variable, const char* value, const std::string& allowed) {
    const environment set(variable, value);
    check_said(thrown<std::invalid_argument>([&] { use_io_uring(context); }),
               "asio_uring: " + std::string(variable) + "=" + value + ": allowed " + allowed);
  };
  refused("ASIO_URING_BACKEND", "epoll", "are automatic, io_uring, fallback, reactor");
  refused("ASIO_URING_PUMP", "host", "are automatic, ring, guest");
  refused("ASIO_URING_PATH", "fast", "are automatic, completion, readiness");
  refused("ASIO_URING_NEWEST", "6", "are versions from 5.11 on");
  refused("ASIO_URING_ENTRIES", "many", "is 2 to 32768");
  refused("ASIO_URING_COMPLETIONS", "100", "is 512 to 65536");
  refused("ASIO_URING_SPIN", "50", "is 0 to 1 s, such as 50us");
  refused("ASIO_URING_MIN_WAIT", "1s", "is 0 to 100 ms, such as 50us");
  refused("ASIO_URING_BUSY_POLL", "-1us", "is 0 to 1 s, such as 50us");
  refused("ASIO_URING_READ_AHEAD", "65", "is 0 to 64");
  refused("ASIO_URING_ZERO_COPY_THRESHOLD", "64k", "are numbers of bytes");
  refused("ASIO_URING_CLOSING", "late", "are automatic, at_once, with_next_enter");
  refused("ASIO_URING_REPORT", "yes", "are automatic, 0, 1");
  refused("ASIO_URING_SPIN", "99999999999999s", "is 0 to 1 s, such as 50us");
  BOOST_TEST(!backend(context).entries); // nothing is there yet
}

BOOST_AUTO_TEST_CASE(a_variable_sets_what_the_program_leaves_open_and_nothing_else)
{
  using namespace std::chrono_literals;
  const environment entries("ASIO_URING_ENTRIES", "64"), completions("ASIO_URING_COMPLETIONS", "1024"),
      spin("ASIO_URING_SPIN", "50us"), min_wait("ASIO_URING_MIN_WAIT", "2ms"),
      busy_poll("ASIO_URING_BUSY_POLL", "1s"), read_ahead("ASIO_URING_READ_AHEAD", "3"),
      threshold("ASIO_URING_ZERO_COPY_THRESHOLD", "100000"), version("ASIO_URING_NEWEST", "5.19");
  const options open = asio_uring::detail::checked({});
  BOOST_TEST((open.entries == 64 && open.completions == 1024 && open.spin == 50us && open.min_wait == 2ms &&
              open.busy_poll == 1s && open.read_ahead == 3 && open.zero_copy_threshold == 100000 &&
              open.newest == asio_uring::linux_version{5, 19}));
  const options chosen = asio_uring::detail::checked(
      {.entries = 8, .completions = 32, .spin = 1us, .read_ahead = 0, .newest = {6, 1}});
  BOOST_TEST((chosen.entries == 8 && chosen.completions == 32 && chosen.spin == 1us &&
              chosen.read_ahead == 0 && chosen.newest == asio_uring::linux_version{6, 1}));
  for (const char* nothing : {"", "automatic"}) {
    const environment e("ASIO_URING_ENTRIES", nothing), c("ASIO_URING_COMPLETIONS", nothing),
        s("ASIO_URING_SPIN", nothing), v("ASIO_URING_NEWEST", nothing);
    const options left = asio_uring::detail::checked({});
    BOOST_TEST((left.entries == 256 && left.completions == 4096 && left.spin == 0ns &&
                left.newest == asio_uring::linux_version()));
  }
}

// --- contexts

BOOST_AUTO_TEST_CASE(a_backend_before_the_first_object)
{
  std::ostringstream text;
  text << backend(context);
  check_said(text.str(), "undecided: no I/O object of asio_uring exists on this context yet; "
                         "asio_uring::use_io_uring(context) decides");
}

BOOST_AUTO_TEST_CASE(options_for_a_context_that_has_its_ring)
{
  tcp::socket socket(context);
  check_said(thrown<std::logic_error>([&] { use_io_uring(context); }),
             "asio_uring: use_io_uring: the context has its ring already; call it before the context's first "
             "I/O object, once");
}

BOOST_AUTO_TEST_CASE(a_thread_that_runs_the_context_before_it_has_its_ring)
{
  auto& scheduler = asio::use_service<asio::detail::scheduler>(context);
  scheduler.init_task(); // as a stock timer does
  auto work = asio::make_work_guard(context);
  std::thread thread([&] { context.run(); });
  while (!asio_uring::detail::has_thread_in_reactor(scheduler))
    std::this_thread::yield();
  check_said(thrown<std::logic_error>([&] { use_io_uring(context, {.pump = asio_uring::pump_kind::ring}); }),
             "asio_uring: pump_kind::ring: a thread runs the context already; make "
             "asio_uring::use_io_uring(context) the first statement after the context");
  use_io_uring(context);
  if (backend(context).io_uring)
    check_said(backend(context).reason,
               "guest pump: a thread ran the context before it had its ring; make "
               "asio_uring::use_io_uring(context) the first statement after the context");
  work.reset();
  thread.join();
}

BOOST_AUTO_TEST_CASE(a_wait_in_the_thread_that_runs_the_context)
{
  std::string text;
  asio_uring::stream_file file(context, write_file("file", "x"), read_only);
  char byte;
  asio::post(context, [&] {
    text = thrown([&] { file.async_read_some(asio::buffer(&byte, 1), asio_uring::use_wait); });
  });
  finish(context);
  check_said(text,
             "asio_uring::use_wait: this thread is inside run() of the operation's execution context, so "
             "waiting here would never end. Use an asynchronous token here (use_awaitable, a handler), or "
             "wait in a thread that does not run this context.");
}

// --- io_uring that cannot be had

BOOST_AUTO_TEST_CASE(a_kernel_or_a_sandbox_without_io_uring)
{
  const std::pair<int, const char*> cases[] = {
      {EPERM, "io_uring: seccomp or kernel.io_uring_disabled forbids io_uring_setup"},
      {EACCES, "io_uring: a security module or seccomp forbids io_uring_setup"},
      {ENOSYS, "io_uring: the kernel has no io_uring, or is older than Linux 5.11"},
      {EINVAL, "io_uring: the kernel has no io_uring, or is older than Linux 5.11"},
      {ENOMEM,
       "io_uring: no memory for the ring; raise RLIMIT_MEMLOCK (ulimit -l) or options.entries is too large"}};
  for (const auto& [error, words] : cases) {
    std::string reason, text;
    std::thread([&, error = error] { // a filter lasts as long as its thread
      forbid(SYS_io_uring_setup, error);
      asio::io_context sandboxed, forbidden;
      use_io_uring(sandboxed);
      reason = backend(sandboxed).reason;
      text = thrown<boost::system::system_error>(
          [&] { use_io_uring(forbidden, {.fallback = asio_uring::fallback::forbid}); });
    })
        .join();
    check_said(reason, words);
    check_said(reason, "epoll and threads perform the operations");
    check_said(text, words);
  }
}

BOOST_AUTO_TEST_SUITE_END()
