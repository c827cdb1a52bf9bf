// asio_uring/detail/object/send_file_steps.hpp: the composed operation that sends a part of a file.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_SEND_FILE_STEPS_HPP
#define ASIO_URING_DETAIL_OBJECT_SEND_FILE_STEPS_HPP

#include <algorithm>
#include <asio_uring/detail/asio/doors.hpp>
#include <asio_uring/detail/object/service_on_ring.hpp>
#include <asio_uring/detail/op/send_file.hpp>
#include <asio_uring/detail/op/transfer.hpp>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(buffer.hpp)
#include ASIO_URING_ASIO(cancellation_state.hpp)
#include ASIO_URING_ASIO(cancellation_type.hpp)
#include ASIO_URING_ASIO(error.hpp)
#include ASIO_URING_ASIO(post.hpp)
#include ASIO_URING_ASIO(write.hpp)

namespace asio_uring::detail {

/// Starts a step, made by `describe(descriptor)`, as one of the socket's operations: the socket's cancel()
/// and close() end it.
template <typename Socket>
class initiate_step_on_socket
{
public:
  using executor_type = typename Socket::executor_type;

  explicit initiate_step_on_socket(Socket& socket) : socket_(&socket) {}
  executor_type get_executor() const noexcept { return socket_->get_executor(); }

  template <typename Handler, typename Describe>
  void operator()(Handler&& handler, Describe&& describe)
  {
    non_const_lvalue<Handler> kept(handler);
    auto& impl = impl_of(*socket_);
    auto& implementation = impl.get_implementation();
    std::optional<int> result;
    error_code ec;
    // sendfile(2) has no flag for not blocking.
    if (socket_->is_open() && !set_non_blocking(implementation, ec)) result = -ec.value();
    impl.get_service().start(
        implementation, result, [&] { return describe(descriptor_of(implementation)); }, kept.value,
        impl.get_executor(), "socket", "async_send_file");
  }

private:
  Socket* socket_;
};

/// The implementation for asio::async_compose of an operation with the signature void(error_code,
/// std::uint64_t).
/**
 * A long part is sent within the kernel, by a thread, which may wait for the disk but never for the peer. For
 * a short one that costs more than it saves: it is read, then written as any other buffer.
 */
template <typename Socket, typename File>
class send_file_steps
{
public:
  send_file_steps(Socket& socket, File& file, std::uint64_t offset, std::optional<std::uint64_t> length)
      : socket_(socket), file_(file), at_(offset), left_(length.value_or(no_limit)), limited_(length)
  {}

  template <typename Self>
  void operator()(Self& self, error_code ec = {}, std::size_t size = 0)
  {
    const step last = std::exchange(step_, step::none);
    begun_ = last != step::begin;
    // The step had ended when the socket was closed, but its handler had not run yet.
    if (ec == asio::error::bad_descriptor && !socket_.is_open()) ec = asio::error::operation_aborted;
    switch (last) {
    case step::begin:
      self.reset_cancellation_state(asio::enable_partial_cancellation());
      return begin(self);
    case step::read:
      return ec || size == 0 ? end(self, ec ? ec : at_the_end()) : write(self, size);
    case step::write:
      count(size);
      return ec ? end(self, ec) : go_on(self);
    case step::send:
      return sent(self, ec, size);
    case step::wait:
      return ec ? end(self, ec) : go_on(self);
    case step::none:
      return end(self, result_);
    }
  }

private:
  enum class step : unsigned char
  {
    begin,
    read,
    write,
    send, ///< within the kernel
    wait, ///< for room in the socket
    none
  };

  static constexpr std::uint64_t most_offset = std::numeric_limits<std::int64_t>::max();
  static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
  /// A thread needs a wake-up each way, which costs about as much as copying that many bytes twice.
  static constexpr std::uint64_t short_part = 128 * 1024;
  static constexpr std::uint64_t most_read = 64 * 1024;
  /// What a pipe may hold without privilege, in pages. Limited, since a call cannot be cancelled and others
  /// wait for the thread.
  static constexpr std::uint64_t most_sent = 1024 * 1024, page = 4096;

