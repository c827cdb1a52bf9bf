// What a connection on which nothing happens holds of the program's memory: bytes that malloc has given out.
//
// Each session has echoed one message and waits for the next: callbacks and coroutines, with a buffer of 4
// KiB of their own, or with a receive_stream (not on stock Asio), whose buffers all connections share. The
// peers hold no memory of the program's. With --sizes: how many blocks of each size a connection has.
#include "options.hpp"
#include "socket.hpp"

#include <boost/asio.hpp>
#ifdef ASIO_URING_AS_DEFAULT
#include <asio_uring/receive_stream.hpp>
#endif

#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

extern "C" {
// glibc's own entry points.
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

/// Blocks in use, by what malloc says that they can hold: the size asked for, and what was rounded up.
constexpr std::size_t step = 8, largest = 1 << 16;
std::array<std::atomic<long>, largest / step + 1> blocks;
std::atomic<long> bytes;

void* count(void* block)
{
  if (!block) return nullptr;
  const std::size_t size = malloc_usable_size(block);
  bytes += static_cast<long>(size);
  ++blocks[std::min(size, largest) / step];
  return block;
}
void forget(void* block)
{
  if (!block) return;
  const std::size_t size = malloc_usable_size(block);
  bytes -= static_cast<long>(size);
  --blocks[std::min(size, largest) / step];
}

} // namespace

extern "C" {

void* malloc(std::size_t size) { return count(__libc_malloc(size)); }
void* calloc(std::size_t n, std::size_t size) { return count(__libc_calloc(n, size)); }
void* realloc(void* at, std::size_t size)
{
  forget(at);
  return count(__libc_realloc(at, size));
}
void* memalign(std::size_t alignment, std::size_t size) { return count(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** result, std::size_t alignment, std::size_t size)
{
  *result = memalign(alignment, size);
  return *result ? 0 : ENOMEM;
}
void free(void* block)
{
  forget(block);
  __libc_free(block);
}

} // extern "C"

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// What sessions share that read into their own memory: nothing.
struct no_buffers
{
  explicit no_buffers(asio::io_context&) {}
};

struct reading
{
  using shared = no_buffers;
  static constexpr const char* name = "callbacks, a buffer of 4 KiB";
  static void start(tcp::socket s, shared&) { (new reading{std::move(s), {}})->next(); }

  void next()
  {
    socket.async_read_some(asio::buffer(buffer), [this](error_code ec, std::size_t size) {
      if (ec) return delete this;
      asio::async_write(socket, asio::buffer(buffer, size), [this](error_code, std::size_t) { next(); });
    });
  }
  tcp::socket socket;
  char buffer[4096];
};

struct reading_coroutine
{
  using shared = no_buffers;
  static constexpr const char* name = "a coroutine, a buffer of 4 KiB";
  static void start(tcp::socket s, shared&)
  {
    const auto ex = s.get_executor();
    asio::co_spawn(ex, echo(std::move(s)), asio::detached);
  }
  static asio::awaitable<void> echo(tcp::socket socket)
  {
    char buffer[4096];
    for (;;) {
      const auto [ec, size] =
          co_await socket.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
      if (ec) co_return;
      co_await asio::async_write(socket, asio::buffer(buffer, size), asio::use_awaitable);
    }
  }
};

#ifdef ASIO_URING_AS_DEFAULT
struct receiving
{
  using shared = asio_uring::buffer_ring;
  static constexpr const char* name = "callbacks, a receive_stream";
  static void start(tcp::socket s, shared& buffers) { (new receiving(std::move(s), buffers))->next(); }

  receiving(tcp::socket s, shared& buffers) : socket(std::move(s)), received(socket, buffers) {}
  void next()
  {
    received.async_next([this](error_code ec, asio_uring::received_buffer data) {
      if (ec) return delete this;
      const auto bytes = asio::buffer(data);
      asio::async_write(socket, bytes, [this, data = std::move(data)](error_code, std::size_t) { next(); });
    });
  }
  tcp::socket socket;
  asio_uring::receive_stream<tcp> received;
};

struct receiving_coroutine
{
  using shared = asio_uring::buffer_ring;
  static constexpr const char* name = "a coroutine, a receive_stream";
  static void start(tcp::socket s, shared& buffers)
  {
    const auto ex = s.get_executor();
    asio::co_spawn(ex, echo(std::move(s), buffers), asio::detached);
  }
  static asio::awaitable<void> echo(tcp::socket socket, shared& buffers)
  {
    asio_uring::receive_stream received(socket, buffers);
    for (;;) {
      const auto [ec, data] = co_await received.async_next(asio::as_tuple(asio::use_awaitable));
      if (ec) co_return;
      co_await asio::async_write(socket, asio::buffer(data), asio::use_awaitable);
    }
  }
};
#endif

template <typename Session>
void measure(std::size_t connections, bool by_size)
{
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  const auto where = acceptor.local_endpoint();
  typename Session::shared shared(context);
  std::vector<int> peers;
  peers.reserve(2 * connections);
  const auto check = [](bool good, const char* what) {
    if (good) return;
    std::perror(what);
    std::exit(1);
  };
  const auto connect = [&] {
    for (std::size_t i = 0; i < connections; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
      check(fd >= 0 && ::connect(fd, where.data(), static_cast<socklen_t>(where.size())) == 0, "connect");
      peers.push_back(fd);
      Session::start(acceptor.accept(), shared);
      char byte = 'x';
      check(::send(fd, &byte, 1, 0) == 1, "send");
      while (::recv(fd, &byte, 1, MSG_DONTWAIT) != 1)
        context.run_one_for(std::chrono::seconds(1));
      context.poll();
    }
  };
  // As many once before: what is once per context is there then, and what grows by doubling has done so.
  connect();
  const std::vector<long> counts(blocks.begin(), blocks.end());
  const long before = bytes;
  connect();
  const auto each = [&](long all) { return static_cast<double>(all) / static_cast<double>(connections); };
  std::printf("%-32s %6.0f bytes\n", Session::name, each(bytes - before));
  if (by_size)
    for (std::size_t i = 0; i < blocks.size(); ++i)
      if (const long n = blocks[i] - counts[i]; each(std::abs(n)) > 0.01)
        std::printf("  %6.2f of %zu bytes\n", each(n), i * step);
  for (const int fd : peers)
    ::close(fd);
  context.restart();
  context.run();
}

} // namespace

int main(int argc, char** argv)
{
  const bench::options given(argc, argv, "idle_memory [--connections N] [--sizes]");
  bench::allow_many_files();
  const auto connections = static_cast<std::size_t>(given.number("connections", 1024));
  const bool by_size = given.has("sizes");
  measure<reading>(connections, by_size);
  measure<reading_coroutine>(connections, by_size);
#ifdef ASIO_URING_AS_DEFAULT
  measure<receiving>(connections, by_size);
  measure<receiving_coroutine>(connections, by_size);
#endif
}
