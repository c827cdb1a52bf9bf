// test/conformance/stream_operations.cpp: operations of stream sockets cancelled or moved in flight.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "basic_socket.hpp"

// --- cancel, close, release, move with operations in flight

template <typename T>
static void several(T& p, std::string suffix = "")
{
  static char data[64];
  p.a.async_read_some(net::buffer(data, 8), handler("read 1" + suffix));
  p.a.async_receive(net::buffer(data + 8, 8), handler("read 2" + suffix));
  p.a.async_receive(net::buffer(data + 16, 8), 0, handler("read 3" + suffix));
}

SCENARIO_TEMPLATE(cancel_several, T, STREAMS)
{
  T p;
  BOTH(p.a, cancel);
  several(p);
  SHOW(p.a.cancel());
  run(p.context);
  several(p);
  settle(p.context);
  BOTH(p.a, cancel);
  run(p.context);
  static char data[8];
  // The socket still works.
  p.b.send(net::buffer("ab", 2));
  p.a.async_read_some(net::buffer(data), handler("read"));
  run(p.context);
}

// In no particular order: waits are cancelled in the kernel (doc/conformance.md).
SCENARIO_TEMPLATE(cancel_reads_and_waits, T, STREAMS)
{
  T p;
  static char data[8];
  outcome read, wait, null, error;
  p.a.async_wait(net::socket_base::wait_read, wait.handler());
  p.a.async_read_some(net::buffer(data), read.handler());
  p.a.async_receive(net::null_buffers(), null.handler());
  p.a.async_wait(net::socket_base::wait_error, error.handler());
  settle(p.context);
  SHOW(p.a.cancel());
  run(p.context);
  values("wait, read, null_buffers, wait for error", wait, read, null, error);
}

// Reads are in order, and so are writes.
SCENARIO_TEMPLATE(cancel_reads_and_writes, T, STREAMS)
{
  T p;
  static char data[64];
  std::string large = letters(16 << 20), reads, writes;
  error_code ec;
  p.a.non_blocking(true);
  while (!ec)
    p.a.send(net::buffer(large), 0, ec);
  for (const char* number : {"1", "2", "3"}) {
    const auto record = [number](std::string& order) {
      return [number, &order](error_code e, std::size_t n) {
        ++called;
        order += number + (' ' + text(e)) + ", " + text(n) + "; ";
      };
    };
    p.a.async_write_some(net::buffer(large), record(writes));
    p.a.async_read_some(net::buffer(data), record(reads));
  }
  settle(p.context);
  SHOW(p.a.cancel());
  run(p.context);
  values("reads", reads);
  values("writes", writes);
}

SCENARIO_TEMPLATE(close_with_operations_in_flight, T, STREAMS)
{
  {
    T p;
    several(p);
    SHOW(p.a.close());
    BOTH(p.a, cancel);
    run(p.context);
  }
  {
    T p;
    several(p);
    settle(p.context);
    SHOW(p.a.close());
    run(p.context);
    SHOW(p.a.open(T::protocol()));
  }
  {
    T p;
    several(p);
    settle(p.context);
    p.a = typename T::socket(p.context);
    run(p.context);
  }
  {
    T p;
    several(p);
    settle(p.context);
    const int fd = p.a.release();
    SHOW(p.a.is_open());
    run(p.context);
    SHOW(p.a.assign(T::protocol(), fd));
    p.b.send(net::buffer("ab", 2));
    static char data[8];
    p.a.async_read_some(net::buffer(data), handler("read after release and assign"));
    run(p.context);
  }
}

SCENARIO_TEMPLATE(move_with_operations_in_flight, T, STREAMS)
{
  T p;
  several(p);
  settle(p.context);
  typename T::socket moved(std::move(p.a));
  values("from, to", p.a, moved);
  p.b.send(net::buffer("01234567ABCDEFGHabc", 19));
  run(p.context);
  several(p, " of the moved-from socket");
  run(p.context);
  typename T::socket target(p.context);
  target = std::move(moved);
  p.a = std::move(target);
  several(p);
  settle(p.context);
  target = std::move(p.a);
  SHOW(target.cancel());
  run(p.context);
}

