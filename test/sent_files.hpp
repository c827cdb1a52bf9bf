// test/sent_files.hpp: files whose bytes can be checked, and transfers of them.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SENT_FILES_HPP
#define ASIO_URING_TEST_SENT_FILES_HPP

#include "file_fixture.hpp"

#include <asio_uring/send_file.hpp>
#include <functional>
#include <sys/ioctl.h>

namespace test {

using asio::random_access_file;
using asio_uring::async_send_file;

inline constexpr std::size_t mebibyte = 1 << 20;
inline const pattern bytes;

/// The outcome of a transfer.
struct ending : outcome
{
  auto record()
  {
    return [inner = outcome::record()](error_code ec, std::uint64_t sent) {
      inner(ec, static_cast<std::size_t>(sent));
    };
  }
};

/// A file with the bytes of the pattern, at the same offsets.
struct file_of_pattern : random_access_file
{
  file_of_pattern(scratch_context& home, std::size_t size, const std::string& name = "file")
      : random_access_file(home.context, home.path(name), read_write | create | truncate)
  {
    grow_to(size);
  }
  void grow_to(std::size_t size)
  {
    for (std::size_t at = this->size(); at < size;) {
      const auto part = bytes.at(at, size - at);
      asio::write_at(*this, at, part);
      at += part.size();
    }
  }
};

/// Reads a socket to its end, a piece at a time.
template <class Socket>
class reader
{
public:
  explicit reader(Socket& socket, std::size_t piece = 1 << 16) : socket_(socket), piece_(piece, '\0')
  {
    read();
  }
  bool has_pattern(std::size_t offset, std::size_t size) const
  {
    return text.size() == size && bytes.matches(offset, text.data(), size);
  }

  std::string text;
  error_code end;

private:
  void read()
  {
    socket_.async_read_some(asio::buffer(piece_), [this](error_code ec, std::size_t n) {
      text.append(piece_, 0, n);
      if ((end = ec)) return;
      read();
    });
  }

  Socket& socket_;
  std::string piece_;
};

/// A sender and its peer, with buffers in between that hold only a few times `room` bytes.
template <class Protocol = tcp>
struct narrow_pair : pair<Protocol>
{
  explicit narrow_pair(asio::io_context& context, int room = 1 << 16) : pair<Protocol>(context)
  {
    this->client.set_option(asio::socket_base::send_buffer_size(room));
    this->server.set_option(asio::socket_base::receive_buffer_size(room));
  }
};

/// A transfer that waits for its peer.
template <class Protocol = tcp>
struct waiting_transfer
{
  const std::size_t size;

  explicit waiting_transfer(scratch_context& home, std::size_t size = 4 * mebibyte, int room = 1 << 16)
      : size(size), context(home.context), file(home, size), sockets(context, room)
  {}
  template <class Wrap = std::identity>
  void start(Wrap wrap = {})
  {
    async_send_file(sockets.client, file, 0, size, wrap(e.record()));
    until_it_waits();
  }
  /// Runs until the socket is full after some of the file was sent, so that nothing changes any more.
  void until_it_waits()
  {
    for (int before = -1, now = 0; before != now || now == 0;) {
      before = now;
      context.restart();
      context.run_for(20ms);
      BOOST_REQUIRE(!e.done());
      BOOST_REQUIRE(::ioctl(sockets.client.native_handle(), TIOCOUTQ, &now) == 0);
    }
  }
  /// Ends the connection; returns all that has arrived.
  std::string arrived()
  {
    error_code ignored;
    sockets.client.close(ignored);
    reader r(sockets.server);
    finish(context);
    return r.text;
  }
  /// Checks that the count is what the peer received: some of the file, not all.
  void check_count()
  {
    const std::string text = arrived();
    BOOST_TEST(e.calls == 1);
    BOOST_TEST(e.bytes == text.size());
    BOOST_TEST(e.bytes > 0);
    BOOST_TEST(e.bytes < size);
    BOOST_TEST(bytes.matches(0, text.data(), text.size()));
  }

  asio::io_context& context;
  file_of_pattern file;
  narrow_pair<Protocol> sockets;
  ending e;
};

/// Sends a part of a file, and checks what arrives.
template <class Protocol>
struct sent_part
{
  explicit sent_part(asio::io_context& context) : context(context), sockets(context), read(sockets.server) {}
  template <class File>
  void send(File& file, std::uint64_t offset, std::optional<std::uint64_t> length)
  {
    async_send_file(sockets.client, file, offset, length, [&](error_code ec, std::uint64_t n) {
      e.record()(ec, n);
      sockets.client.shutdown(asio::socket_base::shutdown_send);
    });
    finish(context);
    BOOST_TEST(read.end == asio::error::eof);
    BOOST_TEST(read.has_pattern(offset, e.bytes));
  }

  asio::io_context& context;
  pair<Protocol> sockets;
  reader<typename Protocol::socket> read;
  ending e;
};

} // namespace test

#endif // ASIO_URING_TEST_SENT_FILES_HPP
