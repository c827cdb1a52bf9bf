// progress.hpp: a progress bar on standard error, drawn by a timer: bytes done, the rate, and the time that
// is left.
#ifndef EXAMPLE_PROGRESS_HPP
#define EXAMPLE_PROGRESS_HPP

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <unistd.h>

/// Shown if standard error is a terminal, or if it is demanded. Lasts until the executor's context has run
/// out of work. All functions may be called from any thread.
class progress
{
public:
  progress(const boost::asio::any_io_executor& executor, bool demanded)
      : timer_(executor), shown_(demanded || ::isatty(STDERR_FILENO))
  {}

  bool shown() const { return shown_; }

  /// So many bytes more are to be done.
  void expect(std::uint64_t bytes) { expected_ += bytes; }
  /// All bytes have been expected, so the time that is left can be told.
  void expect_no_more() { all_expected_ = true; }

  void add(std::uint64_t bytes) { done_ += bytes; }

  void begin()
  {
    if (shown_) boost::asio::post(timer_.get_executor(), [this] { draw(); });
  }

  /// Draws a last time, and ends the line.
  void end()
  {
    boost::asio::post(timer_.get_executor(), [this] {
      if (!shown_) return;
      ended_ = true;
      timer_.cancel();
    });
  }

  /// What is to be printed on standard error before a message, so that the bar does not remain in it.
  const char* before_message() const { return shown_ ? "\r\33[K" : ""; }

private:
  using clock = std::chrono::steady_clock;

  void draw()
  {
    const double done = static_cast<double>(done_),
                 expected = all_expected_ ? static_cast<double>(expected_) : 0;
    const double seconds = std::chrono::duration<double>(clock::now() - begin_).count();
    const double rate = seconds > 0 ? done / seconds : 0;
    std::string line = before_message();
    if (expected > 0) line += bar(std::min(1.0, done / expected));
    line += size(done);
    if (expected > 0) line += " of " + size(expected);
    line += "  " + size(rate) + "/s";
    if (ended_)
      line += "  in " + time(seconds) + '\n';
    else if (rate > 0 && expected > done)
      line += "  " + time((expected - done) / rate) + " left";
    std::fputs(line.c_str(), stderr);
    if (ended_) return;
    timer_.expires_after(std::chrono::milliseconds(100));
    timer_.async_wait([this](boost::system::error_code) { draw(); });
  }

  static std::string bar(double part)
  {
    constexpr std::size_t width = 20;
    const auto filled = static_cast<std::size_t>(part * width);
    char percent[16];
    std::snprintf(percent, sizeof(percent), "] %3d %%  ", static_cast<int>(part * 100));
    return '[' + std::string(filled, '#') + std::string(width - filled, ' ') + percent;
  }

  static std::string size(double bytes)
  {
    const char* unit = "B";
    for (const char* larger : {"KiB", "MiB", "GiB", "TiB"})
      if (bytes >= 1024) {
        bytes /= 1024;
        unit = larger;
      }
    char text[32];
    std::snprintf(text, sizeof(text), *unit == 'B' || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, unit);
    return text;
  }

  static std::string time(double seconds)
  {
    const auto whole = static_cast<long long>(std::min(seconds, 359999.0)); // at most 99:59:59
    char text[32];
    std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    return text;
  }

  boost::asio::steady_timer timer_;
  const bool shown_;
  const clock::time_point begin_ = clock::now();
  std::atomic<std::uint64_t> done_ = 0, expected_ = 0;
  std::atomic<bool> all_expected_ = false;
  bool ended_ = false; // used by the context's threads only
};

#endif // EXAMPLE_PROGRESS_HPP
