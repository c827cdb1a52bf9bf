// test/properties/stream.hpp: what both sides of a connection know.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_STREAM_HPP
#define ASIO_URING_TEST_PROPERTIES_STREAM_HPP

#include "operation.hpp"
#include <algorithm>
#include <asio_uring/receive_stream.hpp>
#include <optional>

/// Reads are served in the order in which they were started.
inline bool is_read(kind k) { return k == kind::read || k == kind::next || k == kind::peek; }

/// One direction of a connection: what was sent and what was received.
struct stream
{
  std::vector<unsigned char> sent, received;
  std::size_t compared = 0;
  bool unknown = false; // a write was destroyed with the context, so how much it sent is unknown
  bool ended = false;   // the reader has seen the end

  /// Whether what was received is what was sent.
  bool consistent()
  {
    for (const std::size_t n = std::min(sent.size(), received.size()); compared < n; ++compared)
      if (sent[compared] != received[compared]) return false;
    return true;
  }
};

/// One end of a connection: a socket of the library, or another process's.
struct stream_end
{
  std::shared_ptr<socket_type> socket;
  std::optional<asio_uring::receive_stream<asio::local::stream_protocol, asio_uring::any_io_executor>> ahead;
  std::set<std::shared_ptr<asio_uring::detail::buffer_group>> buffers; // of all streams that it has had
  int number = -1; // while open; asking the socket for it would make it non-blocking
  int raw = -1;
  bool raw_shut = false;
  bool slow = false; // the other process reads only when nothing else goes on
  bool shut = false; // for sending
  bool on_strand = false;
  stream* in = nullptr;
  stream* out = nullptr;
  stream_end* peer = nullptr;
  operations ops;
  unsigned reads = 0, writes = 0;

  bool open() const { return socket && socket->is_open(); }
  /// Whether a synchronous read comes after all reads: there are none, or all were asked to end.
  bool reads_are_over() const
  {
    return std::all_of(ops.begin(), ops.end(),
                       [](const operation* o) { return !is_read(o->what) || (o->asked && !o->asked_alone); });
  }
};

/// Whether one of its operations may wait for a buffer that others hold.
inline bool starves(const stream_end& e)
{
  return std::any_of(e.buffers.begin(), e.buffers.end(), [](const auto& b) { return b->free() == 0; }) &&
         std::any_of(e.ops.begin(), e.ops.end(), [](const operation* o) { return o->what == kind::next; });
}

struct connection
{
  stream streams[2];
  stream_end ends[2];
};

#endif // ASIO_URING_TEST_PROPERTIES_STREAM_HPP
