// write_ahead_log FILE [WRITERS]: appends records by several writers at a time, and prints each record when
// it is on the device, until the program is ended. write_ahead_log --read FILE prints the contents of the
// log.
//
// Whenever the program or the machine dies, no record that it had printed is lost.
#include "write_ahead_log.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace asio = boost::asio;

namespace {

asio::awaitable<void> write_records(write_ahead_log<>& log, std::string name)
{
  for (int i = 0;; ++i) {
    std::string record = name + "." + std::to_string(i);
    co_await log.append(record);
    record += '\n';
    if (::write(STDOUT_FILENO, record.data(), record.size()) < 0) co_return; // whole lines in one call
  }
}

} // namespace

int main(int argc, char** argv)
try {
  asio::io_context context;
  if (argc == 3 && std::string_view(argv[1]) == "--read") {
    write_ahead_log<>(context.get_executor(), argv[2], [](std::string_view record) {
      std::printf("%.*s\n", int(record.size()), record.data());
    });
    return 0;
  }
  const int writers = argc == 3 ? std::atoi(argv[2]) : 16;
  if (argc < 2 || argc > 3 || writers < 1) {
    std::fprintf(stderr, "usage: write_ahead_log FILE [WRITERS] | --read FILE\n");
    return 2;
  }

  std::uint64_t found = 0;
  write_ahead_log<> log(context.get_executor(), argv[1], [&](std::string_view) { ++found; });
  std::exception_ptr failed;
  for (int i = 0; i < writers; ++i)
    asio::co_spawn(context, write_records(log, std::to_string(found) + "." + std::to_string(i)),
                   [&](std::exception_ptr e) {
                     failed = e;
                     context.stop();
                   });
  asio::signal_set ending(context, SIGINT, SIGTERM);
  ending.async_wait([&](const boost::system::error_code&, int) { context.stop(); });
  context.run();
  if (failed) std::rethrow_exception(failed);
} catch (const std::exception& e) {
  std::fprintf(stderr, "write_ahead_log: %s\n", e.what());
  return 1;
}
