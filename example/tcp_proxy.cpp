// TCP proxy: forwards what one side sends from the buffer in which it was received, without a copy. While a
// connection is idle it holds no buffer.
//
// The end of one direction is passed on, and the other direction continues. If a connection breaks on one
// side, it is reset on the other, so that no side mistakes a part for the whole.
//
// Usage: tcp_proxy LISTEN-PORT HOST PORT

#include "command_line.hpp"

#include <asio_uring/accept_stream.hpp>
#include <asio_uring/ip/tcp.hpp>
#include <asio_uring/receive_stream.hpp>
#include <asio_uring/within.hpp>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <chrono>
#include <csignal>
#include <iostream>

namespace asio = boost::asio;
using asio_uring::ip::tcp;
using boost::system::error_code;
using namespace asio::experimental::awaitable_operators;

namespace {

constexpr auto nothrow_awaitable = asio::as_tuple(asio::use_awaitable);
constexpr auto connect_timeout = std::chrono::seconds(10);

using targets = asio::ip::tcp::resolver::results_type;

// All connections share these buffers. A connection whose receiver does not read holds only a few, so that
// some are left for the others.
constexpr asio_uring::buffer_ring_options buffer_options{.buffers = 256, .size = 16384, .max_buffers = 8192};
constexpr asio_uring::receive_stream_options ahead{.high_water = 4, .low_water = 2};

/// Closes a socket so that its peer sees an error instead of an end.
void reset(tcp::socket& socket)
{
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

/// Forwards one direction until its end.
asio::awaitable<void> pass(tcp::socket& from, tcp::socket& to, const asio_uring::buffer_ring& buffers)
{
  asio_uring::receive_stream received(from, buffers, ahead);
  for (;;) {
    auto [ec, data] = co_await received.async_next(nothrow_awaitable);
    if (ec == asio::error::eof) {
      to.shutdown(tcp::socket::shutdown_send, ec);
      if (!ec) co_return;
    }
    if (!ec)
      std::tie(ec, std::ignore) = co_await asio::async_write(to, asio::buffer(data), nothrow_awaitable);
    if (ec) {
      reset(from); // ends the other direction
      reset(to);
      co_return;
    }
  }
}

asio::awaitable<void> serve_connection(tcp::socket client, const targets& where,
                                       const asio_uring::buffer_ring& buffers)
{
  tcp::socket server(client.get_executor());
  const auto [ec, endpoint] =
      co_await asio::async_connect(server, where, asio_uring::within(connect_timeout, nothrow_awaitable));
  if (ec) {
    std::cerr << "tcp_proxy: connect: " << ec.message() << '\n';
    co_return reset(client);
  }
  error_code ignored;
  client.set_option(tcp::no_delay(true), ignored);
  server.set_option(tcp::no_delay(true), ignored);
  co_await (pass(client, server, buffers) && pass(server, client, buffers));
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, const targets& where,
                            const asio_uring::buffer_ring& buffers)
{
  asio_uring::accept_stream connections(acceptor);
  for (;;) {
    tcp::socket client = co_await connections.async_next(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve_connection(std::move(client), where, buffers),
                   asio::detached);
  }
}

} // namespace

int main(int argc, char** argv)
{
  return run_example("tcp_proxy", "LISTEN-PORT HOST PORT", [&] {
    if (argc != 4) throw std::invalid_argument("wrong number of arguments");
    const tcp::endpoint here(asio::ip::address_v4::loopback(), port_number(argv[1]));
    port_number(argv[3]);

    asio::io_context context(1);
    asio::ip::tcp::resolver resolver(context);
    const targets where = resolver.resolve(argv[2], argv[3]); // once
    const asio_uring::buffer_ring buffers(context, buffer_options);

    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](error_code, int) { context.stop(); });

    tcp::acceptor acceptor(context, here);
    std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
    asio::co_spawn(context, serve(acceptor, where, buffers), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
    context.run();
  });
}
