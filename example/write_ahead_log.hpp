// write_ahead_log.hpp: a file of records, each of which is on the device when its append() returns.
//
// Records that arrive while others are being committed share the next write and the next fdatasync (group
// commit). A record is its length, a CRC of length and contents, and the contents. Reading ends where the CRC
// does not match, so a record that was only half written when the program died is ignored.
#ifndef WRITE_AHEAD_LOG_HPP
#define WRITE_AHEAD_LOG_HPP

#include <asio_uring/chain.hpp>
#include <asio_uring/random_access_file.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_at.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/crc.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

/// Writes and syncs in one submission: the kernel starts the sync when the write is done.
struct commit_by_chain
{
  boost::asio::awaitable<void> operator()(asio_uring::random_access_file& file, std::uint64_t offset,
                                          const std::string& bytes)
  {
    co_await asio_uring::chain(file)
        .write_at(file, offset, boost::asio::buffer(bytes))
        .fdatasync(file)
        .async_run(boost::asio::use_awaitable);
  }
};

/// An append-only log. Not thread-safe: use it in one thread or one strand.
template <typename Commit = commit_by_chain>
class write_ahead_log
{
public:
  /// Opens or creates the log, calls read(std::string_view) for each record in it, and continues behind the
  /// last.
  template <typename Read>
  write_ahead_log(const boost::asio::any_io_executor& ex, const std::string& path, Read&& read,
                  Commit commit = {})
      : file_(ex, path, boost::asio::file_base::read_write | boost::asio::file_base::create),
        commit_(std::move(commit)),
        gathered_(std::make_shared<batch>(ex))
  {
    header h;
    for (std::string record; read_at(end_, &h, sizeof(h)); end_ += sizeof(h) + h.size) {
      if (h.size > file_.size() - end_ - sizeof(h)) break;
      record.resize(h.size);
      if (!read_at(end_ + sizeof(h), record.data(), h.size) || h.crc != crc_of(record)) break;
      read(std::string_view(record));
    }
    file_.resize(end_);
  }

  /// Returns when the record, and all that were appended before it, are on the device. Throws system_error;
  /// then the log accepts no more records.
  boost::asio::awaitable<void> append(std::string_view record)
  {
    if (failed_) std::rethrow_exception(failed_);
    const std::shared_ptr<batch> mine = gathered_;
    const header h{static_cast<std::uint32_t>(record.size()), crc_of(record)};
    mine->bytes.append(reinterpret_cast<const char*>(&h), sizeof(h)).append(record);
    schedule();
    co_await mine->committed.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (failed_) std::rethrow_exception(failed_);
  }

private:
  static constexpr std::size_t most_in_flight = 2;

  struct header
  {
    std::uint32_t size;
    std::uint32_t crc;
  };

  /// Records that share a write and a sync.
  struct batch
  {
    explicit batch(const boost::asio::any_io_executor& ex)
        : committed(ex, boost::asio::steady_timer::time_point::max())
    {}
    std::string bytes;
    bool done = false;
    boost::asio::steady_timer committed; // never expires; cancelling it wakes those that wait
  };

  static std::uint32_t crc_of(std::string_view record)
  {
    const auto size = static_cast<std::uint32_t>(record.size());
    boost::crc_32_type crc;
    crc.process_bytes(&size, sizeof(size));
    crc.process_bytes(record.data(), record.size());
    return crc.checksum();
  }

  bool read_at(std::uint64_t offset, void* data, std::size_t size)
  {
    boost::system::error_code end;
    return boost::asio::read_at(file_, offset, boost::asio::buffer(data, size), end) == size;
  }

  /// Delays the commit, so that records of other writers can join it.
  void schedule()
  {
    if (std::exchange(scheduled_, true)) return;
    boost::asio::post(file_.get_executor(), [this] {
      scheduled_ = false;
      if (gathered_->bytes.empty() || in_flight_.size() == most_in_flight) return;
      in_flight_.push_back(std::exchange(gathered_, std::make_shared<batch>(file_.get_executor())));
      boost::asio::co_spawn(file_.get_executor(), commit(in_flight_.back()), boost::asio::detached);
    });
  }

  boost::asio::awaitable<void> commit(std::shared_ptr<batch> records)
  {
    try {
      co_await commit_(file_, std::exchange(end_, end_ + records->bytes.size()), records->bytes);
    } catch (...) {
      failed_ = std::current_exception();
    }
    records->done = true;
    // In order: a record behind a missing one could not be read again.
    for (; !in_flight_.empty() && (in_flight_.front()->done || failed_); in_flight_.pop_front())
      in_flight_.front()->committed.cancel();
    if (failed_)
      gathered_->committed.cancel();
    else
      schedule();
  }

  asio_uring::random_access_file file_;
  Commit commit_;
  std::uint64_t end_ = 0;
  std::shared_ptr<batch> gathered_;
  std::deque<std::shared_ptr<batch>> in_flight_;
  bool scheduled_ = false;
  std::exception_ptr failed_;
};

#endif // WRITE_AHEAD_LOG_HPP
