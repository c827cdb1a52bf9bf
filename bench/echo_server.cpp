// An ordinary Boost.Asio echo server, written like its tutorial's, with callbacks or coroutines. It can close
// a connection after one message, give a deadline to each read, or to each read and each write, and serve
// datagrams one by one or in batches. With --stream it receives by a receive_stream, and sends the received
// buffers on. With stock Asio, which has no batches and streams, it works without them.
#include "server.hpp"
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>
#ifdef ASIO_URING_AS_DEFAULT
#include <asio_uring/accept_stream.hpp>
#include <asio_uring/datagram_batches.hpp>
#include <asio_uring/datagram_stream.hpp>
#include <asio_uring/receive_stream.hpp>
#include <asio_uring/within.hpp>
#endif

namespace asio = boost::asio;
using boost::system::error_code;

struct manner
{
  bool once, deadline, within, stream;
};

constexpr std::chrono::seconds limit(30);

template <class Socket>
class session : public std::enable_shared_from_this<session<Socket>>
{
public:
  session(Socket socket, manner how) : socket_(std::move(socket)), how_(how)
  {
#ifndef ASIO_URING_AS_DEFAULT
    how_.deadline |= how_.within;
#endif
    if (how_.deadline) deadline_.emplace(socket_.get_executor());
  }

  void read()
  {
    if (deadline_) watch();
    auto handler = [self = this->shared_from_this()](error_code failed, std::size_t size) {
      if (!failed)
        self->write(size);
      else if (self->deadline_)
        self->deadline_->cancel();
    };
#ifdef ASIO_URING_AS_DEFAULT
    if (how_.within)
      return socket_.async_read_some(asio::buffer(data_), asio_uring::within(limit, std::move(handler)));
#endif
    socket_.async_read_some(asio::buffer(data_), std::move(handler));
  }

private:
  // This also cancels the timer of the read before.
  void watch()
  {
    deadline_->expires_after(limit);
    deadline_->async_wait([self = this->shared_from_this()](error_code cancelled) {
      if (!cancelled) self->socket_.close();
    });
  }

  void write(std::size_t size)
  {
    if (deadline_ && how_.within) watch();
    auto handler = [self = this->shared_from_this()](error_code failed, std::size_t) {
      if (!failed && !self->how_.once) self->read();
    };
#ifdef ASIO_URING_AS_DEFAULT
    if (how_.within)
      return asio::async_write(socket_, asio::buffer(data_, size),
                               asio_uring::within(limit, std::move(handler)));
#endif
    asio::async_write(socket_, asio::buffer(data_, size), std::move(handler));
  }

  Socket socket_;
  std::optional<asio::steady_timer> deadline_;
  manner how_;
  std::array<char, 8192> data_;
};

#ifdef ASIO_URING_AS_DEFAULT
std::optional<asio_uring::buffer_ring> buffers;

template <class Protocol>
class stream_session : public std::enable_shared_from_this<stream_session<Protocol>>
{
public:
  explicit stream_session(typename Protocol::socket socket) : socket_(std::move(socket)) {}

  void read()
  {
    received_.async_next(
        [self = this->shared_from_this()](error_code failed, asio_uring::received_buffer data) {
          if (!failed) self->write(std::move(data));
        });
  }

private:
  void write(asio_uring::received_buffer data)
  {
    data_ = std::move(data);
    asio::async_write(socket_, asio::buffer(data_),
                      [self = this->shared_from_this()](error_code failed, std::size_t) {
                        self->data_.release();
                        if (!failed) self->read();
                      });
  }

  typename Protocol::socket socket_;
  asio_uring::receive_stream<Protocol> received_{socket_, *buffers};
  asio_uring::received_buffer data_;
};
#endif

#ifdef ASIO_URING_AS_DEFAULT
template <class Acceptor>
void accept(asio_uring::accept_stream<typename Acceptor::protocol_type>& connections)
{
  connections.async_next([&connections](error_code failed, auto socket) {
    if (!failed) {
      bench::set_no_delay(socket);
      std::make_shared<stream_session<typename Acceptor::protocol_type>>(std::move(socket))->read();
    }
    accept<Acceptor>(connections);
  });
}
#endif

template <class Acceptor>
void accept(Acceptor& acceptor, manner how)
{
#ifdef ASIO_URING_AS_DEFAULT
  if (how.stream) {
    static asio_uring::accept_stream connections(acceptor); // there is only one acceptor
    buffers.emplace(acceptor, asio_uring::buffer_ring_options{.buffers = 1024, .max_buffers = 8192});
    return accept<Acceptor>(connections);
  }
#endif
  acceptor.async_accept([&acceptor, how](error_code failed, auto socket) {
    if (!failed) {
      bench::set_no_delay(socket);
      std::make_shared<session<decltype(socket)>>(std::move(socket), how)->read();
    }
    accept(acceptor, how);
  });
}

