// An echo server over TLS, with callbacks; the certificate is made when it starts.
#include "../test/tls.hpp"
#include "server.hpp"
#include <array>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <memory>

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using boost::system::error_code;

template <class Socket>
class session : public std::enable_shared_from_this<session<Socket>>
{
public:
  session(Socket socket, ssl::context& context) : stream_(std::move(socket), context) {}

  void begin()
  {
    stream_.async_handshake(ssl::stream_base::server, [self = this->shared_from_this()](error_code failed) {
      if (!failed) self->read();
    });
  }

private:
  void read()
  {
    stream_.async_read_some(asio::buffer(data_),
                            [self = this->shared_from_this()](error_code failed, std::size_t size) {
                              if (!failed) self->write(size);
                            });
  }

  void write(std::size_t size)
  {
    asio::async_write(stream_, asio::buffer(data_, size),
                      [self = this->shared_from_this()](error_code failed, std::size_t) {
                        if (!failed) self->read();
                      });
  }

  ssl::stream<Socket> stream_;
  std::array<char, 8192> data_;
};

template <class Acceptor>
void accept(Acceptor& acceptor, ssl::context& context)
{
  acceptor.async_accept([&](error_code failed, auto socket) {
    if (!failed) {
      bench::set_no_delay(socket);
      std::make_shared<session<decltype(socket)>>(std::move(socket), context)->begin();
    }
    accept(acceptor, context);
  });
}

int main(int argc, char** argv)
{
  bench::options const given(argc, argv, "tls_server --tcp PORT | --unix PATH [--threads N]");
  ssl::context context = test::tls::presenting({}, ssl::context::tls_server);
  bench::run_server(given, [&](auto& acceptor) { accept(acceptor, context); });
}
