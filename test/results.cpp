// results.cpp: results of operations on sockets and descriptors, and what is done next.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "fixture.hpp"

#include <atomic>
#include <fcntl.h>
#include <numeric>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>

using namespace test;
using datagram = asio::local::datagram_protocol;

namespace {

/// A stream of which one end reads: a socket, a pipe, a descriptor of a pipe.
template <class Protocol>
struct reading_socket : pair<Protocol>
{
  using pair<Protocol>::pair;
  auto& reader() { return this->server; }
  auto& writer() { return this->client; }
  static constexpr auto wait_read = asio::socket_base::wait_read;
};
struct reading_pipe
{
  asio::readable_pipe in;
  asio::writable_pipe out;
  explicit reading_pipe(asio::io_context& context) : in(context), out(context)
  {
    asio::connect_pipe(in, out);
  }
  auto& reader() { return in; }
  auto& writer() { return out; }
};
struct reading_descriptor
{
  static constexpr auto wait_read = asio::posix::descriptor_base::wait_read;
  asio::posix::stream_descriptor in, out;
  explicit reading_descriptor(asio::io_context& context) : in(context), out(context)
  {
    int ends[2];
    BOOST_REQUIRE_EQUAL(::pipe2(ends, O_CLOEXEC), 0);
    in.assign(ends[0]);
    out.assign(ends[1]);
  }
  auto& reader() { return in; }
  auto& writer() { return out; }
};
using waiters = std::tuple<reading_socket<tcp>, reading_socket<local>, reading_descriptor>;
using reading_ends = std::tuple<reading_socket<tcp>, reading_socket<local>, reading_pipe, reading_descriptor>;

/// When the bytes arrive for which a cancelled read of two bytes was started.
enum class arrival
{
  before, ///< it is started
  after   ///< that, and before it is cancelled
};

/// Reads a stream after a cancelled read: bytes that it took go to its handler, all others to the next
/// reader.
template <class Stream>
struct reader_after_cancel
{
  asio::io_context context;
  Stream stream{context};
  char bytes[2] = {};
  outcome read;

  void start() { stream.reader().async_read_some(asio::buffer(bytes), read.record()); }

  /// To be called when everything has ended, with what was read since.
  void check(const std::string& text, std::string next)
  {
    BOOST_TEST(read.calls == 1);
    const std::string left = text.substr(read.error ? 0 : read.bytes);
    if (next.size() < left.size()) next += read_text(stream.reader(), left.size() - next.size());
    BOOST_TEST(next == left);
  }
};

/// Calls f(stream, what it has read), once within a handler and once outside.
template <class Stream, class Function>
void after_a_cancelled_read(const std::string& text, arrival when, Function f)
{
  for (const bool in_handler : {true, false}) {
    reader_after_cancel<Stream> c;
    std::string next;
    if (when == arrival::after) {
      c.start();
      settle(c.context);
    }
    const auto body = [&] {
      write_text(c.stream.writer(), text);
      if (when == arrival::before) c.start();
      c.stream.reader().cancel();
      f(c.stream.reader(), next);
    };
    in_handler ? asio::post(c.context, body) : body();
    finish(c.context);
    c.check(text, next);
  }
}
template <class Stream, class Function>
void after_a_cancelled_read(Function f)
{
  after_a_cancelled_read<Stream>("abcdef", arrival::before, f);
  after_a_cancelled_read<Stream>("abcdef", arrival::after, f);
}

} // namespace

BOOST_AUTO_TEST_SUITE(results)

// --- a read that was cancelled, and what comes next