  template <typename Self>
  void begin(Self& self)
  {
    if (!socket_.is_open()) return end(self, asio::error::bad_descriptor);
    if (!is_offset(at_)) return end(self, asio::error::invalid_argument);
    go_on(self);
  }

  template <typename Self>
  void go_on(Self& self)
  {
    if (begun_ && left_ == 0) return end(self, {});
    if (self.cancelled() != asio::cancellation_type::none) return end(self, asio::error::operation_aborted);
    const std::int64_t found = end_of_file(file_.native_handle());
    if (found < 0) return end(self, error_of(static_cast<int>(found)));
    if (left_ == 0) return end(self, {});
    next(self, static_cast<std::uint64_t>(found));
  }

  // Asks for no more than the file has: kernels before 6.5 hold back the last segment for a while if more
  // could follow.
  template <typename Self>
  void next(Self& self, std::uint64_t end_of_file)
  {
    const std::uint64_t known = std::min(left_, end_of_file > at_ ? end_of_file - at_ : 0);
    const int file = file_.native_handle();
    const std::uint64_t at = at_;
    if (known > short_part && !reads_) {
      const auto size = asked_ = static_cast<unsigned>(std::min(known, most_sent - at % page));
      step_ = step::send;
      start(self, [=](int socket) { return send_file_op(socket, file, at, size); });
    } else {
      const auto size = static_cast<unsigned>(std::min({left_, most_read, most_offset - at_}));
      if (!block_) block_.reset(new (std::nothrow) char[most_read]);
      if (!block_) return end(self, asio::error::no_memory);
      step_ = step::read;
      start(self, [=, memory = block_.get()](int) { return read_to_send_op(file, at, memory, size); });
    }
  }

  template <typename Self, typename Describe>
  void start(Self& self, Describe describe)
  {
    asio::async_initiate<Self, void(error_code, std::size_t)>(initiate_step_on_socket(socket_), self,
                                                              std::move(describe));
  }

  template <typename Self>
  void write(Self& self, std::size_t size)
  {
    if (self.cancelled() != asio::cancellation_type::none) return end(self, asio::error::operation_aborted);
    step_ = step::write;
    asio::async_write(socket_, asio::buffer(block_.get(), size), std::move(self));
  }

  template <typename Self>
  void sent(Self& self, error_code ec, std::size_t size)
  {
    count(size);
    if (ec == asio::error::invalid_argument || ec == asio::error::operation_not_supported ||
        ec.value() == ENOSYS) {
      reads_ = true; // the file system, or a sandbox, does not allow splice
      return go_on(self);
    }
    if (ec && ec != asio::error::try_again) return end(self, ec);
    if (!ec && size == 0) return end(self, at_the_end());
    if (size == asked_ || left_ == 0 || self.cancelled() != asio::cancellation_type::none) return go_on(self);
    step_ = step::wait;
    socket_.async_wait(Socket::wait_write, std::move(self));
  }

  void count(std::size_t size) noexcept
  {
    sent_ += size;
    at_ += size;
    left_ -= left_ == no_limit ? 0 : size;
  }

  error_code at_the_end() const { return limited_ ? asio::error::eof : error_code(); }

  /// Completes. If nothing was started, it posts itself first: the handler must not run within the initiating
  /// function.
  template <typename Self>
  void end(Self& self, error_code ec)
  {
    block_.reset(); // before the handler is called
    if (begun_) return self.complete(ec, sent_);
    result_ = ec;
    const auto executor = socket_.get_executor();
    asio::post(executor, std::move(self));
  }

  Socket& socket_;
  File& file_;
  std::uint64_t at_;
  std::uint64_t left_;
  std::uint64_t sent_ = 0;
  std::unique_ptr<char[]> block_;
  unsigned asked_ = 0;
  error_code result_;
  step step_ = step::begin;
  bool begun_ = false;
  bool limited_;
  bool reads_ = false; // never sends within the kernel
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_SEND_FILE_STEPS_HPP
