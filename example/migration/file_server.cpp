// Sends files: a client says a name and a line feed, and gets the file. Usage: file_server PORT ROOT

#include <boost/asio.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <string>
#include <unistd.h>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;

/// pread() may wait for the disk, so a pool of threads calls it.
asio::thread_pool disk_threads(8);

class file
{
public:
  explicit file(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC))
  {
    if (fd_ < 0) throw boost::system::system_error(errno, boost::system::system_category(), path);
  }
  ~file() { ::close(fd_); }

  asio::awaitable<std::size_t> read(std::uint64_t offset, asio::mutable_buffer to)
  {
    const auto plain = [](int fd, std::uint64_t at, asio::mutable_buffer b) -> asio::awaitable<ssize_t> {
      const ssize_t size = ::pread(fd, b.data(), b.size(), static_cast<off_t>(at));
      co_return size < 0 ? -errno : size; // errno is this thread's
    };
    const ssize_t size = co_await asio::co_spawn(disk_threads, plain(fd_, offset, to), asio::use_awaitable);
    if (size < 0)
      throw boost::system::system_error(static_cast<int>(-size), boost::system::system_category(), "pread");
    co_return static_cast<std::size_t>(size);
  }

private:
  int fd_;
};

asio::awaitable<void> send(tcp::socket socket, std::string root)
{
  std::string name;
  name.resize(
      co_await asio::async_read_until(socket, asio::dynamic_buffer(name, 255), '\n', asio::use_awaitable) -
      1);
  if (name.find('/') != name.npos) co_return;

  file source(root + '/' + name);
  std::vector<char> data(131072);
  std::uint64_t offset = 0;
  while (const std::size_t size = co_await source.read(offset, asio::buffer(data))) {
    co_await asio::async_write(socket, asio::buffer(data, size), asio::use_awaitable);
    offset += size;
  }
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, std::string root)
{
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), send(std::move(socket), root), asio::detached);
  }
}

int main(int argc, char** argv)
{
  if (argc != 3) return std::cerr << "usage: file_server PORT ROOT\n", 2;
  asio::io_context context(1);
  const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](auto, int) { context.stop(); });
  std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
  asio::co_spawn(context, serve(acceptor, argv[2]), asio::detached);
  context.run();
}
