// test/crowded_receiver.hpp: a socket for which more datagrams wait than it has asked for.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_CROWDED_RECEIVER_HPP
#define ASIO_URING_TEST_CROWDED_RECEIVER_HPP

#include "fixture.hpp"

#ifndef ASIO_URING_TEST_STOCK
#include <asio_uring/backend.hpp>
#include <asio_uring/statistics.hpp>
#endif

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace test {

using udp = asio::ip::udp;

#ifdef ASIO_URING_TEST_STOCK
struct options
{};
#else
using asio_uring::options;
#endif

/// Whether one call receives several datagrams in this configuration.
inline bool reads_ahead() { return on_uring && !environment_says("ASIO_URING_PATH", "completion"); }

/// A receiver with a name, and two senders, which send to it without Asio as fast as it has room.
template <class Protocol>
struct crowded_receiver
{
  using endpoint = typename Protocol::endpoint;

  asio::io_context context;
  const bool set_up;
  std::optional<socket_path> paths[3];
  typename Protocol::socket receiver{context, name(0)};
  endpoint where = receiver.local_endpoint();
  typename Protocol::socket senders[2] = {{context, name(1)}, {context, name(2)}};
  std::vector<std::string> messages;
  std::size_t sent = 0, received = 0;
  std::string data = std::string(70'000, '\0');
  endpoint sender;

  explicit crowded_receiver(std::size_t count = 100, std::size_t size = 30)
      : crowded_receiver(count, size, {})
  {}
  crowded_receiver(std::size_t count, std::size_t size, const options& o) : set_up(use(context, o))
  {
    for (std::size_t i = 0; i < count; ++i)
      messages.push_back(message(i, size));
    for (auto& s : senders)
      s.non_blocking(true);
    feed();
  }

  static bool use([[maybe_unused]] asio::io_context& context, [[maybe_unused]] const options& o)
  {
#ifndef ASIO_URING_TEST_STOCK
    asio_uring::use_io_uring(context, o);
#endif
    return true;
  }
  static std::string message(std::size_t i, std::size_t size)
  {
    std::string text = std::to_string(i) + ' ';
    text.resize(std::max(text.size(), size), static_cast<char>('a' + i % 26));
    return text;
  }
  endpoint name([[maybe_unused]] int i)
  {
    if constexpr (std::is_same_v<Protocol, udp>)
      return {asio::ip::address_v4::loopback(), 0};
    else
      return paths[i].emplace().name;
  }
  /// Sends as many messages as there is room for, in turn from both senders.
  void feed()
  {
    error_code full;
    for (; !full && sent < messages.size() && sent < received + 40; sent += !full)
      senders[sent % 2].send_to(asio::buffer(messages[sent]), where, 0, full);
  }
  endpoint sender_of(std::size_t i) { return senders[i % 2].local_endpoint(); }

  /// Checks that the data received is the next message.
  void check(std::size_t size, std::size_t room = 70'000)
  {
    BOOST_REQUIRE(received < messages.size());
    const std::string expected = messages[received].substr(0, room);
    BOOST_TEST(std::string_view(data.data(), size) == expected);
    ++received;
    feed();
  }
  void check_from(std::size_t size, std::size_t room = 70'000)
  {
    BOOST_TEST(sender == sender_of(received));
    check(size, room);
  }

  /// Receives `count` messages, each after the one before.
  void receive(std::size_t count)
  {
    if (count == 0) return;
    receiver.async_receive_from(asio::buffer(data), sender, [this, count](error_code ec, std::size_t size) {
      BOOST_REQUIRE(!ec);
      check_from(size);
      receive(count - 1);
    });
  }
  void receive_some(std::size_t count)
  {
    receive(count);
    finish(context);
  }
  /// Receives until some are likely to have been received ahead.
  void warm_up()
  {
    receive_some(12);
    check_ahead();
  }
  void check_ahead()
  {
#ifndef ASIO_URING_TEST_STOCK
    BOOST_TEST((asio_uring::statistics(context).read_ahead > 0) == reads_ahead());
#endif
  }
  /// Receives all that is left.
  void receive_rest()
  {
    receive_some(messages.size() - received);
    error_code ec;
    BOOST_TEST(receiver.available() == 0);
  }
};

} // namespace test

#endif // ASIO_URING_TEST_CROWDED_RECEIVER_HPP
