// serving.hpp: common parts of servers that are written with coroutines: accepting, and running in several
// threads.
#ifndef EXAMPLE_SERVING_HPP
#define EXAMPLE_SERVING_HPP

#include <boost/asio.hpp>

#include <chrono>
#include <iostream>
#include <thread>
#include <utility>
#include <vector>

constexpr auto nothrow_awaitable = boost::asio::as_tuple(boost::asio::use_awaitable);

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
