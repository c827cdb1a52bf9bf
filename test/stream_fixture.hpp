// test/stream_fixture.hpp: a connection whose server has a receive_stream.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_STREAM_FIXTURE_HPP
#define ASIO_URING_TEST_STREAM_FIXTURE_HPP

#include "file_fixture.hpp"
#include <asio_uring/receive_stream.hpp>

namespace test {

using asio_uring::buffer_ring;
using asio_uring::received_buffer;

struct next_bytes
{
  outcome ended;
  received_buffer data;
  auto record()
  {
    return [this](error_code ec, received_buffer b) {
      ended.record()(ec, b.size());
      data = std::move(b);
    };
  }
};

/// A connection whose server has a stream with few buffers.
struct streaming : connection<>
{
  buffer_ring buffers{context, {.buffers = 4, .size = 64}};
  asio_uring::receive_stream<tcp> received{server, buffers};

  std::string next_text()
  {
    next_bytes next;
    received.async_next(next.record());
    run_until(context, [&] { return next.ended.done(); });
    return next.ended.error ? next.ended.error.message() : std::string(next.data.text());
  }
  /// Runs the loop until nothing more happens, though there may be no work.
  void turn()
  {
    const auto work = asio::make_work_guard(context);
    for (int turns = 0; turns < 10; ++turns)
      settle(context);
  }
};

} // namespace test

#endif
