// serving.hpp: common parts of servers that are written with coroutines: listening, accepting, and several
// threads.
#ifndef EXAMPLE_SERVING_HPP
#define EXAMPLE_SERVING_HPP

#include "command_line.hpp"

#include <boost/asio.hpp>

#include <chrono>
#include <iostream>
#include <thread>
#include <utility>
#include <vector>

constexpr auto nothrow_awaitable = boost::asio::as_tuple(boost::asio::use_awaitable);

/// Returns an acceptor that listens where the arguments say, after printing where that is.
inline boost::asio::ip::tcp::acceptor listen_on(const boost::asio::any_io_executor& executor,
                                                const server_arguments& where)
{
  const boost::asio::ip::tcp::endpoint endpoint(boost::asio::ip::make_address(where.address), where.port);
  boost::asio::ip::tcp::acceptor acceptor(executor, endpoint);
  std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
  return acceptor;
}

/// Calls `session(socket)` with each connection, until the acceptor is closed. It must return without
/// waiting. The name is that of the program, for what goes wrong.
template <typename Session>
boost::asio::awaitable<void> accept_all(const char* name, boost::asio::ip::tcp::acceptor& acceptor,
                                        Session session)
{
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(nothrow_awaitable);
    if (!acceptor.is_open()) break;
    if (error) {
      // Out of descriptors or memory: trying again at once would spin.
      std::cerr << name << ": accept: " << error.message() << '\n';
      boost::asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
      co_await pause.async_wait(boost::asio::use_awaitable);
      continue;
    }
    boost::system::error_code ignored;
    socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
    session(std::move(socket));
  }
}

/// Runs the context in this thread and so many others that they are `threads`. Returns when all have ended.
inline void run_in_threads(boost::asio::io_context& context, int threads)
{
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i)
    others.emplace_back([&] { context.run(); });
  context.run();
}

#endif // EXAMPLE_SERVING_HPP