template <typename Executor, typename T>
static void move_from_executor(const char* name)
{
  T p;
  using other = typename T::socket::template rebind_executor<Executor>::other;
  static char data[8];
  line(name);
  other s(net::executor_on<Executor>(p.context));
  s.assign(T::protocol(), p.a.release());
  s.async_read_some(net::buffer(data), handler("read started before"));
  settle(p.context);
  typename T::socket moved(std::move(s));
  values("from, to", s, moved);
  p.b.send(net::buffer("ab", 2));
  run(p.context);
  moved.async_write_some(net::buffer("abc", 3), handler("write of the moved"));
  run(p.context);
  SHOW(moved.cancel());
  other t(net::executor_on<Executor>(p.context));
  t.assign(T::protocol(), moved.release());
  t.async_read_some(net::buffer(data), handler("read started before"));
  settle(p.context);
  moved = std::move(t);
  values("from, to", t, moved);
  p.b.send(net::buffer("ab", 2));
  run(p.context);
  moved.async_read_some(net::buffer(data), handler("cancelled after the move"));
  settle(p.context);
  SHOW(moved.cancel());
  run(p.context);
}

SCENARIO_TEMPLATE(move_between_executors, T, STREAMS)
{
  move_from_executor<net::other_executor, T>("other executor");
  move_from_executor<net::strand_executor, T>("strand");
  move_from_executor<net::any_io_executor, T>("any_io_executor");
}

SCENARIO_TEMPLATE(move_to_the_generic_protocol, T, tcp_pair, local_pair)
{
  T p;
  static char data[8];
  p.a.async_read_some(net::buffer(data), handler("read started before"));
  settle(p.context);
  net::generic::stream_protocol::socket g(std::move(p.a));
  values("from, to", p.a, g);
  values("endpoint", g.remote_endpoint());
  p.b.send(net::buffer("ab", 2));
  run(p.context);
  g.async_write_some(net::buffer("abc", 3), handler("write"));
  run(p.context);
  net::generic::stream_protocol::socket h(p.context);
  h = std::move(p.b);
  values("from, to", p.b, h);
  h.async_read_some(net::buffer(data), handler("read"));
  run(p.context);
  g.close();
  h.async_read_some(net::buffer(data), handler("end"));
  run(p.context);
}

// --- per-operation cancellation

SCENARIO_TEMPLATE(cancellation_types, T, STREAMS)
{
  using type = net::cancellation_type;
  T p;
  static char data[8];
  const std::pair<const char*, type> all[] = {{"none", type::none},
                                              {"terminal", type::terminal},
                                              {"partial", type::partial},
                                              {"total", type::total},
                                              {"all", type::all}};
  for (const auto& [name, t] : all)
    for (bool started : {false, true}) {
      net::cancellation_signal read, wait, other;
      const auto bound = [&](net::cancellation_signal& s, std::string what) {
        return net::bind_cancellation_slot(s.slot(), handler(std::string(name) + ": " + what));
      };
      p.a.async_read_some(net::buffer(data), bound(read, "read"));
      if (started) settle(p.context);
      read.emit(t);
      settle(p.context);
      p.a.async_wait(net::socket_base::wait_read, bound(wait, "wait"));
      if (started) settle(p.context);
      wait.emit(t);
      settle(p.context);
      p.a.async_receive(net::null_buffers(), bound(other, "null_buffers"));
      if (started) settle(p.context);
      other.emit(t);
      settle(p.context);
      SHOW(p.a.cancel());
      run(p.context);
      read.emit(t); // nothing is left to cancel
      wait.emit(t);
    }
}

SCENARIO_TEMPLATE(cancel_one_of_several_through_its_slot, T, STREAMS)
{
  T p;
  static char data[8];
  net::cancellation_signal second;
  p.a.async_read_some(net::buffer(data, 2), handler("read 1"));
  p.a.async_read_some(net::buffer(data, 2), net::bind_cancellation_slot(second.slot(), handler("read 2")));
  p.a.async_read_some(net::buffer(data, 2), handler("read 3"));
  settle(p.context);
  second.emit(net::cancellation_type::terminal);
  settle(p.context);
  p.b.send(net::buffer("abcd", 4));
  run(p.context);
}

// --- counts of the loop

