// read_two_ways FILE OFFSET: reads up to 66 bytes of a file, once blocking the thread and once suspending a
// coroutine. The function is the same; the token determines how its completion is awaited.

#include <asio_uring/random_access_file.hpp>
#include <asio_uring/use_wait.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_at.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>

namespace asio = boost::asio;
using asio_uring::random_access_file;
using boost::system::error_code;

namespace {

/// The end of the file is no error: the bytes before it are there.
void print(std::string_view how, error_code ec, const std::array<char, 66>& data, std::size_t size)
{
  if (ec && ec != asio::error::eof) throw boost::system::system_error(ec, "read");
  std::cout << how << ": " << std::string_view(data.data(), size) << std::endl;
}

void read_and_wait(random_access_file& file, std::uint64_t at)
{
  std::array<char, 66> data;
  error_code ec;
  const std::size_t size = asio::async_read_at(file, at, asio::buffer(data), asio_uring::use_wait(ec));
  print("waited", ec, data, size);
}

asio::awaitable<void> read_and_await(random_access_file& file, std::uint64_t at)
{
  std::array<char, 66> data;
  const auto [ec, size] =
      co_await asio::async_read_at(file, at, asio::buffer(data), asio::as_tuple(asio::use_awaitable));
  print("awaited", ec, data, size);
}

} // namespace

int main(int argc, char** argv)
{
  try {
    if (argc != 3) return std::cerr << "usage: read_two_ways FILE OFFSET\n", 2;
    asio::io_context context(1);
    random_access_file file(context, argv[1], asio::file_base::read_only);
    const std::uint64_t at = std::stoull(argv[2]);

    read_and_wait(file, at);

    asio::co_spawn(context, read_and_await(file, at), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
    context.run();
  } catch (const std::exception& e) {
    std::cerr << "read_two_ways: " << e.what() << '\n';
    return 1;
  }
}
