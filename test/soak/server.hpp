// test/soak/server.hpp: the end of a stream that sends back what it reads.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SOAK_SERVER_HPP
#define ASIO_URING_TEST_SOAK_SERVER_HPP

#include "peer.hpp"

#include <optional>

namespace soak {

/// Sends back what it reads.
template <class Stream>
class server : public peer<Stream>, public std::enable_shared_from_this<server<Stream>>
{
  std::optional<numbered_stream> text_; // once its number has arrived
  std::array<char, sizeof(std::uint32_t)> head_;
  std::uint64_t received_ = 0;
  std::size_t filled_ = 0, sent_ = 0;

public:
  server(const strand& executor, ledger& book, Stream accepted)
      : peer<Stream>(executor, book, next_session.load())
  {
    this->stream_ = std::make_unique<Stream>(std::move(accepted));
  }

  void start()
  {
    this->from_time_to_time(this->shared_from_this(), &server::look);
    if (this->coroutines_)
      this->spawn(this->shared_from_this(), &server::run);
    else
      read();
  }

private:
  void look()
  {
    if (text_ && is_killed_by_server(text_->how()) && this->one_in(16))
      this->kill(text_->how());
    else
      this->disturb();
  }

  bool composed() { return text_ && !is_destroyed(text_->how()) && this->one_in(2); }

  bool has_read(error_code e, std::size_t n)
  {
    for (std::size_t i = 0; received_ + i < head_.size() && i < n; ++i)
      head_[received_ + i] = this->in_[i];
    if (!text_ && received_ + n >= head_.size()) {
      std::uint32_t id;
      std::memcpy(&id, head_.data(), sizeof id);
      text_.emplace(id);
    }
    if (text_ && !text_->matches(received_, this->in_.data(), n))
      report(total.wrong, text_->id(), "other bytes than were sent have reached the server");
    received_ += n;
    filled_ = n;
    sent_ = 0;
    if (e == asio::error::eof && !this->over_) {
      finish_sending(*this->stream_);
      this->end();
    }
    return goes_on(e, "reads");
  }
  bool has_written(error_code e, std::size_t n)
  {
    sent_ += n;
    return goes_on(e, "writes");
  }
  bool goes_on(error_code e, const char* what)
  {
    return peer<Stream>::goes_on(e, [&] {
      if (text_ && !is_killed(text_->how()))
        report(total.lost, text_->id(), std::string("the server ") + what + ": " + e.message());
      this->end();
    });
  }
  auto rest() { return cut(asio::const_buffer(this->in_.data() + sent_, filled_ - sent_), this->random_); }

  void read()
  {
    this->stream_->async_read_some(
        this->room(), this->on_read([this, self = this->shared_from_this()](error_code e, std::size_t n) {
          if (has_read(e, n)) n ? write() : read();
        }));
  }
  void write()
  {
    auto done = this->on_written([this, self = this->shared_from_this()](error_code e, std::size_t n) {
      if (has_written(e, n)) sent_ == filled_ ? read() : write();
    });
    if (composed())
      asio::async_write(*this->stream_, rest(), std::move(done));
    else
      this->stream_->async_write_some(rest(), std::move(done));
  }

  asio::awaitable<void> run()
  {
    for (;;) {
      operation reading(this->book_);
      const auto [e, n] = co_await this->stream_->async_read_some(this->room(), this->read_awaited());
      reading.complete();
      if (!has_read(e, n)) co_return;
      while (sent_ != filled_) {
        operation writing(this->book_);
        const auto [error, size] =
            composed() ? co_await asio::async_write(*this->stream_, rest(), this->written_awaited())
                       : co_await this->stream_->async_write_some(rest(), this->written_awaited());
        writing.complete();
        if (!has_written(error, size)) co_return;
      }
    }
  }
};

} // namespace soak

#endif // ASIO_URING_TEST_SOAK_SERVER_HPP