SCENARIO_TEMPLATE(loop_counts, T, STREAMS)
{
  T p;
  static char data[8];
  auto count = [&](const char* name, auto f) {
    p.context.restart();
    const std::size_t before = called;
    std::size_t n = f();
    for (int i = 0; guest() && called == before && i < 5; ++i)
      n = f();
    values(name, counted(n, called - before), called - before);
  };
  auto stopped = [&](bool expected) { values("stopped", guest() ? expected : p.context.stopped()); };
  p.a.async_write_some(net::buffer("abcdefgh", 8), handler("write"));
  count("run_one", [&] { return p.context.run_one(); });
  stopped(true);
  count("run", [&] { return p.context.run(); });
  stopped(true);
  p.b.async_read_some(net::buffer(data, 1), handler("first read"));
  count("run", [&] { return p.context.run(); });
  p.b.async_read_some(net::buffer(data, 1), handler("read of what is there"));
  count("poll", [&] { return p.context.poll(); });
  count("poll", [&] { return p.context.poll(); });
  p.b.async_read_some(net::buffer(data, 1), handler("read"));
  count("poll_one", [&] { return p.context.poll_one(); });
  p.b.async_read_some(net::buffer(data, 1), handler("read"));
  count("run_for", [&] { return p.context.run_for(std::chrono::seconds(5)); });
  p.b.async_wait(net::socket_base::wait_read, handler("wait"));
  count("run", [&] { return p.context.run(); });
  p.b.async_read_some(net::buffer(data, 0), handler("read of nothing"));
  count("poll", [&] { return p.context.poll(); });
  p.b.async_read_some(net::buffer(data, 1), handler("read"));
  p.b.async_write_some(net::buffer(data, 1), handler("write"));
  count("run", [&] { return p.context.run(); });
  while (p.b.available())
    p.b.read_some(net::buffer(data));
  p.b.async_read_some(net::buffer(data), handler("read"));
  count("poll", [&] { return p.context.poll(); });
  stopped(false);
  count("run_for, in vain", [&] { return p.context.run_for(std::chrono::milliseconds(5)); });
  stopped(false);
  p.b.close();
  count("run", [&] { return p.context.run(); });
  stopped(true);
}

// --- where reads differ: stock takes what is there when a read is initiated, we when its handler is about to
// run (doc/conformance.md)

SCENARIO_TEMPLATE(when_a_read_takes_its_data, T, STREAMS)
{
  static char data[8];
  {
    T p;
    p.b.send(net::buffer("ab", 2));
    await_data(p.a);
    outcome read, again;
    p.a.async_read_some(net::buffer(data), read.handler());
    p.a.cancel();
    run_composed(p.context);
    deliberate("cancel() of a read that has data waiting", read.succeeded(),
               read.failed(net::error::operation_aborted));
    p.a.async_read_some(net::buffer(data), again.handler());
    settle(p.context);
    deliberate("what the next read gets", again.calls == 0, again.succeeded() && again.size == 2);
    p.a.close();
    run_composed(p.context);
  }
}

// --- huge buffers: sizes beyond 32 bits

SCENARIO_TEMPLATE(huge_buffers, T, STREAMS)
{
  T p;
  huge_buffer memory;
  std::string out = letters(100000);
  auto drain = [&](std::size_t n) {
    std::vector<char> all(n);
    net::read(p.b, net::buffer(all));
  };
  for (std::size_t size : {std::size_t(4) << 30, huge_buffer::size}) {
    outcome write, gathered, read, scattered;
    p.a.async_write_some(net::buffer(memory.data(), size), write.handler());
    run_composed(p.context);
    values("write", write.succeeded(), write.size > 8192);
    drain(write.size);
    std::array<net::const_buffer, 2> two{net::buffer(memory.data(), 1), net::buffer(memory.data(), size)};
    p.a.async_write_some(two, gathered.handler());
    run_composed(p.context);
    values("write of two", gathered.succeeded(), gathered.size > 8193);
    drain(gathered.size);
    net::write(p.a, net::buffer(out));
    while (p.b.available() < out.size())
      ;
    p.b.async_read_some(net::buffer(memory.data(), size), read.handler());
    run_composed(p.context);
    values("read", read.ec, read.size);
    net::write(p.a, net::buffer(out));
    while (p.b.available() < out.size())
      ;
    std::array<net::mutable_buffer, 2> room{net::buffer(memory.data(), 1), net::buffer(memory.data(), size)};
    p.b.async_receive(room, scattered.handler());
    run_composed(p.context);
    values("read into two", scattered.ec, scattered.size);
  }
}
