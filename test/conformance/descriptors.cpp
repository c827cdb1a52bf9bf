// test/conformance/descriptors.cpp: reading from and writing to POSIX descriptors and pipes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "descriptor.hpp"
#include <sys/socket.h>
#include <unistd.h>

// --- objects to read from and write to, as pairs of ends

struct pipes
{
  static constexpr const char* name = "pipe";
  net::io_context context;
  net::readable_pipe in{context};
  net::writable_pipe out{context};
  pipes() { net::connect_pipe(in, out); }
};

struct descriptors_on_pipe
{
  static constexpr const char* name = "descriptor";
  net::io_context context;
  stream_descriptor in{context}, out{context};
  descriptors_on_pipe()
  {
    int fds[2];
    if (::pipe(fds) < 0) return;
    in.assign(fds[0]);
    out.assign(fds[1]);
  }
};

struct descriptors_on_socket
{
  static constexpr const char* name = "descriptor on socket";
  net::io_context context;
  stream_descriptor in{context}, out{context};
  descriptors_on_socket()
  {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return;
    in.assign(fds[0]);
    out.assign(fds[1]);
  }
};

#define ENDS pipes, descriptors_on_pipe, descriptors_on_socket

template <typename T>
concept descriptor = requires(T& t)
{
  t.non_blocking();
};

/// State and modes of any of them.
template <typename Object>
static void state_of_descriptor(Object& o)
{
  SHOW(o.is_open());
  SHOW(o.lowest_layer().is_open());
  SHOW(o.native_handle() == -1);
  if constexpr (descriptor<Object>) {
    net::posix::descriptor_base::bytes_readable readable;
    BOTH(o, io_control, readable);
    values("readable", readable.get());
    SHOW(o.non_blocking());
    SHOW(o.native_non_blocking());
    BOTH(o, native_non_blocking, true);
    SHOW(o.native_non_blocking());
    BOTH(o, non_blocking, true);
    SHOW(o.non_blocking());
    BOTH(o, native_non_blocking, false);
    BOTH(o, non_blocking, false);
    SHOW(o.native_non_blocking());
  }
}

template <typename Object>
static void waits(net::io_context& context, Object& o)
{
  if constexpr (descriptor<Object>) {
    using base = net::posix::descriptor_base;
    for (auto w : {base::wait_read, base::wait_write, base::wait_error}) {
      values("wait", int(w));
      BOTH(o, wait, w);
      o.async_wait(w, handler("wait"));
      run(context);
    }
  }
}

template <typename Object>
static void all_reads(net::io_context& context, Object& o)
{
  static char data[16];
  if constexpr (requires { o.read_some(net::buffer(data)); }) {
    BOTH(o, read_some, net::buffer(data));
    BOTH(o, read_some, net::buffer(data, 0));
    o.async_read_some(net::buffer(data), handler("read_some"));
    run(context);
    o.async_read_some(net::buffer(data, 0), handler("read_some nothing"));
    run(context);
    o.async_read_some(net::null_buffers(), handler("read_some null_buffers"));
    run(context);
  }
}

template <typename Object>
static void all_writes(net::io_context& context, Object& o)
{
  static char data[16];
  if constexpr (requires { o.write_some(net::buffer(data)); }) {
    BOTH(o, write_some, net::buffer(data));
    BOTH(o, write_some, net::buffer(data, 0));
    o.async_write_some(net::buffer(data), handler("write_some"));
    run(context);
    o.async_write_some(net::buffer(data, 0), handler("write_some nothing"));
    run(context);
    o.async_write_some(net::null_buffers(), handler("write_some null_buffers"));
    run(context);
  }
}

