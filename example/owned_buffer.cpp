// owned_buffer FILE: prints a file through one buffer, which moves into each read and comes back with its
// result. While the kernel has it, the program does not, so it can neither touch nor free it by mistake, and
// a read may be abandoned at any time.

#include <asio_uring/owned_buffers.hpp>
#include <asio_uring/random_access_file.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace asio = boost::asio;
using asio_uring::random_access_file;

namespace {

asio::awaitable<void> print(random_access_file& file)
{
  std::vector<char> buffer(4096);
  for (std::uint64_t at = 0;;) {
    auto [ec, size, back] =
        co_await asio_uring::async_read_at(file, at, std::move(buffer), asio::as_tuple(asio::use_awaitable));
    std::cout.write(back.data(), static_cast<std::streamsize>(size));
    if (ec == asio::error::eof) co_return;
    if (ec) throw boost::system::system_error(ec, "read");
    at += size;
    buffer = std::move(back);
  }
}

/// Abandons a read. Its buffer and handler, the file and the context are all destroyed safely: the context
/// frees a buffer only when the kernel no longer uses it.
void give_up(const char* path)
{
  asio::io_context context(1);
  random_access_file file(context, path, asio::file_base::read_only);
  asio_uring::async_read_at(file, 0, std::vector<char>(4096),
                            [](boost::system::error_code, std::size_t, std::vector<char>) {});
}

} // namespace

int main(int argc, char** argv)
{
  try {
    if (argc != 2) return std::cerr << "usage: owned_buffer FILE\n", 2;
    give_up(argv[1]);

    asio::io_context context(1);
    random_access_file file(context, argv[1], asio::file_base::read_only);
    asio::co_spawn(context, print(file), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
    context.run();
    std::cout.flush();
  } catch (const std::exception& e) {
    std::cerr << "owned_buffer: " << e.what() << '\n';
    return 1;
  }
}
