// test/whole_program/tracked.cpp: operations whose handler tracking is compared with stock Asio's.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <boost/asio.hpp>

#include <array>

namespace asio = boost::asio;
using asio::ip::tcp;

#define HERE(name) BOOST_ASIO_HANDLER_LOCATION((__FILE__, __LINE__, name))

int main()
{
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context), server(context);
  char data[4];

  HERE("main");
  acceptor.async_accept(server, [&](auto) {
    HERE("accepted");
    server.async_read_some(asio::buffer(data), [](auto, auto) {});
    server.async_wait(tcp::socket::wait_write, [](auto) {});
  });
  client.async_connect(acceptor.local_endpoint(), [&](auto) {
    HERE("connected");
    client.async_write_some(asio::buffer("abc", 3), [](auto, auto) {});
  });
  context.run();
  context.restart();

  const std::array<asio::const_buffer, 2> two{asio::buffer("abc", 3), asio::buffer("d", 1)};
  client.async_send(two, [](auto, auto) {});
  server.async_receive(asio::buffer(data, 2),
                       asio::bind_executor(asio::make_strand(context), [](auto, auto) {}));
  context.run();
}
