// write_ahead_log: durable appends per second, with many writers side by side.
//
// chain: the example's log, a linked write and sync per group. pool-group: the same log, but a thread
// performs both. pool: the usual thread-pool program, in which a thread writes and syncs each record.
#include "../example/write_ahead_log.hpp"
#include "options.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace asio = boost::asio;

namespace {

constexpr std::string_view usage = "write_ahead_log --file PATH [--via chain|pool|pool-group] [--writers N] "
                                   "[--size BYTES] [--threads N] [--seconds S]";

asio::awaitable<void> write_and_sync(int fd, std::uint64_t offset, const std::string& bytes)
{
  if (::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
          static_cast<ssize_t>(bytes.size()) ||
      ::fdatasync(fd) < 0)
    throw std::system_error(errno, std::system_category(), "commit");
  co_return;
}

struct commit_by_pool
{
  asio::thread_pool& pool;
  asio::awaitable<void> operator()(asio_uring::random_access_file& file, std::uint64_t offset,
                                   const std::string& bytes)
  {
    co_await asio::co_spawn(pool, write_and_sync(file.native_handle(), offset, bytes), asio::use_awaitable);
  }
};

struct log_of_single_records
{
  int fd;
  asio::thread_pool& pool;
  std::uint64_t end = 0;
  asio::awaitable<void> append(const std::string& record)
  {
    const std::uint64_t offset = std::exchange(end, end + record.size());
    co_await asio::co_spawn(pool, write_and_sync(fd, offset, record), asio::use_awaitable);
  }
};

double cpu_seconds()
{
  rusage used;
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

template <typename Log>
void measure(asio::io_context& context, Log& log, const bench::options& options)
{
  using clock = std::chrono::steady_clock;
  const std::string record(static_cast<std::size_t>(options.number("size", 100)), 'r');
  const auto start = clock::now();
  const auto end = start + std::chrono::duration_cast<clock::duration>(
                               std::chrono::duration<double>(options.number("seconds", 2)));
  const double cpu = cpu_seconds();
  std::uint64_t commits = 0;
  const auto write = [&]() -> asio::awaitable<void> {
    while (clock::now() < end) {
      co_await log.append(record);
      ++commits;
    }
  };
  for (int i = 0; i < static_cast<int>(options.number("writers", 16)); ++i)
    asio::co_spawn(context, write, [](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
    });
  context.run();
  const double took = std::chrono::duration<double>(clock::now() - start).count();
  std::printf("requests=%llu seconds=%.4f cpu_ns_per_request=%.1f\n",
              static_cast<unsigned long long>(commits), took, (cpu_seconds() - cpu) * 1e9 / double(commits));
}

} // namespace

int main(int argc, char** argv)
{
  const bench::options options(argc, argv, usage);
  const std::string path = options.text("file"), via = options.text("via", "chain");
  ::unlink(path.c_str());
  asio::io_context context;
  asio::thread_pool pool(static_cast<unsigned>(options.number("threads", 16)));
  const auto ignore = [](std::string_view) {};
  if (via == "chain") {
    write_ahead_log<> log(context.get_executor(), path, ignore);
    measure(context, log, options);
  } else if (via == "pool-group") {
    write_ahead_log<commit_by_pool> log(context.get_executor(), path, ignore, {pool});
    measure(context, log, options);
  } else if (via == "pool") {
    log_of_single_records log{::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), pool};
    if (log.fd < 0) options.fail("cannot open " + path);
    measure(context, log, options);
  } else
    options.fail("unknown --via " + via);
  ::unlink(path.c_str());
}
