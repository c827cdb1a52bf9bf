// test/guest.cpp: the order of completions among the context's other handlers. What holds for sockets of the
// context's reactor holds where the reactor watches a ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "child.hpp"
#include "coroutines.hpp"
#include "threads.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <sys/resource.h>

using namespace test;

namespace {

/// Sockets with a byte to read, and reads that record the order in which they end.
struct ready_readers
{
  explicit ready_readers(asio::io_context& context, int count)
  {
    for (int i = 0; i != count; ++i) {
      pairs.push_back(std::make_unique<pair<>>(context));
      write_text(pairs.back()->client, "x");
      BOOST_REQUIRE(readable(pairs.back()->server));
    }
  }
  template <class Handler>
  void start(Handler handler)
  {
    for (std::size_t i = 0; i != pairs.size(); ++i)
      pairs[i]->server.async_read_some(asio::buffer(&bytes.at(i), 1),
                                       [this, handler](error_code, std::size_t) {
                                         ++calls;
                                         handler();
                                       });
  }

  std::array<char, 16> bytes;
  std::vector<std::unique_ptr<pair<>>> pairs;
  std::atomic<int> calls = 0;
};

/// Runs the loop when both the operation that `start` starts is ready and the timer has expired. Returns the
/// order of their handlers.
template <class Start>
std::string order_of(Start start)
{
  asio::io_context context;
  listener acceptor(context);
  pair<> sockets(context);
  tcp::socket other(context);
  write_text(sockets.server, "x");
  std::string order;
  asio::steady_timer timer(context, 20ms);
  timer.async_wait([&](error_code) { order += " timer"; });
  start(acceptor, sockets.client, other, [&](auto...) { order += " operation"; });
  std::this_thread::sleep_for(60ms);
  finish(context);
  return order;
}

/// An execution context that is not Asio's: run_one() runs its functions, and a thread that posts one can be
/// held up.
class foreign_context : public asio::execution_context
{
public:
  class executor_type;

  ~foreign_context()
  {
    let_through();
    shutdown();
    functions_.clear();
    destroy();
  }
  executor_type get_executor() noexcept;

  void push(std::function<void()> f)
  {
    std::unique_lock lock(mutex_);
    functions_.push_back(std::move(f));
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_up_; });
  }
  void hold_up()
  {
    const std::lock_guard guard(mutex_);
    held_up_ = true;
  }
  void let_through()
  {
    const std::lock_guard guard(mutex_);
    held_up_ = false;
    changed_.notify_all();
  }
  bool wait()
  {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s * slowness(), [this] { return !functions_.empty(); });
  }
  void run_one()
  {
    BOOST_REQUIRE(wait());
    std::unique_lock lock(mutex_);
    const auto f = std::move(functions_.front());
    functions_.pop_front();
    lock.unlock();
    f();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> functions_;
  bool held_up_ = false;
};

class foreign_context::executor_type
{
public:
  explicit executor_type(foreign_context& context) noexcept : context_(&context) {}
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept
  {
    return asio::execution::blocking.never;
  }
  template <class Function>
  void execute(Function f) const
  {
    context_->push([f = std::make_shared<Function>(std::move(f))] { std::move (*f)(); });
  }
  friend bool operator==(const executor_type&, const executor_type&) = default;

private:
  foreign_context* context_;
};

foreign_context::executor_type foreign_context::get_executor() noexcept { return executor_type(*this); }

/// An allocator for the memory of a handler.
template <class T>
struct fixed_allocator
{
  using value_type = T;
  fixed_allocator() = default;
  template <class U>
  fixed_allocator(const fixed_allocator<U>&)
  {}
  T* allocate(std::size_t n)
  {
    static std::max_align_t memory[128];
    if (n * sizeof(T) > sizeof(memory)) std::abort();
    return reinterpret_cast<T*>(memory);
  }
  void deallocate(T*, std::size_t) {}
  friend bool operator==(fixed_allocator, fixed_allocator) { return true; }
};

/// Makes malloc fail from now on.
void use_up_memory()
{
  static void** taken = nullptr; // each block points to the one before it, so that none is a leak
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_AS, &none);
  for (std::size_t size = 1 << 20; size >= 8; size /= 2)
    for (std::size_t more : {size + size / 2, size})
      while (auto* block = static_cast<void**>(std::malloc(more))) {
        *block = taken;
        taken = block;
      }
}

} // namespace

BOOST_AUTO_TEST_SUITE(guest)

