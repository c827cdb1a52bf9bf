// checksum [--progress] PATH...: SHA-256 of every file in directories, as `find PATH... -type f | sort |
// xargs sha256sum` prints them.
//
// One thread lists directories, for which io_uring has no operation. One loop per core opens, reads, hashes
// and closes many files at a time. Symbolic links are not followed. Files that cannot be read are reported on
// standard error, and the exit status is 1; the others are hashed nevertheless. On a terminal it shows its
// progress; elsewhere, too, with --progress.
//
// Compiled with CHECKSUM_BLOCKING it does the same with plain calls, one after the other, and shows no
// progress.
#include "command_line.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <mutex>
#include <openssl/evp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#ifndef CHECKSUM_BLOCKING
#include "progress.hpp"
#include <asio_uring/file_system.hpp>
#include <asio_uring/stream_file.hpp>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <list>
#include <thread>
#else
#include <boost/system/system_error.hpp>
#endif

namespace {

using boost::system::error_code;
namespace fs = std::filesystem;

constexpr std::size_t block_size = 64 * 1024;

/// Computes any number of hashes, one after the other.
class sha256
{
public:
  void begin()
  {
    // Looking up the algorithm takes longer than hashing a small file.
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    if (!EVP_DigestInit_ex2(context_.get(), algorithm, nullptr)) throw std::runtime_error("no SHA-256");
  }
  void update(const char* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string end()
  {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), bytes, &size);
    std::string text;
    for (unsigned i = 0; i != size; ++i) {
      text += "0123456789abcdef"[bytes[i] >> 4];
      text += "0123456789abcdef"[bytes[i] & 15];
    }
    return text;
  }

private:
  struct free
  {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, free> context_{EVP_MD_CTX_new()};
};

/// The lines to print. Any thread may add to them.
class report
{
public:
  const char* before_message = ""; // what is printed before each message; set before other threads use this

  void hashed(std::string path, std::string hash)
  {
    const std::lock_guard lock(mutex_);
    lines_.push_back({std::move(path), std::move(hash)});
  }
  void failed(const std::string& path, const std::string& why)
  {
    const std::lock_guard lock(mutex_);
    std::fprintf(stderr, "%schecksum: %s: %s\n", before_message, path.c_str(), why.c_str());
    failed_ = true;
  }

  /// Prints them; returns the exit status.
  int print()
  {
    std::sort(lines_.begin(), lines_.end(), [](auto& a, auto& b) { return a.path < b.path; });
    for (const line& l : lines_) {
      const bool plain = l.path.find_first_of("\n\r\\") == std::string::npos;
      std::printf("%s%s  %s\n", plain ? "" : "\\", l.hash.c_str(),
                  plain ? l.path.c_str() : escaped(l.path).c_str());
    }
    if (std::fflush(stdout) == 0) return failed_;
    failed("standard output", std::strerror(errno));
    return 1;
  }

private:
  struct line
  {
    std::string path, hash;
  };

  // Escapes a path like sha256sum, so that each file has one line.
  static std::string escaped(std::string_view path)
  {
    std::string result;
    for (const char c : path) {
      if (c == '\n')
        result += "\\n";
      else if (c == '\r')
        result += "\\r";
      else if (c == '\\')
        result += "\\\\";
      else
        result += c;
    }
    return result;
  }

