// copy_first_block SOURCE TARGET: copies up to 1024 bytes and writes them to the device: open, create, read,
// write and flush in one coroutine, none of which blocks the thread. For a real copy see cp.cpp.

#include <asio_uring/file_system.hpp>
#include <asio_uring/stream_file.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace asio = boost::asio;
using asio::use_awaitable;
using asio_uring::stream_file;

namespace {

asio::awaitable<void> copy(std::string source, std::string target)
{
  const auto executor = co_await asio::this_coro::executor;
  stream_file input(executor), output(executor);
  co_await asio_uring::async_open(input, source, input.read_only, use_awaitable);
  co_await asio_uring::async_open(output, target, output.write_only | output.create | output.truncate,
                                  use_awaitable);

  // The kernel reads into this memory and writes from it: nothing is copied in between.
  std::vector<char> buffer(1024);
  auto [ec, size] = co_await input.async_read_some(asio::buffer(buffer), asio::as_tuple(use_awaitable));
  if (ec && ec != asio::error::eof) throw boost::system::system_error(ec, "read");
  co_await asio::async_write(output, asio::buffer(buffer, size), use_awaitable);
  co_await asio_uring::async_fsync(output, use_awaitable);
  std::cout << "copied " << size << " bytes" << std::endl;
}

} // namespace

int main(int argc, char** argv)
{
  try {
    if (argc != 3) return std::cerr << "usage: copy_first_block SOURCE TARGET\n", 2;
    asio::io_context context(1);
    asio::co_spawn(context, copy(argv[1], argv[2]), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
    context.run();
  } catch (const std::exception& e) {
    std::cerr << "copy_first_block: " << e.what() << '\n';
    return 1;
  }
}