BOOST_AUTO_TEST_CASE_TEMPLATE(a_synchronous_read_after_a_cancelled_one_loses_no_byte, Stream, reading_ends)
{
  after_a_cancelled_read<Stream>([](auto& reader, std::string& next) { next = read_text(reader, 2); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_asynchronous_read_after_a_cancelled_one_loses_no_byte, Stream, reading_ends)
{
  after_a_cancelled_read<Stream>([](auto& reader, std::string& next) {
    next.resize(2);
    reader.async_read_some(asio::buffer(next), [&](error_code ec, std::size_t n) {
      BOOST_TEST(!ec);
      next.resize(n);
    });
  });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_scattered_read_after_a_cancelled_one_loses_no_byte, Stream, reading_ends)
{
  after_a_cancelled_read<Stream>([](auto& reader, std::string& next) {
    next.resize(3);
    const std::array<asio::mutable_buffer, 2> two{asio::buffer(&next[0], 1), asio::buffer(&next[1], 2)};
    next.resize(reader.read_some(two));
  });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(available_counts_what_a_cancelled_read_has_left, Protocol, stream_protocols)
{
  after_a_cancelled_read<reading_socket<Protocol>>([](auto& reader, std::string& next) {
    reader.read_some(asio::mutable_buffer()); // waits for what was cancelled before
    const std::size_t available = reader.available();
    BOOST_TEST(available >= 4u);
    asio::socket_base::bytes_readable readable;
    reader.io_control(readable);
    BOOST_TEST(readable.get() == available);
    next = read_text(reader, available);
    BOOST_TEST(reader.available() == 0u);
  });
}

BOOST_AUTO_TEST_CASE(bytes_readable_counts_what_a_cancelled_read_of_a_descriptor_has_left)
{
  after_a_cancelled_read<reading_descriptor>([](auto& reader, std::string& next) {
    reader.read_some(asio::mutable_buffer()); // waits for what was cancelled before
    asio::posix::descriptor_base::bytes_readable readable;
    reader.io_control(readable);
    BOOST_TEST(readable.get() >= 4u);
    next = read_text(reader, readable.get());
    reader.io_control(readable);
    BOOST_TEST(readable.get() == 0u);
  });
}

// There is nothing else that could end the wait. Stock Asio reads at once what is there.
constexpr arrival of_both_bytes = on_uring ? arrival::before : arrival::after;

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wait_sees_what_a_cancelled_read_has_left, Stream, waiters)
{
  after_a_cancelled_read<Stream>("ab", of_both_bytes,
                                 [](auto& reader, std::string&) { reader.wait(Stream::wait_read); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_asynchronous_wait_sees_what_a_cancelled_read_has_left, Stream, waiters)
{
  outcome ready;
  after_a_cancelled_read<Stream>("ab", of_both_bytes, [&](auto& reader, std::string&) {
    ready = {};
    reader.async_wait(Stream::wait_read, ready.record());
  });
  CHECK_SUCCEEDED(ready);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_thread_beside_the_loop_reads_what_a_cancelled_read_has_left, Stream,
                              reading_ends)
{
  asio::io_context context;
  Stream stream(context);
  auto work = asio::make_work_guard(context);
  std::thread loop([&] { context.run(); });
  for (int i = 0; i < rounds(300); ++i) {
    char bytes[2];
    outcome read;
    std::atomic<bool> done{false};
    write_text(stream.writer(), "abcdef");
    stream.reader().async_read_some(asio::buffer(bytes), [&](error_code ec, std::size_t n) {
      read.record()(ec, n);
      done = true;
    });
    if (i % 2) std::this_thread::yield();
    stream.reader().cancel();
    std::string next = read_text(stream.reader(), 2);
    while (!done)
      std::this_thread::yield();
    const std::string left = std::string("abcdef").substr(read.error ? 0 : read.bytes);
    next += read_text(stream.reader(), left.size() - next.size());
    BOOST_TEST(next == left);
  }
  work.reset();
  loop.join();
}

// --- a write that was cancelled

// Data that the cancelled write wrote nevertheless comes first.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_synchronous_write_comes_after_what_a_cancelled_one_has_written, Stream,
                              reading_ends)
{
  for (const bool room : {true, false}) {
    asio::io_context context;
    Stream stream(context);
    auto& writer = stream.writer();
    const int fd = writer.native_handle();
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    const std::string block(4096, '-');
    std::size_t filled = 0;
    for (ssize_t n; !room && (n = ::write(fd, block.data(), block.size())) > 0;)
      filled += static_cast<std::size_t>(n);
    outcome first;
    asio::post(context, [&] {
      writer.async_write_some(asio::buffer("first", 5), first.record());
      if (!room) read_text(stream.reader(), filled);
      writer.cancel();
      BOOST_TEST(writer.write_some(asio::buffer("second", 6)) == 6u);
    });
    finish(context);
    BOOST_TEST(first.calls == 1);
    const std::string before = std::string("first").substr(0, first.bytes);
    BOOST_TEST(read_text(stream.reader(), before.size() + 6) == before + "second");
  }
}

// --- datagrams

/// A receiver with a name and a short queue, and a sender.
struct full_receiver
{
  asio::io_context context;
  socket_path path;
  datagram::socket receiver{context, datagram::endpoint(path.name)}, sender{context, datagram()};
  static constexpr int total = 100;
  std::vector<std::array<int, 2>> sent = std::vector<std::array<int, 2>>(total);
  int ended = 0;

  /// Starts all sends, one after the other, by send(buffers, handler).
  template <class Buffers, class Send>
  void send_all(Buffers buffers, Send send)
  {
    for (int i = 0; i < total; ++i) {
      sent[i] = {i, ~i};
      send(buffers(sent[i]), [&](error_code ec, std::size_t n) {
        BOOST_TEST(!ec);
        BOOST_TEST(n == sizeof(sent[0]));
        ++ended;
      });
    }
    settle(context);
    BOOST_TEST(ended < total); // the queue was full
    int arrived = 0;
    run_until(context, [&] {
      std::array<int, 3> message;
      for (ssize_t n; (n = ::recv(receiver.native_handle(), &message, sizeof(message), MSG_DONTWAIT)) >= 0;
           ++arrived) {
        BOOST_TEST(n == sizeof(sent[0]));
        BOOST_TEST(message[0] == arrived);
        BOOST_TEST(message[1] == ~arrived);
      }
      return arrived == total && ended == total;
    });
  }
};

const auto in_one = [](std::array<int, 2>& m) { return asio::buffer(m); };
const auto in_two = [](std::array<int, 2>& m) {
  return std::array<asio::const_buffer, 2>{asio::buffer(&m[0], sizeof(int)),
                                           asio::buffer(&m[1], sizeof(int))};
};

BOOST_FIXTURE_TEST_CASE(datagrams_to_a_full_receiver_arrive_once_and_whole, full_receiver)
{
  sender.connect(datagram::endpoint(path.name));
  send_all(in_one, [&](auto buffers, auto handler) { sender.async_send(buffers, handler); });
}

BOOST_FIXTURE_TEST_CASE(datagrams_of_two_buffers_to_a_full_receiver_arrive_once_and_whole, full_receiver)
{
  sender.connect(datagram::endpoint(path.name));
  send_all(in_two, [&](auto buffers, auto handler) { sender.async_send(buffers, handler); });
}

BOOST_FIXTURE_TEST_CASE(datagrams_of_a_generic_socket_to_a_full_receiver_arrive_once_and_whole, full_receiver)
{
  using generic_datagram = asio::generic::datagram_protocol;
  generic_datagram::socket other(context, generic_datagram(AF_UNIX, 0));
  other.connect(datagram::endpoint(path.name));
  send_all(in_one, [&](auto buffers, auto handler) { other.async_send(buffers, handler); });
}

BOOST_FIXTURE_TEST_CASE(datagrams_of_a_descriptor_to_a_full_receiver_arrive_once_and_whole, full_receiver)
{
  sender.connect(datagram::endpoint(path.name));
  asio::posix::stream_descriptor other(context, sender.release());
  send_all(in_two, [&](auto buffers, auto handler) { other.async_write_some(buffers, handler); });
}

BOOST_AUTO_TEST_SUITE_END()
