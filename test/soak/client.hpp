// test/soak/client.hpp: the end of a stream that sends, and checks what comes back.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SOAK_CLIENT_HPP
#define ASIO_URING_TEST_SOAK_CLIENT_HPP

#include "peer.hpp"

#include <functional>

namespace soak {

/// Sends its bytes and checks that they come back; calls `done` at the end.
template <class Stream>
class client : public peer<Stream>, public std::enable_shared_from_this<client<Stream>>
{
  const numbered_stream text_;
  const bool killed_ = is_killed(text_.how());
  const bool composed_ = !is_destroyed(text_.how()) && this->one_in(2);
  std::function<void(bool refused)> done_;
  std::array<char, 1 << 15> out_;
  std::uint64_t size_ = UINT64_MAX, sent_ = 0, received_ = 0;
  asio::steady_timer pause_;
  clock_type::time_point last_progress_ = clock_type::now();
  clock_type::time_point reads_from_ = last_progress_;

public:
  client(const strand& executor, ledger& book, std::function<void(bool)> done, std::uint32_t id)
      : peer<Stream>(executor, book, id), text_(id), done_(std::move(done)), pause_(executor)
  {
    ++total.sessions;
    this->stream_ = std::make_unique<Stream>(executor);
    if (text_.how() == manner::steady) size_ = random_size(this->random_, 21);
    if (text_.how() == manner::dribbling) size_ = random_size(this->random_, 12);
    if (text_.how() == manner::slow_reading) {
      size_ = 2'000'000;
      reads_from_ += 400ms;
    }
  }
  ~client()
  {
    if (!this->over_) ++total.abandoned;
  }

  void start_pipe()
  {
    error_code e;
    asio::connect_pipe(this->stream_->in, this->stream_->out, e);
    e ? refuse(e) : begin();
  }
  template <class Endpoint>
  void start(const Endpoint& to)
  {
    error_code e;
    this->stream_->open(to.protocol(), e);
    if (e) return refuse(e);
    if (text_.how() == manner::slow_reading)
      this->stream_->set_option(asio::socket_base::receive_buffer_size(8192), e);
    this->stream_->async_connect(to, this->on_read([this, self = this->shared_from_this()](error_code e) {
      e ? refuse(e) : begin();
    }));
    if (this->one_in(50)) {
      ++total.slot_cancels;
      this->reading_.emit(asio::cancellation_type::terminal);
    }
  }

private:
  void complain(counter& what, const std::string& text)
  {
    report(what, text_.id(),
           std::string(name_of<Stream>) + ", manner " + std::to_string(static_cast<int>(text_.how())) +
               (this->coroutines_ ? ", coroutine" : ", callback") + (composed_ ? ", composed" : "") + ": " +
               text + "; " + std::to_string(sent_) + " sent, " + std::to_string(received_) + " back of " +
               std::to_string(size_));
  }

  void end()
  {
    if (this->over_) return;
    peer<Stream>::end();
    over();
  }
  void over()
  {
    pause_.cancel();
    done_(false);
  }
  // Called when a session cannot start: there are no descriptors, the backlog of a UNIX listener is full, or
  // the connect was cancelled.
  void refuse(error_code e)
  {
    ++total.refused;
    if (e == asio::error::no_descriptors)
      ++total.no_descriptor;
    else if (e != asio::error::operation_aborted && e != asio::error::try_again)
      complain(total.lost, "connect: " + e.message());
    peer<Stream>::end();
    done_(true);
  }

  void begin()
  {
    this->from_time_to_time(this->shared_from_this(), &client::look);
    if (this->coroutines_) {
      this->spawn(this->shared_from_this(), &client::send_all);
      this->spawn(this->shared_from_this(), &client::receive_all);
    } else {
      send();
      receive();
    }
  }

  void look()
  {
    if (killed_ && !is_killed_by_server(text_.how()) && this->one_in(16)) {
      ++total.killed;
      this->kill(text_.how());
      over();
    } else if (clock_type::now() - last_progress_ > patience) {
      complain(total.lost, "nothing comes any more");
      end();
    } else {
      // A pipe has no server of its own.
      if (std::is_same_v<Stream, pipe_ends> && is_killed_by_server(text_.how()) && this->one_in(16)) {
        ++total.killed;
        this->kill(text_.how());
        return over();
      }
      this->disturb();
    }
  }