template <typename Object>
static void closed(const char* name)
{
  line(name);
  net::io_context context;
  Object o(context);
  state_of_descriptor(o);
  waits(context, o);
  all_reads(context, o);
  all_writes(context, o);
  BOTH(o, cancel);
  BOTH(o, close);
  SHOW(o.release());
  BOTH(o, assign, -1);
  BOTH(o, assign, 12345);
  SHOW(o.is_open());
  call("constructor", [&] { Object bad(context, -1); });
  int fds[2];
  if (::pipe(fds) < 0) return;
  BOTH(o, assign, fds[0]);
  BOTH(o, assign, -1);
  SHOW(o.is_open());
  SHOW(o.native_handle() == fds[0]);
  SHOW(o.release() == fds[0]);
  SHOW(o.is_open());
  SHOW(o.assign(fds[0]));
  BOTH(o, cancel);
  Object moved(std::move(o));
  values("from, to", o, moved);
  o = std::move(moved);
  values("from, to", moved, o);
  BOTH(o, close);
  SHOW(o.is_open());
  Object constructed(context, fds[1]);
  state_of_descriptor(constructed);
  SHOW(constructed.get_executor() == net::executor_on<net::any_io_executor>(context));
  constructed.close();
  // Closed without Asio.
  if (::pipe(fds) < 0) return;
  o.assign(fds[0]);
  ::close(fds[0]);
  BOTH(o, close);
  ::close(fds[1]);
}

SCENARIO(descriptor_closed)
{
  closed<plain_descriptor>("descriptor");
  closed<stream_descriptor>("stream_descriptor");
  closed<net::readable_pipe>("readable_pipe");
  closed<net::writable_pipe>("writable_pipe");
}

SCENARIO(connect_pipe)
{
  net::io_context context;
  net::readable_pipe in(context);
  net::writable_pipe out(context);
  error_code ec;
  net::connect_pipe(in, out, ec);
  values("connected", ec, in, out);
  call("again", [&] { net::connect_pipe(in, out); });
  net::connect_pipe(in, out, ec);
  values("again", ec);
  state_of_descriptor(in);
  state_of_descriptor(out);
  in.close();
  net::connect_pipe(in, out, ec);
  values("one is open", ec, in, out);
}

SCENARIO_TEMPLATE(descriptor_transfer, T, ENDS)
{
  T p;
  static char data[16] = {};
  p.in.async_read_some(net::buffer(data), handler("read"));
  settle(p.context);
  SHOW(p.out.write_some(net::buffer("ab", 2)));
  run(p.context);
  SHOW_EC(p.out, write_some, net::buffer("abcd", 4));
  SHOW(p.in.read_some(net::buffer(data, 4)));
  p.out.async_write_some(net::buffer("0123456789", 10), handler("write"));
  run(p.context);
  p.in.async_read_some(net::buffer(data, 3), handler("read of what is there"));
  run(p.context);
  values("data", std::string_view(data, 3));
  BOTH(p.in, read_some, net::buffer(data, 4));
  p.in.async_read_some(net::buffer(data, 0), handler("read of nothing"));
  p.out.async_write_some(net::buffer(data, 0), handler("write of nothing"));
  run(p.context);
  BOTH(p.in, read_some, net::buffer(data, 0));
  for (std::size_t count : {1, 2, 64, 65, 100}) {
    std::string out = letters(1300), in(1300, ' ');
    p.out.async_write_some(pieces(std::as_const(out), count), handler("write pieces"));
    run(p.context);
    p.in.async_read_some(pieces(in, count), handler("read pieces"));
    run(p.context);
    values("equal", in.substr(0, 800) == out.substr(0, 800));
    values("sync write", p.out.write_some(pieces(std::as_const(out), count)));
    values("sync read", p.in.read_some(pieces(in, count)));
  }
  p.in.async_read_some(net::buffer(data, 1), handler("read 1"));
  p.in.async_read_some(net::buffer(data, 2), handler("read 2"));
  p.in.async_read_some(net::buffer(data, 3), handler("read 3"));
  settle(p.context);
  p.out.write_some(net::buffer("abcdef", 6));
  run(p.context);
  std::string large = letters(1 << 20), arrived(large.size(), ' ');
  net::async_write(p.out, net::buffer(large), handler("write all"));
  settle(p.context);
  net::async_read(p.in, net::buffer(arrived), handler("read all"));
  run_composed(p.context);
  values("equal", large == arrived);
}

