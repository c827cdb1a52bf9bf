// test/packages/echo.cpp: a user's program, built from a package: one echo.
//
// PACKAGE_VERSION     the version that the package states
// WANTS_AS_DEFAULT    the package's flags must include as_default.hpp
// WANTS_COMPILED      the package's flags must define ASIO_URING_SEPARATE_COMPILATION
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <asio_uring/backend.hpp>
#include <asio_uring/ip/tcp.hpp>
#include <asio_uring/version.hpp>

#include <array>
#include <cstddef>
#include <iostream>
#include <string_view>

#if defined(WANTS_AS_DEFAULT) != defined(ASIO_URING_AS_DEFAULT)
#error "as_default.hpp: wanted but not included, or included but not wanted"
#endif
#if defined(WANTS_COMPILED) != defined(ASIO_URING_SEPARATE_COMPILATION)
#error "ASIO_URING_SEPARATE_COMPILATION: wanted but not defined, or defined but not wanted"
#endif

namespace asio = boost::asio;
#if defined(WANTS_AS_DEFAULT)
using tcp = asio::ip::tcp;
#else
using tcp = asio_uring::ip::tcp;
#endif

int main()
{
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(context), server(context);
  std::array<char, 6> sent = {"hello"}, echoed = {}, received = {};

  acceptor.async_accept(server, [&](boost::system::error_code) {
    asio::async_read(server, asio::buffer(echoed), [&](boost::system::error_code, std::size_t) {
      asio::async_write(server, asio::buffer(echoed), [](boost::system::error_code, std::size_t) {});
    });
  });
  client.connect(acceptor.local_endpoint());
  asio::write(client, asio::buffer(sent));
  asio::async_read(client, asio::buffer(received), [](boost::system::error_code, std::size_t) {});
  context.run();

  const auto backend = asio_uring::backend(context);
  std::cout << "asio_uring " << ASIO_URING_VERSION_STRING << ": " << backend << '\n';
  if (received != sent) {
    std::cerr << "no echo came back\n";
    return 1;
  }
  if (backend.entries == 0) {
    std::cerr << "the sockets are stock ones\n";
    return 1;
  }
  if (std::string_view(PACKAGE_VERSION) != ASIO_URING_VERSION_STRING) {
    std::cerr << "the package calls itself " << PACKAGE_VERSION << ", its headers "
              << ASIO_URING_VERSION_STRING << '\n';
    return 1;
  }
}