template <class Socket>
asio::awaitable<void> echo(Socket socket)
{
  try {
    std::array<char, 8192> data;
    for (;;) {
      auto const size = co_await socket.async_read_some(asio::buffer(data), asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer(data, size), asio::use_awaitable);
    }
  } catch (boost::system::system_error const&) { // the peer has closed the connection
  }
}

template <class Acceptor>
asio::awaitable<void> listen(Acceptor& acceptor)
{
  for (;;) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    bench::set_no_delay(socket);
    asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

class datagrams
{
public:
  explicit datagrams(asio::ip::udp::socket socket) : socket_(std::move(socket)) { receive(); }

private:
  void receive()
  {
    socket_.async_receive_from(asio::buffer(data_), peer_, [this](error_code failed, std::size_t size) {
      failed ? receive() : send(size);
    });
  }
  void send(std::size_t size)
  {
    socket_.async_send_to(asio::buffer(data_, size), peer_, [this](error_code, std::size_t) { receive(); });
  }

  asio::ip::udp::socket socket_;
  asio::ip::udp::endpoint peer_;
  std::array<char, 8192> data_;
};

#ifdef ASIO_URING_AS_DEFAULT
// Sends all, skipping datagrams that cannot be sent.
template <class Then>
void send_all(asio::ip::udp::socket& socket, asio_uring::send_batch<asio::ip::udp>& replies, Then then)
{
  asio_uring::async_send_many(socket, replies, [&, then](error_code failed, std::size_t sent) {
    if (!failed) return then();
    replies.consume(sent + 1);
    send_all(socket, replies, then);
  });
}

class datagram_batches
{
public:
  explicit datagram_batches(asio::ip::udp::socket socket) : socket_(std::move(socket)) { receive(); }

private:
  void receive()
  {
    asio_uring::async_receive_many(socket_, received_,
                                   [this](error_code failed, std::size_t) { failed ? receive() : reply(); });
  }
  void reply()
  {
    replies_.clear();
    for (auto& datagram : received_)
      replies_.push_back(datagram.data(), datagram.sender());
    send_all(socket_, replies_, [this] { receive(); });
  }

  asio::ip::udp::socket socket_;
  asio_uring::receive_batch<asio::ip::udp> received_{64, 8192};
  asio_uring::send_batch<asio::ip::udp> replies_{64};
};

class datagram_stream
{
public:
  explicit datagram_stream(asio::ip::udp::socket socket) : socket_(std::move(socket)) { receive(); }

private:
  using datagram = asio_uring::received_datagram<asio::ip::udp>;

  void receive()
  {
    received_.async_next([this](error_code failed, datagram first) {
      if (failed) return receive();
      for (std::optional next = std::move(first); next; next = more())
        reply(std::move(*next));
      send_all(socket_, replies_, [this] {
        replies_.clear();
        datagrams_.clear();
        receive();
      });
    });
  }
  std::optional<datagram> more() { return datagrams_.size() < 64 ? received_.try_next() : std::nullopt; }
  void reply(datagram&& received)
  {
    replies_.push_back(received.payload(), received.sender());
    datagrams_.push_back(std::move(received));
  }

  asio::ip::udp::socket socket_;
  asio_uring::buffer_ring buffers_{socket_, {.buffers = 256}};
  asio_uring::datagram_stream<asio::ip::udp> received_{socket_, buffers_};
  std::vector<datagram> datagrams_;
  asio_uring::send_batch<asio::ip::udp> replies_{64};
};
#else
using datagram_batches = datagrams;
using datagram_stream = datagrams;
#endif

template <class Datagrams>
void run_datagrams(bench::options const& given)
{
  asio::io_context context;
  bench::prepare(given, context);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  auto const port = static_cast<unsigned short>(given.number("udp", 0));
  Datagrams serve({context, {asio::ip::address_v4::loopback(), port}});
  signals.async_wait([&](auto, int) { context.stop(); });
  context.run();
}

int main(int argc, char** argv)
{
  bench::options const given(
      argc, argv,
      "echo_server --tcp PORT | --udp PORT | --unix PATH [--mode callbacks|coroutines]\n"
      "            [--once] [--deadline] [--within] [--stream] [--batches] [--threads N] [--spin "
      "MICROSECONDS]");
  if (given.has("udp")) {
    given.has("batches")  ? run_datagrams<datagram_batches>(given)
    : given.has("stream") ? run_datagrams<datagram_stream>(given)
                          : run_datagrams<datagrams>(given);
    return 0;
  }
  auto const mode = given.text("mode", "callbacks");
  if (mode != "callbacks" && mode != "coroutines") given.fail("unknown mode " + mode);
  bench::run_server(given, [&](auto& acceptor) {
    if (mode == "coroutines")
      asio::co_spawn(acceptor.get_executor(), listen(acceptor), asio::detached);
    else
      accept(acceptor, {given.has("once"), given.has("deadline"), given.has("within"), given.has("stream")});
  });
}
