// A socket on io_uring cannot become one of Asio's reactor.
#include <asio_uring/ip/tcp.hpp>

boost::asio::ip::tcp::socket moved(asio_uring::ip::tcp::socket&& socket)
{
  return boost::asio::ip::tcp::socket(std::move(socket));
}
