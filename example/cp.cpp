// cp [--progress] SOURCE TARGET: copies a file, several blocks at a time. On a terminal it shows its
// progress; elsewhere, too, with --progress.
//
// The target gets what the source has up to the end that is found first. So a source that is empty, or that
// grows or shrinks meanwhile, is copied without holes.
#include "command_line.hpp"
#include "progress.hpp"

#include <algorithm>
#include <asio_uring/random_access_file.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/read_at.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write_at.hpp>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <sys/stat.h>
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
  copy(asio::io_context& context, const char* source, const char* target, bool demand_progress)
      : source_(context, source, asio::file_base::read_only),
        target_(context),
        progress_(context.get_executor(), demand_progress)
  {
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

    progress_.expect(source_.size());
    progress_.expect_no_more();
    progress_.begin();
    for (running_ = 0; running_ != blocks_in_flight; ++running_)
      asio::co_spawn(context, copy_blocks(), [this](std::exception_ptr e) { stopped(e); });
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
      progress_.add(size);
    }
  }

  void stopped(std::exception_ptr e)
  {
    if (e && !failed_) failed_ = e;
    if (--running_ == 0) progress_.end();
  }

  random_access_file source_, target_;
  progress progress_;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = ~std::uint64_t{0}; // of the source, once it is found
  int running_ = 0;
  bool whole_file_ = false; // not a device
  std::exception_ptr failed_;
};

} // namespace

int main(int argc, char** argv)
{
  return run_example("cp", "[--progress] SOURCE TARGET", [&] {
    const bool demand_progress = take_option("--progress", argc, argv);
    if (argc != 3) throw std::invalid_argument("wrong number of arguments");
    asio::io_context context(1);
    copy job(context, argv[1], argv[2], demand_progress);
    context.run();
    job.finish();
  });
}