SCENARIO_TEMPLATE(descriptor_end, T, ENDS)
{
  {
    T p;
    static char data[8];
    p.out.write_some(net::buffer("last", 4));
    p.out.close();
    p.in.async_read_some(net::buffer(data), handler("the last"));
    run(p.context);
    p.in.async_read_some(net::buffer(data), handler("end"));
    run(p.context);
    p.in.async_read_some(net::buffer(data, 0), handler("nothing at the end"));
    run(p.context);
    BOTH(p.in, read_some, net::buffer(data));
    p.in.async_read_some(net::null_buffers(), handler("null_buffers at the end"));
    run(p.context);
    waits(p.context, p.in);
  }
  {
    T p;
    static char data[8];
    std::array<net::mutable_buffer, 2> two{net::buffer(data, 4), net::buffer(data + 4, 4)};
    p.in.async_read_some(two, handler("read pending"));
    settle(p.context);
    p.out.close();
    run(p.context);
  }
  {
    T p;
    static char data[8];
    p.in.close();
    p.out.async_write_some(net::buffer(data), handler("broken pipe"));
    run(p.context);
    BOTH(p.out, write_some, net::buffer(data));
    p.out.async_write_some(net::null_buffers(), handler("null_buffers"));
    run(p.context);
  }
  {
    T p;
    std::string large = letters(1 << 20);
    net::async_write(p.out, net::buffer(large), [](error_code ec, std::size_t) { values("write", ec); });
    settle(p.context);
    p.in.close();
    run_composed(p.context);
  }
}

SCENARIO_TEMPLATE(descriptor_cancel_and_close, T, ENDS)
{
  for (bool started : {false, true}) {
    T p;
    static char data[8];
    const auto several = [&] {
      p.in.async_read_some(net::buffer(data), handler("read 1"));
      p.in.async_read_some(net::buffer(data), handler("read 2"));
      p.in.async_read_some(net::buffer(data), handler("read 3"));
      if (started) settle(p.context);
    };
    several();
    BOTH(p.in, cancel);
    run(p.context);
    several();
    const int fd = p.in.release();
    run(p.context);
    p.in.assign(fd);
    auto moved = std::move(p.in);
    values("from, to", p.in, moved);
    moved.async_read_some(net::buffer(data), handler("read of the moved"));
    if (started) settle(p.context);
    p.in = std::move(moved);
    p.out.write_some(net::buffer("ab", 2));
    run(p.context);
    several();
    SHOW(p.in.close());
    run(p.context);
    p.in.async_read_some(net::buffer(data), handler("closed"));
    run(p.context);
  }
  {
    T p;
    std::string large = letters(1 << 20);
    net::async_write(p.out, net::buffer(large), [](error_code ec, std::size_t) { values("write 1", ec); });
    settle(p.context);
    p.out.async_write_some(net::buffer(large), handler("write 2"));
    settle(p.context);
    outcome third;
    p.out.async_write_some(net::null_buffers(), third.handler());
    settle(p.context);
    SHOW(p.out.cancel());
    run_composed(p.context);
    values("null_buffers", third);
  }
}