BOOST_AUTO_TEST_CASE(an_operation_that_is_ready_comes_before_a_timer_that_has_expired)
{
  static char byte;
  BOOST_CHECK_EQUAL(order_of([](auto& acceptor, auto&, auto& other, auto done) {
                      other.async_connect(acceptor.endpoint(), done);
                    }),
                    " operation timer");
  BOOST_CHECK_EQUAL(order_of([](auto& acceptor, auto&, auto& other, auto done) {
                      other.connect(acceptor.endpoint());
                      acceptor.async_accept([done](auto...) { done(); });
                    }),
                    " operation timer");
  BOOST_CHECK_EQUAL(order_of([](auto&, auto& socket, auto&, auto done) {
                      socket.async_read_some(asio::buffer(&byte, 1), done);
                    }),
                    " operation timer");
  BOOST_CHECK_EQUAL(order_of([](auto&, auto& socket, auto&, auto done) {
                      socket.async_wait(tcp::socket::wait_read, done);
                    }),
                    " operation timer");
  BOOST_CHECK_EQUAL(order_of([](auto&, auto& socket, auto&, auto done) {
                      socket.async_write_some(asio::buffer(&byte, 1), done);
                    }),
                    " operation timer");
}

BOOST_AUTO_TEST_CASE(all_operations_that_are_ready_come_before_a_timer_that_has_expired)
{
  asio::io_context context;
  ready_readers readers(context, 5);
  int before = -1;
  asio::steady_timer timer(context, 20ms);
  timer.async_wait([&](error_code) { before = readers.calls; });
  readers.start([] {});
  std::this_thread::sleep_for(60ms);
  finish(context);
  BOOST_CHECK_EQUAL(before, 5);
}

BOOST_AUTO_TEST_CASE(operations_come_before_a_timer_in_a_strand_too)
{
  asio::io_context context;
  const auto strand = asio::make_strand(context);
  ready_readers readers(context, 3);
  std::string order;
  asio::steady_timer timer(context, 20ms);
  timer.async_wait(asio::bind_executor(strand, [&](error_code) { order += " timer"; }));
  for (auto& p : readers.pairs)
    p->server.async_read_some(
        asio::buffer(readers.bytes, 1),
        asio::bind_executor(strand, [&](error_code, std::size_t) { order += " operation"; }));
  std::this_thread::sleep_for(60ms);
  finish(context);
  BOOST_CHECK_EQUAL(order, " operation operation operation timer");
}

BOOST_AUTO_TEST_CASE(a_stream_does_not_time_out_when_its_data_is_there)
{
  namespace beast = boost::beast;
  asio::io_context context;
  pair<> sockets(context);
  beast::tcp_stream stream(std::move(sockets.client));
  char byte;
  outcome read;
  stream.expires_after(20ms);
  stream.async_read_some(asio::buffer(&byte, 1), read.record());
  write_text(sockets.server, "x");
  std::this_thread::sleep_for(60ms);
  finish(context);
  CHECK_SUCCEEDED(read);
}

BOOST_AUTO_TEST_CASE(an_operation_beside_a_timer_is_the_winner_when_its_data_is_there)
{
  using namespace asio::experimental::awaitable_operators;
  std::size_t winner = 9;
  for (bool both_wait = false; !both_wait;) {
    asio::io_context context;
    pair<> sockets(context);
    run_coroutines(context, {[&]() -> asio::awaitable<void> {
                     char byte;
                     asio::steady_timer timer(context, 20ms);
                     asio::post(context, [&] {
                       both_wait = std::chrono::steady_clock::now() < timer.expiry();
                       write_text(sockets.server, "x");
                       std::this_thread::sleep_for(60ms);
                     });
                     auto ended =
                         co_await (sockets.client.async_read_some(asio::buffer(&byte, 1), as_values) ||
                                   timer.async_wait(as_values));
                     winner = ended.index();
                   }});
  }
  BOOST_CHECK_EQUAL(winner, 0);
}

BOOST_AUTO_TEST_CASE(an_execution_context_that_is_not_asios_gets_them_in_the_same_order)
{
  std::string order;
  char byte;
  foreign_context context;
  asio::steady_timer first(context.get_executor(), 0ms), timer(context.get_executor(), 20ms);
  tcp::acceptor acceptor(context.get_executor(), loopback());
  tcp::socket client(context.get_executor()), server(context.get_executor());
  client.connect(acceptor.local_endpoint());
  acceptor.accept(server);
  write_text(client, "x");

  context.hold_up(); // holds up the thread that collects completions
  first.async_wait([&](error_code) { order += " first"; });
  BOOST_REQUIRE(context.wait());
  timer.async_wait([&](error_code) { order += " timer"; });
  server.async_read_some(asio::buffer(&byte, 1), [&](error_code, std::size_t) { order += " operation"; });
  std::this_thread::sleep_for(60ms);
  context.let_through();
  while (order.find("timer") == std::string::npos || order.find("operation") == std::string::npos)
    context.run_one();
  BOOST_CHECK_EQUAL(order, " first operation timer");
}

