// The common part of the Asio servers: one io_context, as many threads as asked for, an acceptor, a clean end
// on a signal.
#ifndef ASIO_URING_BENCH_SERVER_HPP
#define ASIO_URING_BENCH_SERVER_HPP

#include "options.hpp"
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <thread>
#include <unistd.h>
#include <vector>
#ifdef ASIO_URING_AS_DEFAULT
#include <asio_uring/options.hpp>
#endif

namespace bench {

namespace asio = boost::asio;

// Sets options that only this library has. To be called before the context's first object is made.
inline void prepare(options const& given, [[maybe_unused]] asio::io_context& context)
{
  if (!given.has("spin")) return;
#ifdef ASIO_URING_AS_DEFAULT
  asio_uring::options how;
  how.spin = std::chrono::microseconds(static_cast<long>(given.number("spin", 0)));
  asio_uring::use_io_uring(context, how);
#else
  given.fail("--spin is an option of asio_uring");
#endif
}

template <class Protocol, class Serve>
void run_server(options const& given, typename Protocol::endpoint const& where, Serve serve)
{
  double const threads = given.number("threads", 1);
  if (threads < 1) given.fail("--threads wants one at least");
  asio::io_context context;
  prepare(given, context);
  typename Protocol::acceptor acceptor(context, where);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) { context.stop(); });
  serve(acceptor);
  std::vector<std::jthread> others(static_cast<std::size_t>(threads) - 1);
  for (auto& t : others)
    t = std::jthread([&] { context.run(); });
  context.run();
}

// `serve` is called with the listening acceptor and starts the program's operations.
template <class Serve>
void run_server(options const& given, Serve serve)
{
  if (given.has("tcp")) {
    auto const port = static_cast<unsigned short>(given.number("tcp", 0));
    run_server<asio::ip::tcp>(given, {asio::ip::address_v4::loopback(), port}, serve);
  } else if (given.has("unix")) {
    auto const path = given.text("unix");
    unlink(path.c_str());
    run_server<asio::local::stream_protocol>(given, path, serve);
    unlink(path.c_str());
  } else
    given.fail("where? --tcp or --unix");
}

template <class Socket>
void set_no_delay(Socket& socket)
{
  if constexpr (std::is_same_v<typename Socket::protocol_type, asio::ip::tcp>)
    socket.set_option(asio::ip::tcp::no_delay(true));
}

} // namespace bench

#endif