SCENARIO_TEMPLATE(descriptor_cancellation_types, T, ENDS)
{
  using type = net::cancellation_type;
  T p;
  static char data[8];
  for (auto [name, kind] : {std::pair("none", type::none), std::pair("terminal", type::terminal),
                            std::pair("partial", type::partial), std::pair("total", type::total)})
    for (bool started : {false, true}) {
      net::cancellation_signal read, wait;
      p.in.async_read_some(net::buffer(data), net::bind_cancellation_slot(read.slot(), handler(name)));
      if (started) settle(p.context);
      read.emit(kind);
      settle(p.context);
      SHOW(p.in.cancel());
      run(p.context);
      p.in.async_read_some(net::null_buffers(), net::bind_cancellation_slot(wait.slot(), handler(name)));
      if (started) settle(p.context);
      wait.emit(kind);
      settle(p.context);
      SHOW(p.in.cancel());
      run(p.context);
      if constexpr (descriptor<decltype(p.in)>) {
        net::cancellation_signal signal;
        p.in.async_wait(net::posix::descriptor_base::wait_read,
                        net::bind_cancellation_slot(signal.slot(), handler(name)));
        if (started) settle(p.context);
        signal.emit(kind);
        settle(p.context);
        SHOW(p.in.cancel());
        run(p.context);
      }
    }
}

SCENARIO_TEMPLATE(descriptor_native_non_blocking, T, ENDS)
{
  T p;
  static char data[8];
  const auto flags = [](int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; };
  values("new", flags(p.in.native_handle()));
  p.in.async_read_some(net::buffer(data), handler("read"));
  values("after a read", flags(p.in.native_handle()));
  if constexpr (descriptor<decltype(p.in)>) SHOW(p.in.native_non_blocking());
  p.in.cancel();
  run(p.context);
  p.in.async_read_some(net::buffer(data), handler("read"));
  settle(p.context);
  p.out.write_some(net::buffer("ab", 2));
  run(p.context);
  p.out.async_write_some(net::buffer("abc", 3), handler("write"));
  run(p.context);
  const int fd = p.out.release();
  values("released", flags(fd));
  ::close(fd);
  if constexpr (descriptor<decltype(p.in)>) {
    SHOW(p.in.non_blocking(true));
    SHOW(p.in.read_some(net::buffer(data)));
    p.in.async_read_some(net::buffer(data), handler("end"));
    run(p.context);
  }
}

SCENARIO_TEMPLATE(descriptor_huge_buffers, T, ENDS)
{
  T p;
  huge_buffer memory;
  std::string out = letters(60000);
  for (std::size_t size : {std::size_t(4) << 30, huge_buffer::size}) {
    outcome write, read;
    p.out.async_write_some(net::buffer(memory.data(), size), write.handler());
    run_composed(p.context);
    values("write", write.succeeded(), write.size > 8192);
    std::vector<char> all(write.size);
    net::read(p.in, net::buffer(all));
    net::write(p.out, net::buffer(out));
    p.in.async_read_some(net::buffer(memory.data(), size), read.handler());
    run_composed(p.context);
    values("read", read.ec, read.size);
    outcome gathered, scattered;
    std::array<net::const_buffer, 2> two{net::buffer(memory.data(), 1), net::buffer(memory.data(), size)};
    p.out.async_write_some(two, gathered.handler());
    run_composed(p.context);
    values("write of two", gathered.succeeded(), gathered.size > 8193);
    all.resize(gathered.size);
    net::read(p.in, net::buffer(all));
    net::write(p.out, net::buffer(out));
    std::array<net::mutable_buffer, 2> room{net::buffer(memory.data(), 1), net::buffer(memory.data(), size)};
    p.in.async_read_some(room, scattered.handler());
    run_composed(p.context);
    values("read into two", scattered.ec, scattered.size);
  }
}

SCENARIO_TEMPLATE(descriptor_loop_counts, T, ENDS)
{
  T p;
  static char data[8];
  p.out.async_write_some(net::buffer("ab", 2), handler("write"));
  run(p.context);
  p.in.async_read_some(net::buffer(data), handler("read"));
  run(p.context);
  p.in.async_read_some(net::buffer(data), handler("read"));
  const auto before = called;
  p.context.restart();
  const auto returned = p.context.poll();
  values("poll", counted(returned, called - before), called - before, p.context.stopped());
  p.in.close();
  run(p.context);
}
