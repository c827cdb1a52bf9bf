// test/warnings/every_operation.cpp: every operation of every object once, for tools/warnings.sh. Compiled,
// not run.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <asio_uring/asio_uring.hpp>
#include <asio_uring/file_system.hpp>
#include <asio_uring/registered_buffer_pool.hpp>
#if defined(ASIO_URING_SEPARATE_COMPILATION)
#include <asio_uring/src.hpp>
#endif
#include <array>
#include <boost/asio.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

namespace asio = boost::asio;

namespace {

const auto handler = [](boost::system::error_code, auto&&...) {};

template <typename Wrap>
struct operations
{
  Wrap wrap; ///< the token of an operation

  /// Calls f with each form of buffers; Asio treats a single one differently.
  template <typename F>
  static void with_buffers(F f)
  {
    static char memory[64];
    f(asio::buffer(memory));
    f(std::array<asio::mutable_buffer, 2>{asio::buffer(memory), asio::buffer(memory)});
    f(std::vector<asio::mutable_buffer>{asio::buffer(memory)});
  }

  template <typename Stream>
  void stream(Stream& s)
  {
    with_buffers([&](const auto& buffers) {
      if constexpr (requires { s.read_some(buffers); }) {
        s.read_some(buffers);
        s.async_read_some(buffers, wrap(s));
      }
      if constexpr (requires { s.write_some(buffers); }) {
        s.write_some(buffers);
        s.async_write_some(buffers, wrap(s));
      }
    });
  }

  template <typename Object>
  void waiting(Object& o)
  {
    o.wait(Object::wait_read);
    o.async_wait(Object::wait_error, wrap(o));
    o.cancel();
    o.close();
  }

  template <typename Socket>
  void socket(Socket& s)
  {
    typename Socket::endpoint_type peer;
    s.connect(peer);
    s.async_connect(peer, wrap(s));
    asio::socket_base::message_flags flags{};
    with_buffers([&](const auto& buffers) {
      if constexpr (requires { s.send(buffers); }) {
        s.send(buffers);
        s.async_send(buffers, wrap(s));
        s.async_send(buffers, flags, wrap(s));
      }
      if constexpr (requires { s.receive(buffers); }) {
        s.receive(buffers);
        s.async_receive(buffers, wrap(s));
        s.async_receive(buffers, flags, wrap(s));
      }
      if constexpr (requires { s.receive_from(buffers, peer); }) {
        s.send_to(buffers, peer);
        s.receive_from(buffers, peer);
        s.async_send_to(buffers, peer, wrap(s));
        s.async_receive_from(buffers, peer, wrap(s));
      }
    });
    waiting(s);
  }

  /// async_receive with flags as a result, which use_uring does not support.
  template <typename Socket>
  void sequenced(Socket& s)
  {
    asio::socket_base::message_flags flags{};
    with_buffers([&](const auto& buffers) {
      s.send(buffers, flags);
      s.async_send(buffers, flags, wrap(s));
      s.receive(buffers, flags);
      s.async_receive(buffers, flags, handler);
    });
  }

  template <typename Acceptor>
  void acceptor(Acceptor& a)
  {
    typename Acceptor::protocol_type::socket peer(a.get_executor());
    typename Acceptor::endpoint_type endpoint;
    a.accept(peer);
    a.async_accept(peer, wrap(a));
    a.async_accept(peer, endpoint, wrap(a));
    a.async_accept(wrap(a));
    a.async_accept(endpoint, wrap(a));
    a.async_accept(a.get_executor(), wrap(a));
    waiting(a);
  }