BOOST_AUTO_TEST_CASE(stop_in_a_handler_leaves_the_others_for_the_next_run)
{
  asio::io_context context;
  ready_readers readers(context, 4);
  readers.start([&] { context.stop(); });
  for (int round = 1; round <= 4; ++round) {
    context.restart();
    context.run_for(30s);
    BOOST_CHECK_EQUAL(readers.calls, round);
  }
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_leaves_the_others_for_the_next_run)
{
  asio::io_context context;
  ready_readers readers(context, 4);
  readers.start([] { throw 1; });
  for (int round = 1; round <= 4; ++round) {
    BOOST_CHECK_THROW(context.run_for(30s), int);
    BOOST_CHECK_EQUAL(readers.calls, round);
  }
  finish(context);
}

BOOST_AUTO_TEST_CASE(run_one_runs_one_of_the_handlers_that_are_ready)
{
  asio::io_context context;
  ready_readers readers(context, 4);
  readers.start([] {});
  for (int most = 1; readers.calls != 4 && context.run_one_for(30s) == 1; ++most)
    BOOST_CHECK_LE(readers.calls, most);
  BOOST_CHECK_EQUAL(readers.calls, 4);
}

BOOST_AUTO_TEST_CASE(what_is_ready_is_counted_exactly)
{
  asio::io_context context;
  ready_readers readers(context, 4);
  readers.start([] {});
  BOOST_CHECK_EQUAL(finish(context), 4);
}

BOOST_AUTO_TEST_CASE(a_handler_that_blocks_leaves_the_others_to_other_threads)
{
  asio::io_context context;
  ready_readers readers(context, 4);
  std::promise<void> last;
  std::atomic<bool> waited = true, told = false;
  readers.start([&] {
    if (readers.calls == 4) {
      if (!told.exchange(true)) last.set_value(); // two threads may see the last call
    } else if (readers.calls == 1)
      waited = last.get_future().wait_for(30s * slowness()) == std::future_status::ready;
  });
  runners r(context, 2);
  BOOST_REQUIRE(r.join());
  BOOST_CHECK(waited);
}

BOOST_AUTO_TEST_CASE(a_handler_may_run_the_loop_for_what_it_has_just_started)
{
  asio::io_context context;
  ready_readers readers(context, 1), inner(context, 2);
  readers.start([&] {
    inner.start([] {});
    while (inner.calls != 2 && context.run_one_for(30s)) {
    }
  });
  finish(context);
  BOOST_CHECK_EQUAL(inner.calls, 2);
}

BOOST_AUTO_TEST_CASE(the_loop_ends_when_asked_though_a_wait_can_not_come_to_rest)
{
  asio::io_context context;
  pair<> sockets(context);
  sockets.server.shutdown(tcp::socket::shutdown_send);
  BOOST_REQUIRE(readable(sockets.client));
  outcome wait;
  sockets.client.async_wait(tcp::socket::wait_error, wait.record());
  context.run_for(50ms);
  BOOST_CHECK(!context.stopped() && !wait.done());
}

BOOST_AUTO_TEST_CASE(memory_that_runs_out_does_not_hold_up_operations_that_need_none)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return; // they need memory of their own
#endif
  if (with_fallback()) return; // its requests need some memory
  enum : int
  {
    passed,
    no_handler,
    no_start
  };
  const int result = in_child([] {
    asio::io_context context;
    ready_readers readers(context, 1);
    tcp::socket& socket = readers.pairs[0]->server;
    readers.start([] {});
    finish(context);
    write_text(readers.pairs[0]->client, "xyz");
    use_up_memory();
    int calls = 0;
    struct reader
    {
      using allocator_type = fixed_allocator<void>;
      allocator_type get_allocator() const noexcept { return {}; }
      void operator()(error_code, std::size_t) { ++*calls; }
      int* calls;
    };
    try {
      for (int i = 0; i != 3; ++i) {
        socket.async_read_some(asio::buffer(readers.bytes, 1), reader{&calls});
        context.restart();
        context.run();
      }
    } catch (const std::bad_alloc&) {
      return int(no_start);
    }
    return int(calls == 3 ? passed : no_handler);
  });
  BOOST_CHECK_EQUAL(result, int(passed));
}

BOOST_AUTO_TEST_SUITE_END()