  std::mutex mutex_;
  std::vector<line> lines_;
  bool failed_ = false;
};

/// Calls `found(path)` for each regular file.
template <typename Found>
void list_files(const fs::path& root, report& results, Found found)
{
  std::error_code ec;
  const fs::file_type type = fs::symlink_status(root, ec).type();
  if (type == fs::file_type::not_found || type == fs::file_type::none)
    return results.failed(root, ec ? ec.message() : std::strerror(ENOENT));
  if (type == fs::file_type::regular) return found(root.native());
  if (type != fs::file_type::directory) return;

  // No directory stays open while others are listed, so depth costs no descriptors.
  for (std::vector<fs::path> directories{root}; !directories.empty();) {
    const fs::path directory = std::move(directories.back());
    directories.pop_back();
    fs::directory_iterator entry(directory, ec);
    for (; !ec && entry != fs::directory_iterator(); entry.increment(ec)) {
      // The directory entry has the type; symlink_status() would make a call for each file.
      std::error_code vanished;
      if (entry->is_symlink(vanished)) continue;
      if (entry->is_directory(vanished)) directories.push_back(entry->path());
      if (entry->is_regular_file(vanished)) found(entry->path().native());
    }
    if (ec) results.failed(directory, ec.message());
  }
}

#ifdef CHECKSUM_BLOCKING

void hash_all(int count, char** roots, bool demand_progress, report& results)
{
  if (demand_progress) throw std::invalid_argument("this build shows no progress");
  sha256 hash;
  std::vector<char> block(block_size);
  for (int i = 0; i != count; ++i)
    list_files(roots[i], results, [&](std::string path) {
      const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
      if (fd < 0) return results.failed(path, std::strerror(errno));
      ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
      hash.begin();
      ssize_t size;
      while ((size = ::read(fd, block.data(), block.size())) > 0)
        hash.update(block.data(), static_cast<std::size_t>(size));
      const int error = errno;
      ::close(fd);
      if (size < 0) return results.failed(path, std::strerror(error));
      results.hashed(std::move(path), hash.end());
    });
}

#else

namespace asio = boost::asio;
using batch = std::vector<std::string>; // of paths
using batches = asio::experimental::concurrent_channel<void(error_code, batch)>;

constexpr int files_at_a_time = 32; // in each loop
constexpr std::size_t batch_size = 16;
constexpr std::size_t batches_ahead = 256;
constexpr auto nothrow_awaitable = asio::as_tuple(asio::use_awaitable);

asio::awaitable<error_code> hash_file(asio_uring::stream_file& file, const std::string& path, sha256& hash,
                                      asio::mutable_buffer block, progress& bar)
{
  constexpr auto flags = static_cast<asio::file_base::flags>(O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (auto [ec] = co_await asio_uring::async_open(file, path, flags, nothrow_awaitable); ec) co_return ec;
  hash.begin();
  for (;;) {
    auto [ec, size] = co_await file.async_read_some(block, nothrow_awaitable);
    if (ec) {
      co_await asio_uring::async_close(file, nothrow_awaitable);
      co_return ec == asio::error::eof ? error_code() : ec;
    }
    hash.update(static_cast<const char*>(block.data()), size);
    bar.add(size);
  }
}

/// Hashes one file after the other, until there are no more.
asio::awaitable<void> hash_files(batches& files, report& results, progress& bar)
{
  asio_uring::stream_file file(co_await asio::this_coro::executor);
  sha256 hash;
  const auto block = std::make_unique_for_overwrite<char[]>(block_size);
  for (batch paths; !(paths = co_await files.async_receive(asio::use_awaitable)).empty();)
    for (std::string& path : paths) {
      if (const error_code ec =
              co_await hash_file(file, path, hash, asio::buffer(block.get(), block_size), bar))
        results.failed(path, ec.message());
      else
        results.hashed(std::move(path), hash.end());
    }
}

void hash_all(int count, char** roots, bool demand_progress, report& results)
{
  std::list<asio::io_context> loops;
  for (unsigned i = 0; i != std::max(1U, std::thread::hardware_concurrency()); ++i)
    loops.emplace_back(1);
  batches files(loops.front().get_executor(), batches_ahead);
  const auto send = [&](batch paths) {
    if (!files.try_send(error_code(), paths))
      files.async_send(error_code(), std::move(paths), asio::use_future).get(); // until there is room
  };

  progress bar(loops.front().get_executor(), demand_progress);
  results.before_message = bar.before_message();
  bar.begin();
  std::atomic<std::size_t> running = loops.size() * files_at_a_time;
  const auto stopped = [&](std::exception_ptr) {
    if (--running == 0) bar.end();
  };

  auto work = asio::make_work_guard(loops.front());
  std::vector<std::jthread> threads;
  for (asio::io_context& loop : loops) {
    for (int i = 0; i != files_at_a_time; ++i)
      asio::co_spawn(loop, hash_files(files, results, bar), stopped);
    threads.emplace_back([&loop] { loop.run(); });
  }

  batch next;
  for (int i = 0; i != count; ++i)
    list_files(roots[i], results, [&](std::string path) {
      std::error_code vanished;
      if (bar.shown())
        if (const auto size = fs::file_size(path, vanished); !vanished) bar.expect(size);
      next.push_back(std::move(path));
      if (next.size() == batch_size) send(std::exchange(next, {}));
    });
  if (!next.empty()) send(std::move(next));
  bar.expect_no_more();
  for (std::size_t i = 0; i != loops.size() * files_at_a_time; ++i)
    send({}); // the end
  // Receives that complete at once go through the channel's own loop, so that one runs until the others have
  // ended.
  threads.resize(1);
  work.reset();
}

#endif

} // namespace

int main(int argc, char** argv)
{
  int status = 0;
  const int failed = run_example("checksum", "[--progress] PATH...", [&] {
    const bool demand_progress = take_option("--progress", argc, argv);
    if (argc < 2) throw std::invalid_argument("no path");
    report results;
    hash_all(argc - 1, argv + 1, demand_progress, results);
    status = results.print();
  });
  return failed ? failed : status;
}
