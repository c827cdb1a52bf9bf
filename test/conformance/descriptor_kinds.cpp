// test/conformance/descriptor_kinds.cpp: what descriptors can be, and moves between executors.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "descriptor.hpp"
#include <fcntl.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

static int pseudo_terminal(int& other)
{
  const int controller = ::posix_openpt(O_RDWR | O_NOCTTY);
  ::grantpt(controller);
  ::unlockpt(controller);
  other = ::open(::ptsname(controller), O_RDWR | O_NOCTTY);
  return controller;
}

// --- moves between executors

template <typename Executor>
static void move_from_executor(const char* name)
{
  line(name);
  net::io_context context;
  static char data[8];
  int fds[2];
  if (::pipe(fds) < 0) return;
  const auto ex = net::executor_on<Executor>(context);
  net::posix::basic_stream_descriptor<Executor> d(ex, fds[0]);
  d.async_read_some(net::buffer(data), handler("read"));
  settle(context);
  stream_descriptor moved(std::move(d));
  values("from, to", d, moved);
  if (::write(fds[1], "ab", 2) != 2) return;
  run(context);
  net::basic_readable_pipe<Executor> p(ex, moved.release());
  p.async_read_some(net::buffer(data), handler("read of a pipe"));
  settle(context);
  net::readable_pipe in(std::move(p));
  values("from, to", p, in);
  if (::write(fds[1], "ab", 2) != 2) return;
  run(context);
  net::basic_writable_pipe<Executor> w(ex, fds[1]);
  net::writable_pipe out(context);
  out = std::move(w);
  values("from, to", w, out);
  out.async_write_some(net::buffer("abc", 3), handler("write"));
  run(context);
  in.async_read_some(net::buffer(data), handler("read"));
  run(context);
}

SCENARIO(descriptor_moves_between_executors)
{
  move_from_executor<net::other_executor>("other executor");
  move_from_executor<net::strand_executor>("strand");
  move_from_executor<net::any_io_executor>("any_io_executor");
}

// --- kinds

SCENARIO(descriptor_waits)
{
  net::io_context context;
  int fds[2];
  if (::pipe(fds) < 0) return;
  plain_descriptor in(context, fds[0]), out(context, fds[1]);
  using base = net::posix::descriptor_base;
  in.async_wait(base::wait_read, handler("wait for read"));
  settle(context);
  SHOW(::write(fds[1], "x", 1));
  run(context);
  BOTH(in, wait, base::wait_read);
  out.async_wait(base::wait_write, handler("wait for write"));
  run(context);
  BOTH(out, wait, base::wait_write);
  in.async_wait(base::wait_error, handler("wait for error"));
  settle(context);
  SHOW(::write(fds[1], "x", 1));
  settle(context);
  out.close();
  run(context);
  in.async_wait(base::wait_read, handler("wait at the end"));
  run(context);
  in.async_wait(static_cast<base::wait_type>(3), handler("nonsense"));
  run(context);
  BOTH(in, wait, static_cast<base::wait_type>(3));
}

SCENARIO(descriptor_eventfd)
{
  net::io_context context;
  stream_descriptor e(context, ::eventfd(0, 0));
  static std::uint64_t count = 0, one = 1;
  e.async_read_some(net::buffer(&count, 8), handler("read"));
  settle(context);
  error_code failed = net::error::would_block;
  std::size_t written = 0;
  e.async_write_some(net::buffer(&one, 8), [&](error_code ec, std::size_t n) { // before or after the read
    failed = ec;
    written = n;
  });
  run_composed(context);
  values("write", failed, written);
  values("count", count);
  e.write_some(net::buffer(&one, 8));
  e.write_some(net::buffer(&one, 8));
  e.async_read_some(net::buffer(&count, 8), handler("read of what is there"));
  run(context);
  values("count", count);
  e.write_some(net::buffer(&one, 8));
  e.async_read_some(net::buffer(&count, 4), handler("too small a buffer"));
  run(context);
  e.async_wait(stream_descriptor::wait_read, handler("wait"));
  run(context);
  SHOW(e.read_some(net::buffer(&count, 8)));
  e.async_read_some(net::buffer(&count, 8), handler("cancelled"));
  settle(context);
  SHOW(e.cancel());
  run(context);
}

SCENARIO(descriptor_pseudo_terminal)
{
  net::io_context context;
  int other;
  const int controller = pseudo_terminal(other);
  stream_descriptor c(context, controller), t(context, other);
  static char data[32];
  t.async_read_some(net::buffer(data), handler("a line"));
  settle(context);
  c.async_write_some(net::buffer("hello\nworld\n", 12),
                     [](error_code ec, std::size_t n) { values("write", ec, n); });
  run_composed(context);
  values("data", std::string_view(data, 6));
  t.async_read_some(net::buffer(data, 2), handler("part of a line"));
  run(context);
  t.async_read_some(net::buffer(data), handler("the rest"));
  run(context);
  c.async_read_some(net::buffer(data), handler("echo"));
  run(context);
  t.async_wait(stream_descriptor::wait_read, handler("wait"));
  settle(context);
  SHOW(t.cancel());
  run(context);
  c.async_read_some(net::buffer(data), handler("hangup"));
  settle(context);
  t.close();
  run(context);
  SHOW_EC(c, read_some, net::buffer(data));
}

static void without_poll(const char* path, int flags)
{
  values("path", path);
  net::io_context context;
  stream_descriptor d(context);
  BOTH(d, assign, ::open(path, flags, 0600));
  static char data[16];
  using base = net::posix::descriptor_base;
  for (auto w : {base::wait_read, base::wait_write, base::wait_error}) {
    d.async_wait(w, handler("wait " + std::to_string(w)));
    run(context);
  }
  d.async_read_some(net::null_buffers(), handler("read null_buffers"));
  run(context);
  d.async_write_some(net::null_buffers(), handler("write null_buffers"));
  run(context);
  BOTH(d, wait, base::wait_read);
  d.async_write_some(net::buffer("0123456789", 10), handler("write"));
  run(context);
  std::array<net::const_buffer, 2> two{net::buffer("abc", 3), net::buffer("def", 3)};
  d.async_write_some(two, handler("write of two"));
  run(context);
  ::lseek(d.native_handle(), 0, SEEK_SET);
  d.async_read_some(net::buffer(data, 4), handler("read"));
  run(context);
  d.async_read_some(net::buffer(data), handler("read"));
  run(context);
  d.async_read_some(net::buffer(data), handler("read"));
  run(context);
  d.async_read_some(net::buffer(data), handler("read again"));
  run(context);
  std::array<net::mutable_buffer, 2> room{net::buffer(data, 4), net::buffer(data + 4, 4)};
  d.async_read_some(room, handler("read of two"));
  run(context);
  BOTH(d, read_some, net::buffer(data));
  BOTH(d, cancel);
  const int fd = d.release();
  d.assign(fd);
  stream_descriptor moved(std::move(d));
  moved.async_wait(base::wait_read, handler("wait of the moved"));
  run(context);
  net::readable_pipe pipe(context, moved.release());
  pipe.async_read_some(net::null_buffers(), handler("null_buffers of a pipe"));
  run(context);
  SHOW(pipe.close());
}

SCENARIO(descriptor_without_poll)
{
  without_poll("file", O_RDWR | O_CREAT);
  without_poll("/dev/null", O_RDWR);
  without_poll("/dev/zero", O_RDWR);
  without_poll("file", O_RDONLY);
  without_poll("file", O_WRONLY);
  without_poll("/", O_RDONLY);
}
