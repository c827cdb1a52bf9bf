// test/whole_program/exercise.hpp: code that a program and a shared library both run with Boost.Asio, each
// with its own kind of sockets; the templates that they instantiate have the same names in both.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_WHOLE_PROGRAM_EXERCISE_HPP
#define ASIO_URING_TEST_WHOLE_PROGRAM_EXERCISE_HPP

#include <boost/asio.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <array>
#include <string>
#include <string_view>

struct library_report
{
  std::size_t size_of_socket;
  char failures[256]; // empty if all went right
};

/// A function of the library: uses a boost::asio::io_context, or one of its own if that is null.
extern "C" library_report exercise_in_library(void* context);

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using asio::local::stream_protocol;
using boost::system::error_code;

/// Collects failures.
class exercise
{
public:
  explicit exercise(asio::io_context& context) : context_(context) {}

  std::string run()
  {
    co_spawn(context_, coroutine(), asio::detached);
    callbacks();
    datagrams();
    local_sockets();
    pipes();
    timers();
    context_.restart();
    context_.run();
    iostream();
    return failures_;
  }

private:
  template <typename Stream>
  asio::awaitable<std::string> echo(Stream& stream, std::string text)
  {
    co_await async_write(stream, asio::buffer(text), asio::use_awaitable);
    std::string back(text.size(), 0);
    co_await async_read(stream, asio::buffer(back), asio::use_awaitable);
    co_return back;
  }

  asio::awaitable<void> serve(tcp::acceptor& acceptor)
  {
    char data[64];
    for (int connection = 0; connection != 2; ++connection) {
      tcp::socket peer = co_await acceptor.async_accept(asio::use_awaitable);
      const std::size_t n = co_await peer.async_read_some(asio::buffer(data), asio::use_awaitable);
      co_await async_write(peer, asio::buffer(data, n), asio::use_awaitable);
    }
  }

  asio::awaitable<void> coroutine()
  {
    tcp::acceptor acceptor(context_, loopback());
    co_spawn(context_, serve(acceptor), asio::detached);
    const std::array<tcp::endpoint, 1> there{acceptor.local_endpoint()};

    tcp::socket socket(context_);
    co_await async_connect(socket, there, asio::use_awaitable);
    expect("coroutine", co_await echo(socket, "by coroutine") == "by coroutine");

    boost::beast::tcp_stream stream(context_.get_executor());
    stream.expires_after(std::chrono::minutes(1));
    co_await stream.async_connect(there, asio::use_awaitable);
    expect("beast", co_await echo(stream, "by Beast") == "by Beast");
  }

  void callbacks()
  {
    using executor = asio::io_context::executor_type;
    struct session
    {
      explicit session(asio::io_context& context)
          : acceptor(context, loopback()), here(context), there(context)
      {}
      asio::basic_socket_acceptor<tcp, executor> acceptor;
      asio::basic_stream_socket<tcp, executor> here, there;
      std::array<tcp::endpoint, 1> endpoints{acceptor.local_endpoint()};
      std::array<char, 4> data{};
    };
    auto s = std::make_shared<session>(context_);
    s->acceptor.async_accept(
        s->there, [s](error_code) { async_write(s->there, asio::buffer("1234", 4), asio::detached); });
    async_connect(s->here, s->endpoints, [this, s](error_code, const tcp::endpoint&) {
      async_read(s->here, asio::buffer(s->data), [this, s](error_code ec, std::size_t) {
        expect("callbacks", !ec && std::string_view(s->data.data(), 4) == "1234");
      });
    });
  }

  void datagrams()
  {
    auto socket = std::make_shared<udp::socket>(context_, udp::endpoint(asio::ip::address_v4::loopback(), 0));
    auto data = std::make_shared<std::array<char, 4>>();
    socket->async_receive(asio::buffer(*data), [this, socket, data](error_code ec, std::size_t n) {
      expect("datagram", !ec && n == 3);
    });
    socket->async_send_to(asio::buffer("abc", 3), socket->local_endpoint(), asio::detached);
  }

  void local_sockets()
  {
    auto a = std::make_shared<stream_protocol::socket>(context_),
         b = std::make_shared<stream_protocol::socket>(context_);
    asio::local::connect_pair(*a, *b);
    auto data = std::make_shared<std::string>();
    async_read_until(*a, asio::dynamic_buffer(*data), '\n', [this, a, b, data](error_code ec, std::size_t) {
      expect("local", !ec);
      a->async_wait(stream_protocol::socket::wait_read, [this, a, b](error_code cancelled) {
        expect("cancelled", cancelled == asio::error::operation_aborted);
      });
      a->cancel();
    });
    async_write(*b, asio::buffer("line\n", 5), asio::detached);
  }

  void pipes()
  {
    auto reader = std::make_shared<asio::readable_pipe>(context_);
    auto writer = std::make_shared<asio::writable_pipe>(context_);
    connect_pipe(*reader, *writer);
    auto data = std::make_shared<std::array<char, 4>>();
    reader->async_read_some(asio::buffer(*data), [this, reader, data](error_code ec, std::size_t n) {
      expect("pipe", !ec && n == 2);
      asio::posix::stream_descriptor d(context_, ::dup(0));
      d.non_blocking();
    });
    writer->async_write_some(asio::buffer("12", 2), [writer](error_code, std::size_t) {});
  }

  void timers()
  {
    auto any = std::make_shared<asio::steady_timer>(context_, std::chrono::milliseconds(1));
    any->async_wait([this, any](error_code ec) { expect("timer", !ec); });
    using wait_traits = asio::wait_traits<std::chrono::system_clock>;
    using timer =
        asio::basic_waitable_timer<std::chrono::system_clock, wait_traits, asio::io_context::executor_type>;
    auto other = std::make_shared<timer>(context_, std::chrono::minutes(1));
    other->async_wait(
        [this, other](error_code ec) { expect("cancelled timer", ec == asio::error::operation_aborted); });
    other->cancel();
  }

  void iostream()
  {
    tcp::acceptor acceptor(context_, loopback());
    tcp::iostream stream(acceptor.local_endpoint());
    tcp::iostream peer(acceptor.accept());
    stream << "word " << std::flush;
    std::string word;
    peer >> word;
    expect("iostream", word == "word");
  }

  static tcp::endpoint loopback() { return {asio::ip::address_v4::loopback(), 0}; }
  void expect(std::string_view what, bool right)
  {
    if (!right) failures_.append(what).append("; ");
  }

  asio::io_context& context_;
  std::string failures_;
};

} // namespace

#endif
