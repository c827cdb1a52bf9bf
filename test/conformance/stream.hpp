// test/conformance/stream.hpp: pairs of connected objects to compare, and buffers.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_CONFORMANCE_STREAM_HPP
#define ASIO_URING_TEST_CONFORMANCE_STREAM_HPP

#include "report.hpp"
#include <array>
#include <numeric>
#include <poll.h>
#include <sys/mman.h>

inline net::ip::tcp::endpoint loopback(unsigned short port = 0)
{
  return {net::ip::address_v4::loopback(), port};
}

/// Two connected TCP sockets, of IPv4 or 6.
template <typename Socket = net::ip::tcp::socket>
void connect_tcp(Socket& client, Socket& server, const char* address = "127.0.0.1")
{
  net::io_context context;
  net::ip::tcp::acceptor acceptor(context, {net::ip::make_address(address), 0});
  client.connect(acceptor.local_endpoint());
  acceptor.accept(server);
  client.set_option(net::ip::tcp::no_delay(true));
  server.set_option(net::ip::tcp::no_delay(true));
}

struct tcp_pair
{
  static constexpr const char* name = "tcp";
  using socket = net::ip::tcp::socket;
  net::io_context context;
  socket a{context}, b{context};
  tcp_pair() { connect_tcp(a, b); }
  static auto protocol() { return net::ip::tcp::v4(); }
};

struct local_pair
{
  static constexpr const char* name = "local";
  using socket = net::local::stream_protocol::socket;
  net::io_context context;
  socket a{context}, b{context};
  local_pair() { net::local::connect_pair(a, b); }
  static auto protocol() { return net::local::stream_protocol(); }
};

/// Generic streams, made of TCP sockets.
struct generic_pair
{
  static constexpr const char* name = "generic";
  using socket = net::generic::stream_protocol::socket;
  net::io_context context;
  socket a{context}, b{context};
  generic_pair()
  {
    net::ip::tcp::socket c(context), s(context);
    connect_tcp(c, s);
    a = socket(std::move(c));
    b = socket(std::move(s));
  }
  static auto protocol() { return net::generic::stream_protocol(AF_INET, IPPROTO_TCP); }
};

#define STREAMS tcp_pair, local_pair, generic_pair

/// `text` in `count` buffers, all but the last of equal size.
inline std::vector<net::const_buffer> pieces(const std::string& text, std::size_t count)
{
  std::vector<net::const_buffer> result;
  const std::size_t size = text.size() / count;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back(net::buffer(text.data() + i * size, i + 1 == count ? text.size() - i * size : size));
  return result;
}
inline std::vector<net::mutable_buffer> pieces(std::string& text, std::size_t count)
{
  std::vector<net::mutable_buffer> result;
  for (const net::const_buffer& b : pieces(std::as_const(text), count))
    result.emplace_back(const_cast<void*>(b.data()), b.size());
  return result;
}

inline std::string letters(std::size_t size)
{
  std::string s(size, ' ');
  for (std::size_t i = 0; i < size; ++i)
    s[i] = static_cast<char>('a' + i % 26);
  return s;
}

/// Waits, without Asio, until there is something to read, or the end.
template <typename Object>
void await_data(Object& object, short events = POLLIN)
{
  pollfd p{object.native_handle(), events, 0};
  if (::poll(&p, 1, 10000) != 1) line("NOTHING ARRIVED");
}

/// An address range of which only the first part is accessible memory.
class huge_buffer
{
public:
  static constexpr std::size_t size = (std::size_t(4) << 30) + 8192; // 32 bits of it are 8192
  huge_buffer()
      : data_(static_cast<char*>(
            ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)))
  {
    ::mprotect(data_, memory, PROT_READ | PROT_WRITE);
  }
  ~huge_buffer() { ::munmap(data_, size); }
  static constexpr std::size_t memory = std::size_t(64) << 20; // more than a socket takes at once
  char* data() const { return data_; }

private:
  char* data_;
};

#endif
