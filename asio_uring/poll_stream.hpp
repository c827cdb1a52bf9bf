// asio_uring/poll_stream.hpp: reports the readiness of a descriptor each time it changes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_POLL_STREAM_HPP
#define ASIO_URING_POLL_STREAM_HPP

#include <asio_uring/detail/engine/use_ring_service.hpp>
#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/detail/op/poll_source.hpp>
#include ASIO_URING_ASIO(async_result.hpp)
#include <memory>
#include <optional>
#include <utility>

namespace asio_uring {

/// Reports each time that a descriptor becomes ready, by one submission: a standing poll.
/**
 * @code
 * asio_uring::poll_stream changes(context, fd, POLLIN);
 * int events = co_await changes.async_next(use_awaitable);
 * @endcode
 *
 * For descriptors that the program or another library owns (an eventfd, inotify, a device, a library's
 * socket). It begins with the first async_next. It reports changes, so read until there is nothing more
 * (EAGAIN). Changes before a call of async_next are reported to it together, once. Spurious reports are
 * possible. Before Linux 5.13 a descriptor is reported as long as it is ready.
 *
 * The descriptor must stay open as long as the stream lives. Thread safety: distinct objects safe, shared
 * ones unsafe. Since Linux 5.11, and with the fallback.
 */
template <typename Executor>
class poll_stream
{
public:
  using executor_type = Executor;

  /// Refers to the descriptor; polling begins with the first async_next.
  /**
   * @param object An execution context, an executor, or an I/O object, which gives its executor.
   * @param fd The program still owns it, and closes it after the stream's destruction.
   * @param events POLLIN, POLLOUT and others of poll(2); POLLERR and POLLHUP are always reported.
   */
  template <detail::submits Object>
  poll_stream(Object&& object, int fd, short events)
      : executor_(detail::executor_of(object)),
        service_(&detail::use_ring_service(detail::context_of(executor_))),
        life_(service_->life()),
        file_(&service_->open_file_state(fd, {.borrowed = true})),
        events_(events)
  {
    service_->will_poll(fd);
  }
  poll_stream(poll_stream&& other) noexcept
      : executor_(other.executor_),
        service_(other.service_),
        life_(std::move(other.life_)),
        file_(std::exchange(other.file_, nullptr)),
        events_(other.events_)
  {}
  poll_stream& operator=(poll_stream&& other) noexcept
  {
    std::swap(executor_, other.executor_);
    std::swap(service_, other.service_);
    std::swap(life_, other.life_);
    std::swap(file_, other.file_);
    std::swap(events_, other.events_);
    return *this;
  }
  /// Cancels waiting operations. From then on the descriptor may be closed.
  ~poll_stream()
  {
    if (file_ && !life_.expired()) file_->close();
  }

  executor_type get_executor() const noexcept { return executor_; }

  /// Waits for the next change.
  /**
   * @param token Completion signature `void(error_code, int)`: the events of poll(2). Several may wait; they
   * are served in order. Cancellation: terminal, partial and total, and the stream's destruction: no event is
   * taken. Errors: bad_descriptor, and the kernel's; operation_aborted.
   */
  template <typename Token = asio::default_completion_token_t<Executor>>
  auto async_next(Token&& token = {})
  {
    return asio::async_initiate<Token, void(error_code, int)>(initiation{this}, token);
  }

private:
  struct initiation
  {
    using executor_type = Executor;
    poll_stream* stream;
    executor_type get_executor() const noexcept { return stream->executor_; }

    template <typename Handler>
    void operator()(Handler&& handler) const
    {
      detail::non_const_lvalue<Handler> kept(handler);
      detail::file_state& file = *stream->file_;
      file.use_source<detail::poll_source>(
          [&] { return std::make_unique<detail::poll_source>(file, stream->events_); });
      using record = detail::handler_operation<detail::next_events_op, std::decay_t<Handler>, Executor>;
      auto describe = [] { return detail::next_events_op(); };
      record::start(*stream->service_, file, detail::is_loop(*stream->service_, stream->executor_), describe,
                    kept.value, stream->executor_, "poll_stream", "async_next");
    }
  };

  Executor executor_;
  detail::ring_service* service_;
  std::weak_ptr<void> life_;
  detail::file_state* file_;
  short events_;
};

/// Whatever gives an executor makes a stream with that.
template <detail::submits Object>
poll_stream(Object&&, int, short) -> poll_stream<detail::executor_of_t<Object>>;

} // namespace asio_uring

#endif // ASIO_URING_POLL_STREAM_HPP