  template <typename File>
  void file(File& f)
  {
    with_buffers([&](const auto& buffers) {
      if constexpr (requires { f.read_some_at(0U, buffers); }) {
        f.read_some_at(0, buffers);
        f.write_some_at(0, buffers);
        f.async_read_some_at(0, buffers, wrap(f));
        f.async_write_some_at(0, buffers, wrap(f));
        asio_uring::chain(f).read_at(f, 0, buffers).write_at(f, 0, buffers).fdatasync(f).async_run(wrap(f));
      }
    });
    f.cancel();
    f.close();
  }
};

struct plain
{
  template <typename Object>
  auto operator()(Object&) const
  {
    return handler;
  }
};
struct by_token
{
  template <typename Object>
  auto operator()(Object& o) const
  {
    return asio_uring::use_uring(o, handler);
  }
};

template <typename Wrap>
void with(Wrap wrap, auto& io_object)
{
  operations<Wrap> all{wrap};
  using object = std::remove_reference_t<decltype(io_object)>;
  if constexpr (requires { &object::listen; })
    all.acceptor(io_object);
  else if constexpr (requires { &object::remote_endpoint; })
    all.socket(io_object);
  if constexpr (
      requires { io_object.read_some_at; } || requires { io_object.sync_all(); })
    all.file(io_object);
  all.stream(io_object);
}

/// Objects of ours, by type or with as_default.hpp, whose namespace `ours` is.
template <typename... Objects>
void on_ring(Objects&... objects)
{
  (with(plain{}, objects), ...);
}
template <typename... Objects>
void stock(Objects&... objects)
{
  (with(by_token{}, objects), ...);
}

void descriptors(asio::posix::stream_descriptor& d, asio_uring::posix::stream_descriptor& ours)
{
  operations<plain>{}.waiting(ours);
  operations<by_token>{}.waiting(d);
  asio_uring::view stream(d);
  operations<plain>{}.stream(stream);
}

template <typename Socket>
void batches(Socket& s)
{
  using protocol = typename Socket::protocol_type;
  char data[16];
  asio_uring::receive_batch<protocol> in(2, 16);
  in = asio_uring::receive_batch<protocol>(asio::buffer(data));
  asio_uring::send_batch<protocol> out(2);
  asio_uring::async_receive_many(s, in, handler);
  asio_uring::receive_many(s, in);
  for (const auto& d : in) {
    out.push_back(asio::buffer(data), d.sender(), d.segment_size());
    for (const asio::const_buffer segment : d.segments())
      out.push_back(segment);
  }
  asio_uring::async_send_many(s, out, handler);
  out.consume(asio_uring::send_many(s, out));
  s.set_option(asio_uring::udp_segment(1200));
  s.set_option(asio_uring::udp_gro(true));
}

void whole_library(asio::io_context& context)
{
  namespace net = asio_uring;
  net::ip::tcp::socket tcp(context);
  net::ip::udp::socket udp(context);
  net::ip::icmp::socket icmp(context);
  net::ip::tcp::acceptor acceptor(context);
  net::local::stream_protocol::socket local(context);
  net::local::stream_protocol::acceptor local_acceptor(context);
  net::local::datagram_protocol::socket local_datagrams(context);
  net::generic::stream_protocol::socket stream(context);
  net::generic::datagram_protocol::socket datagrams(context);
  net::generic::raw_protocol::socket raw(context);
  net::generic::seq_packet_protocol::socket packets(context);
  net::posix::stream_descriptor descriptor(context);
  net::readable_pipe readable(context);
  net::writable_pipe writable(context);
  net::stream_file stream_file(context);
  net::random_access_file file(context);
  net::connect_pipe(readable, writable);
  net::local::connect_pair(local, local);
  on_ring(tcp, udp, icmp, acceptor, local, local_acceptor, local_datagrams, stream, datagrams, raw, packets,
          descriptor, readable, writable, stream_file, file);
  operations<plain>{}.sequenced(packets);
  batches(udp);
  batches(local_datagrams);
  batches(datagrams);

  asio::ip::tcp::socket stock_tcp(context);
  asio::ip::udp::socket stock_udp(context);
  asio::ip::icmp::socket stock_icmp(context);
  asio::ip::tcp::acceptor stock_acceptor(context);
  asio::local::stream_protocol::socket stock_local(context);
  asio::posix::stream_descriptor stock_descriptor(context);
  asio::readable_pipe stock_readable(context);
  asio::writable_pipe stock_writable(context);
  stock(stock_tcp, stock_udp, stock_icmp, stock_acceptor, stock_local, stock_descriptor, stock_readable,
        stock_writable);
  descriptors(stock_descriptor, descriptor);
  net::ip::tcp::socket taken_over(std::move(stock_tcp));
  std::cout << net::backend(context) << net::ring_descriptor(context);
}

void files(asio_uring::random_access_file& file, asio::io_context& context)
{
  namespace fs = std::filesystem;
  using namespace asio_uring;
  const asio::const_buffer value("value", 5);
  static char memory[4096];
  async_open(file, "path", file.read_only, handler);
  async_open(context, "path", O_RDONLY, fs::perms::none, handler);
  async_close(file, handler);
  async_fsync(file, handler);
  async_fdatasync(file, handler);
  async_sync_file_range(file, 0, 0, 0, handler);
  async_fallocate(file, 0, 0, 1, handler);
  async_ftruncate(file, 0, handler);
  async_fadvise(file, 0, 0, POSIX_FADV_NORMAL, handler);
  async_madvise(context, asio::buffer(memory), MADV_NORMAL, handler);
  async_statx(file, handler);
  async_statx(context, "path", handler);
  async_rename(context, "path", "other", handler);
  async_link(context, "path", "other", handler);
  async_symlink(context, "path", "other", handler);
  async_unlink(context, "path", handler);
  async_mkdir(context, "path", fs::perms::all, handler);
  async_rmdir(context, "path", handler);
  async_getxattr(context, "path", "user.name", asio::buffer(memory), handler);
  async_setxattr(context, "path", "user.name", value, 0, handler);
  async_fgetxattr(file, "user.name", asio::buffer(memory), handler);
  async_fsetxattr(file, "user.name", value, 0, handler);
  async_splice(file, 0, file, std::nullopt, 1U, 0U, handler);
  async_tee(file, file, 1U, 0U, handler);
  register_file(file);
  ip::tcp::socket tcp(context);
  local::stream_protocol::socket local_socket(context);
  stream_file stream(context);
  async_send_file(tcp, file, 0, std::nullopt, handler);
  async_send_file(local_socket, stream, 0, 1, handler);
  static const std::atomic<std::uint32_t> word{0};
  async_wait_futex(context, word, 0, handler);
  async_wait_futex(file, word, 0, {.shared = true}, handler);
  async_wait_process(context, pid_t{1}, handler);
  async_wait_process(file, unique_descriptor(), handler);
}

void tokens(asio_uring::random_access_file& file, asio_uring::ip::tcp::socket& socket,
            asio::io_context& context)
{
  using namespace asio_uring;
  asio_uring::async_read_at(file, 0, std::vector<char>(16), handler);
  asio_uring::async_write_at(file, 0, std::string("text"), handler);
  asio_uring::async_read(socket, std::vector<char>(16), handler);
  asio_uring::async_write(socket, std::string("text"), handler);
  asio_uring::async_receive(socket, std::vector<char>(16), handler);
  asio_uring::async_send(socket, std::string("text"), handler);
  registered_buffer_pool pool(context, 2, 4096);
  asio_uring::async_read_at(file, 0, pool.try_lease(), handler);
  pool.async_lease(handler);
  file.async_read_some_at(0, pool.try_lease().buffer(), handler);
  async_submit(
      context, [](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); }, handler);
  async_submit<unique_descriptor>(
      context, 0, [](io_uring_sqe& sqe, int&) { io_uring_prep_nop(&sqe); }, handler);
  chain(context)
      .add([](io_uring_sqe& sqe) { io_uring_prep_nop(&sqe); })
      .hardlink()
      .drain()
      .async_run(handler);
  file.async_read_some_at(0, pool.try_lease().buffer(), use_wait);
}

asio::awaitable<void> coroutine(asio::ip::tcp::socket& socket, asio_uring::ip::tcp::socket& ours)
{
  char data[16];
  co_await socket.async_read_some(asio::buffer(data), asio_uring::use_uring);
  co_await socket.async_read_some(asio::buffer(data),
                                  asio_uring::use_uring(asio::as_tuple(asio::use_awaitable)));
  co_await asio::async_read(ours, asio::buffer(data), asio::use_awaitable);
  co_await asio::async_read(ours, asio::buffer(data),
                            asio_uring::within(std::chrono::seconds(1), asio::use_awaitable));
  socket.async_write_some(asio::buffer(data), asio_uring::until(std::chrono::steady_clock::now(), handler));
  ours.async_connect({}, asio_uring::within(std::chrono::duration<float>(1.5f), handler));
}

} // namespace

int main()
{
  asio::io_context context;
  asio_uring::use_io_uring(context, {.entries = 8});
  whole_library(context);
  asio_uring::random_access_file file(context);
  asio_uring::ip::tcp::socket ours(context);
  asio::ip::tcp::socket socket(context);
  files(file, context);
  tokens(file, ours, context);
  co_spawn(context, coroutine(socket, ours), asio::detached);
}
