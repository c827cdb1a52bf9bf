// test/soak/peer.hpp: the common part of both ends of a stream: reads, writes, cancellation, being killed.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_SOAK_PEER_HPP
#define ASIO_URING_TEST_SOAK_PEER_HPP

#include "numbered_stream.hpp"

#include <memory>

namespace soak {

/// Both ends of a pipe, as one stream: what is written comes back.
struct pipe_ends
{
  asio::readable_pipe in;
  asio::writable_pipe out;

  using executor_type = asio::any_io_executor;
  explicit pipe_ends(const strand& executor) : in(executor), out(executor) {}
  executor_type get_executor() { return in.get_executor(); }
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token)
  {
    return in.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token)
  {
    return out.async_write_some(buffers, std::forward<Token>(token));
  }
  void cancel(error_code& e)
  {
    in.cancel(e);
    out.cancel(e);
  }
  void close(error_code& e)
  {
    in.close(e);
    out.close(e);
  }
};

template <class Socket>
void finish_sending(Socket& socket)
{
  error_code ignored;
  socket.shutdown(asio::socket_base::shutdown_send, ignored);
}
inline void finish_sending(pipe_ends& ends)
{
  error_code ignored;
  ends.out.close(ignored);
}

template <class Socket>
void close_with_reset(Socket& socket)
{
  error_code ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}
inline void close_with_reset(pipe_ends& ends)
{
  error_code ignored;
  ends.close(ignored);
}

template <class Stream>
inline constexpr const char* name_of = "UNIX stream";
template <>
inline constexpr const char* name_of<pipe_ends> = "pipe";
template <class Executor>
inline constexpr const char* name_of<asio::basic_stream_socket<tcp, Executor>> = "TCP stream";

/// The common part of client and server. Used in its strand only.
template <class Stream>
class peer
{
protected:
  ledger& book_;
  random_engine random_;
  std::unique_ptr<Stream> stream_;
  asio::cancellation_signal reading_, writing_;
  asio::steady_timer timer_;
  std::array<char, 1 << 14> in_;
  const bool coroutines_ = one_in(2);
  bool over_ = false;

  peer(const strand& executor, ledger& book, std::uint32_t seed)
      : book_(book), random_(seed), timer_(executor)
  {}

  bool one_in(unsigned n) { return random_() % n == 0; }

  template <class F>
  auto on_read(F f)
  {
    return asio::bind_cancellation_slot(reading_.slot(), counted<F>{operation(book_), std::move(f)});
  }
  template <class F>
  auto on_written(F f)
  {
    return asio::bind_cancellation_slot(writing_.slot(), counted<F>{operation(book_), std::move(f)});
  }
  auto read_awaited() { return asio::bind_cancellation_slot(reading_.slot(), awaited); }
  auto written_awaited() { return asio::bind_cancellation_slot(writing_.slot(), awaited); }

  template <class Self>
  void spawn(std::shared_ptr<Self> self, asio::awaitable<void> (Self::*loop)())
  {
    asio::co_spawn(
        timer_.get_executor(), [self, loop] { return (self.get()->*loop)(); },
        counted{operation(book_), [self](std::exception_ptr e) {
                  if (e) report(total.wrong, 0, "a coroutine ended with an exception");
                }});
  }

  /// Whether a session goes on after an operation; `failed()` ends one that does not.
  template <class F>
  bool goes_on(error_code e, F failed)
  {
    if (over_) return false;
    if (e == asio::error::operation_aborted) ++total.aborted;
    if (!e || e == asio::error::operation_aborted) return true;
    failed();
    return false;
  }

  auto room() { return cut(asio::buffer(in_, random_size(random_, 15)), random_); }

  /// Calls f now and then, until the session ends.
  template <class Self>
  void from_time_to_time(std::shared_ptr<Self> self, void (Self::*f)())
  {
    const auto due = clock_type::now() + std::chrono::microseconds(random_() % 60'000);
    timer_.expires_at(due);
    auto expired = [this, self, f, due](error_code e) {
      ++total.timers;
      if (!e && clock_type::now() < due) report(total.wrong, 0, "a timer was early");
      if (over_) return;
      (self.get()->*f)();
      if (!over_) from_time_to_time(self, f);
    };
    timer_.async_wait(counted<decltype(expired)>{operation(book_), expired});
  }

  /// Cancels operations, which are then started again where they stopped.
  void disturb()
  {
    error_code ignored;
    constexpr asio::cancellation_type types[] = {
        asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total};
    switch (random_() % 4) {
    case 0:
      ++total.slot_cancels;
      return reading_.emit(types[random_() % 3]);
    case 1:
      ++total.slot_cancels;
      return writing_.emit(types[random_() % 3]);
    case 2:
      ++total.cancels;
      stream_->cancel(ignored);
    }
  }

  void kill(manner m)
  {
    switch (m) {
    case manner::reset:
    case manner::reset_by_server:
      ++total.resets;
      close_with_reset(*stream_);
      break;
    case manner::destroy:
    case manner::destroy_by_server:
      ++total.destructions;
      stream_.reset(); // no composed operation is in flight then: it would use a destroyed stream
      break;
    default:
      ++total.closes;
    }
    end();
  }

  void end()
  {
    over_ = true;
    timer_.cancel();
    error_code ignored;
    if (stream_) stream_->close(ignored);
  }
};

} // namespace soak

#endif // ASIO_URING_TEST_SOAK_PEER_HPP