  bool has_sent(error_code e, std::size_t n)
  {
    last_progress_ = clock_type::now();
    sent_ += n;
    if (!goes_on(e, "write")) return false;
    if (sent_ != size_) return true;
    finish_sending(*this->stream_);
    return false;
  }
  bool has_received(error_code e, std::size_t n)
  {
    if (n) last_progress_ = clock_type::now();
    total.bytes += n;
    if (!text_.matches(received_, this->in_.data(), n)) complain(total.wrong, "other bytes than were sent");
    received_ += n;
    if (!this->over_ && !killed_ && e == asio::error::eof && received_ == size_) {
      ++total.whole;
      end();
    }
    return goes_on(e, "read");
  }
  bool goes_on(error_code e, const char* what)
  {
    return peer<Stream>::goes_on(e, [&] {
      if (killed_)
        ++total.killed;
      else
        complain(total.lost, std::string(what) + ": " + e.message());
      end();
    });
  }

  auto next()
  {
    std::size_t n = random_size(this->random_, text_.how() == manner::dribbling ? 6 : 16);
    n = static_cast<std::size_t>(std::min<std::uint64_t>({n, out_.size(), size_ - sent_}));
    text_.copy(sent_, out_.data(), n);
    return cut(asio::const_buffer(out_.data(), n), this->random_);
  }

  void send()
  {
    auto done = this->on_written([this, self = this->shared_from_this()](error_code e, std::size_t n) {
      if (!has_sent(e, n)) return;
      if (text_.how() != manner::dribbling) return send();
      pause_.expires_after(5ms);
      auto expired = [this, self](error_code) {
        if (!this->over_) send();
      };
      pause_.async_wait(counted<decltype(expired)>{operation(this->book_), expired});
    });
    if (composed_)
      asio::async_write(*this->stream_, next(), std::move(done));
    else
      this->stream_->async_write_some(next(), std::move(done));
  }
  void receive()
  {
    auto done = this->on_read([this, self = this->shared_from_this()](error_code e, std::size_t n) {
      if (has_received(e, n)) receive();
    });
    if (clock_type::now() < reads_from_) {
      pause_.expires_at(reads_from_);
      pause_.async_wait([done = std::move(done)](error_code) mutable { done(error_code(), 0); });
    } else if (composed_) {
      asio::async_read(*this->stream_, this->room(), asio::transfer_at_least(64), std::move(done));
    } else {
      this->stream_->async_read_some(this->room(), std::move(done));
    }
  }

  asio::awaitable<void> send_all()
  {
    for (;;) {
      operation writing(this->book_);
      const auto [e, n] = composed_
                              ? co_await asio::async_write(*this->stream_, next(), this->written_awaited())
                              : co_await this->stream_->async_write_some(next(), this->written_awaited());
      writing.complete();
      if (!has_sent(e, n)) co_return;
      if (text_.how() != manner::dribbling) continue;
      operation pausing(this->book_);
      pause_.expires_after(5ms);
      co_await pause_.async_wait(awaited);
      pausing.complete();
      if (this->over_) co_return;
    }
  }
  asio::awaitable<void> receive_all()
  {
    if (clock_type::now() < reads_from_) {
      operation pausing(this->book_);
      pause_.expires_at(reads_from_);
      co_await pause_.async_wait(awaited);
      pausing.complete();
      if (this->over_) co_return;
    }
    for (;;) {
      operation reading(this->book_);
      const auto [e, n] = composed_
                              ? co_await asio::async_read(*this->stream_, this->room(),
                                                          asio::transfer_at_least(64), this->read_awaited())
                              : co_await this->stream_->async_read_some(this->room(), this->read_awaited());
      reading.complete();
      if (!has_received(e, n)) co_return;
    }
  }
};

} // namespace soak

#endif // ASIO_URING_TEST_SOAK_CLIENT_HPP
