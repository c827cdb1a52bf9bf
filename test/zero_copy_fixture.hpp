// test/zero_copy_fixture.hpp: connections whose peer takes nothing until it is asked to.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_ZERO_COPY_FIXTURE_HPP
#define ASIO_URING_TEST_ZERO_COPY_FIXTURE_HPP

#include "file_fixture.hpp"

namespace test {

using asio_uring::async_send_zero_copy;
using asio_uring::async_write_zero_copy;

/// Whether the context may send without a copy.
inline bool without_copy(asio::io_context& context)
{
  asio_uring::ring_descriptor(context);
  const auto b = asio_uring::backend(context);
  return b.features.zero_copy() && !environment_says("ASIO_URING_PATH", "readiness");
}

inline std::string random_text(std::size_t size, unsigned seed = 1)
{
  std::string text(size, '\0');
  std::mt19937 random(seed);
  for (char& c : text)
    c = static_cast<char>(random());
  return text;
}

struct context_with
{
  asio::io_context context;
  explicit context_with(const asio_uring::options& o) { asio_uring::use_io_uring(context, o); }
};

/// A connection whose server takes about 64 KiB; a few hundred thousand bytes more fit into the client's
/// kernel. The kernel has not copied what is not on its way to the server.
struct slow_connection : context_with
{
  tcp::socket client{context}, server{context};

  explicit slow_connection(const asio_uring::options& o = {.zero_copy_threshold = 1}) : context_with(o)
  {
    tcp::acceptor acceptor(context);
    acceptor.open(tcp::v4());
    acceptor.set_option(tcp::socket::receive_buffer_size(65536));
    acceptor.bind(loopback());
    acceptor.listen();
    client.open(tcp::v4());
    client.set_option(tcp::socket::send_buffer_size(1 << 20));
    client.connect(acceptor.local_endpoint());
    acceptor.accept(server);
    client.set_option(tcp::no_delay(true));
  }

  asio_uring::statistics_info counts() { return asio_uring::statistics(context); }

  /// Runs until the kernel has taken that many sends, or parts of them, and needs their memory.
  void run_until_sent(std::uint64_t sends = 1)
  {
    run_until(context, [&] { return counts().zero_copy >= sends; });
  }
};

/// A slow_connection with a send of 300 kB that is in the kernel, which still needs its memory.
struct held_send : slow_connection
{
  static constexpr std::size_t size = 300'000;
  std::string text = random_text(size);
  outcome sent;
  const bool held = without_copy(context); // otherwise the send has completed

  held_send()
  {
    async_send_zero_copy(client, asio::buffer(text), sent.record());
    if (held)
      run_until_sent();
    else
      finish(context);
    BOOST_TEST(sent.calls == (held ? 0 : 1));
  }
  void check_sent()
  {
    CHECK_SUCCEEDED(sent);
    BOOST_TEST(sent.bytes == size);
  }
};

} // namespace test

#endif // ASIO_URING_TEST_ZERO_COPY_FIXTURE_HPP
