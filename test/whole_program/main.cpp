// test/whole_program/main.cpp: a server whose sessions are in another translation unit; fails if it is not on
// io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "session.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cstring>
#include <filesystem>
#include <iostream>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

bool has_io_uring()
{
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code vanished;
    if (read_symlink(entry.path(), vanished) == "anon_inode:[io_uring]") return true;
  }
  return false;
}

} // namespace

int main()
{
  if (size_of_session() != sizeof(session)) {
    std::cerr << "a session has " << size_of_session() << " bytes there and " << sizeof(session) << " here\n";
    return 1;
  }

  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  session served{tcp::socket(context), asio::steady_timer(context)};
  int right = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        co_await acceptor.async_accept(served.socket, asio::use_awaitable);
        co_await echo(served);
      },
      asio::detached);
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        tcp::socket client(context);
        co_await client.async_connect(acceptor.local_endpoint(), asio::use_awaitable);
        for (int round = 0; round != 10; ++round) {
          char there[8] = "hello", back[8];
          there[6] = static_cast<char>(round);
          co_await asio::async_write(client, asio::buffer(there), asio::use_awaitable);
          co_await asio::async_read(client, asio::buffer(back), asio::use_awaitable);
          right += std::memcmp(there, back, sizeof(there)) == 0;
        }
      },
      asio::detached);
  context.run();

  if (right != 10 || served.echoed != 80) {
    std::cerr << right << " of 10 echoes came back, " << served.echoed << " bytes\n";
    return 1;
  }
  if (!has_io_uring()) {
    std::cerr << "not on io_uring\n";
    return 1;
  }
}
