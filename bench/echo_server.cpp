// An ordinary Boost.Asio echo server, written as its tutorial would, with callbacks or with coroutines.
#include "server.hpp"
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <memory>

namespace asio = boost::asio;
using boost::system::error_code;

template <class Socket>
class session : public std::enable_shared_from_this<session<Socket>>
{
public:
  explicit session(Socket socket) : socket_(std::move(socket)) {}

  void read()
  {
    socket_.async_read_some(asio::buffer(data_),
                            [self = this->shared_from_this()](error_code failed, std::size_t size) {
                              if (!failed) self->write(size);
                            });
  }

private:
  void write(std::size_t size)
  {
    asio::async_write(socket_, asio::buffer(data_, size),
                      [self = this->shared_from_this()](error_code failed, std::size_t) {
                        if (!failed) self->read();
                      });
  }

  Socket socket_;
  std::array<char, 8192> data_;
};

template <class Acceptor>
void accept(Acceptor& acceptor)
{
  acceptor.async_accept([&acceptor](error_code failed, auto socket) {
    if (!failed) {
      bench::set_no_delay(socket);
      std::make_shared<session<decltype(socket)>>(std::move(socket))->read();
    }
    accept(acceptor);
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
  } catch (boost::system::system_error const&) { // the peer has gone
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

int main(int argc, char** argv)
{
  bench::options const given(argc, argv,
                             "echo_server --tcp PORT | --unix PATH [--mode callbacks|coroutines]");
  auto const mode = given.text("mode", "callbacks");
  if (mode != "callbacks" && mode != "coroutines") given.fail("unknown mode " + mode);
  bench::run_server(given, [&](auto& acceptor) {
    if (mode == "coroutines")
      asio::co_spawn(acceptor.get_executor(), listen(acceptor), asio::detached);
    else
      accept(acceptor);
  });
}
