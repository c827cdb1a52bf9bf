// cp SOURCE TARGET: copies a file, several blocks at a time, and shows its progress.
//
// The target gets what the source has up to the end that is found first. So a source that is empty, or that
// grows or shrinks meanwhile, is copied without holes.
#include <algorithm>
#include <asio_uring/random_access_file.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/read_at.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write_at.hpp>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace asio = boost::asio;
using asio::use_awaitable;
using asio_uring::random_access_file;

namespace {

constexpr std::size_t block_size = 256 * 1024;
constexpr int blocks_in_flight = 8;

class copy
{
public:
  copy(asio::io_context& context, const char* source, const char* target)
      : source_(context, source, asio::file_base::read_only), target_(context), show_(context)
  {
    expected_ = source_.size();
    struct stat status;
    ::fstat(source_.native_handle(), &status);
    target_.open(target, asio::file_base::write_only | asio::file_base::create);
    struct stat other;
    ::fstat(target_.native_handle(), &other);
    if (status.st_dev == other.st_dev && status.st_ino == other.st_ino)
      throw std::runtime_error("source and target are the same file");
    whole_file_ = S_ISREG(other.st_mode);
    if (whole_file_) target_.resize(0);
    ::fchmod(target_.native_handle(), status.st_mode & 07777);

    for (running_ = 0; running_ != blocks_in_flight; ++running_)
      asio::co_spawn(context, copy_blocks(), [this](std::exception_ptr e) { stopped(e); });
    if (::isatty(STDERR_FILENO)) show_progress();
  }

  /// To be called when the context has run out of work.
  void finish()
  {
    if (failed_) std::rethrow_exception(failed_);
    if (whole_file_) target_.resize(end_); // removes blocks that were read after the source had grown
  }

private:
  /// Copies one block after the other, until the end is found.
  asio::awaitable<void> copy_blocks()
  {
    std::vector<char> block(block_size);
    while (next_ < end_ && !failed_) {
      const std::uint64_t at = next_;
      next_ += block.size();
      auto [ec, size] =
          co_await asio::async_read_at(source_, at, asio::buffer(block), asio::as_tuple(use_awaitable));
      if (ec == asio::error::eof)
        end_ = std::min(end_, at + size);
      else if (ec)
        throw boost::system::system_error(ec, "read");
      co_await asio::async_write_at(target_, at, asio::buffer(block, size), use_awaitable);
      copied_ += size;
    }
  }

  void stopped(std::exception_ptr e)
  {
    if (e && !failed_) failed_ = e;
    if (--running_ == 0) show_.cancel();
  }

  void show_progress()
  {
    const double part = expected_ ? std::min(1.0, double(copied_) / double(expected_)) : 1.0;
    const auto filled = static_cast<std::size_t>(part * 40);
    std::fprintf(stderr, "\r[%s%s] %3.0f %%", std::string(filled, '#').c_str(),
                 std::string(40 - filled, ' ').c_str(), part * 100);
    if (running_ == 0) return void(std::fputs("\n", stderr));
    show_.expires_after(std::chrono::milliseconds(100));
    show_.async_wait([this](boost::system::error_code) { show_progress(); });
  }

  random_access_file source_, target_;
  asio::steady_timer show_;
  std::uint64_t expected_ = 0, next_ = 0, copied_ = 0;
  std::uint64_t end_ = ~std::uint64_t{0}; // of the source, once it is found
  int running_ = 0;
  bool whole_file_ = false; // not a device
  std::exception_ptr failed_;
};

} // namespace

int main(int argc, char** argv)
{
  if (argc != 3) return std::fprintf(stderr, "usage: cp SOURCE TARGET\n"), 2;
  try {
    asio::io_context context(1);
    copy job(context, argv[1], argv[2]);
    context.run();
    job.finish();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cp: %s\n", e.what());
    return 1;
  }
}
