// asio_uring/owned_buffers.hpp: transfers that own their buffer and return it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_OWNED_BUFFERS_HPP
#define ASIO_URING_OWNED_BUFFERS_HPP

#include <asio_uring/config.hpp>
#include ASIO_URING_ASIO(associated_allocator.hpp)
#include ASIO_URING_ASIO(associator.hpp)
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(buffer.hpp)
#include ASIO_URING_ASIO(read.hpp)
#include ASIO_URING_ASIO(read_at.hpp)
#include ASIO_URING_ASIO(recycling_allocator.hpp)
#include ASIO_URING_ASIO(write.hpp)
#include ASIO_URING_ASIO(write_at.hpp)
#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace asio_uring {
namespace detail {

namespace views {
using asio::buffer;
template <typename Buffer>
auto view_of(Buffer& b) -> decltype(buffer(b)) // Asio's buffer(), or one of the type's own namespace
{
  return buffer(b);
}
} // namespace views

template <typename Buffer>
using view_of_t = decltype(views::view_of(std::declval<Buffer&>()));

/// A type with memory of its own, such as a vector, a string or an array; not a view of other memory.
template <typename Buffer>
concept owned_buffer = std::movable<Buffer> && !asio::is_const_buffer_sequence<Buffer>::value &&
                       asio::is_const_buffer_sequence<view_of_t<Buffer>>::value;
template <typename Buffer>
concept owned_mutable_buffer =
    owned_buffer<Buffer> && asio::is_mutable_buffer_sequence<view_of_t<Buffer>>::value;

/// A handler with the buffer of its operation. It is destroyed after the kernel has ended the operation, and
/// the buffer with it. The buffer does not move; its memory is from the handler's allocator.
template <typename Buffer, typename Handler>
class owning_handler
{
public:
  template <typename Given>
  owning_handler(Given&& handler, Buffer&& buffer)
      : handler_(std::forward<Given>(handler)),
        allocator_(asio::get_associated_allocator(handler_, default_allocator())),
        buffer_(nullptr)
  {
    Buffer* const place = traits::allocate(allocator_, 1);
    try {
      buffer_ = new (place) Buffer(std::move(buffer));
    } catch (...) {
      traits::deallocate(allocator_, place, 1);
      throw;
    }
  }
  owning_handler(owning_handler&& other) noexcept(std::is_nothrow_move_constructible_v<Handler>)
      : handler_(std::move(other.handler_)),
        allocator_(other.allocator_),
        buffer_(std::exchange(other.buffer_, nullptr))
  {}
  ~owning_handler() { free(); }

  Buffer& buffer() noexcept { return *buffer_; }

  void operator()(error_code ec, std::size_t size)
  {
    Buffer buffer(std::move(*buffer_));
    free();
    std::move(handler_)(ec, size, std::move(buffer));
  }

  const Handler& handler() const noexcept { return handler_; }

private:
  using default_allocator = asio::recycling_allocator<void>;
  using traits = typename std::allocator_traits<
      asio::associated_allocator_t<Handler, default_allocator>>::template rebind_traits<Buffer>;

  void free() noexcept
  {
    if (!buffer_) return;
    buffer_->~Buffer();
    traits::deallocate(allocator_, std::exchange(buffer_, nullptr), 1);
  }

  Handler handler_;
  [[no_unique_address]] typename traits::allocator_type allocator_;
  Buffer* buffer_;
};

/// `transfer(view, handler)` starts the operation on the buffer in its final place.
template <typename Buffer, typename Transfer, typename Token>
auto transfer_owned(Transfer transfer, Buffer&& buffer, Token&& token)
{
  return asio::async_initiate<Token, void(error_code, std::size_t, Buffer)>(
      [transfer]<typename Handler>(Handler&& handler, Buffer given) { // an lvalue handler is copied
        owning_handler<Buffer, std::decay_t<Handler>> owner(std::forward<Handler>(handler), std::move(given));
        const auto view = views::view_of(owner.buffer());
        transfer(view, std::move(owner));
      },
      token, std::move(buffer));
}

} // namespace detail

// Functions with the names and the meaning of Asio's, into which the buffer is moved, and which return it
// with the result: no buffer has to outlive the operation. `buffer` is a vector, string, array or other type
// that asio::buffer(), or a buffer() of its own namespace, makes a buffer of; all of it takes part.
//
// - completion signature `void(error_code, std::size_t, Buffer)`: the number of bytes transferred, and the
//   buffer at its old size; also with an error;
// - cancellation, errors, thread safety: those of Asio's function on the same object.

/// Reads from an offset (bytes) until the buffer is full, or the file ends: eof, with what was read.
template <typename File, detail::owned_mutable_buffer Buffer,
          asio::completion_token_for<void(error_code, std::size_t, Buffer)> Token =
              asio::default_completion_token_t<typename File::executor_type>>
auto async_read_at(File& file, std::uint64_t offset, Buffer buffer, Token&& token = {})
{
  return detail::transfer_owned<Buffer>(
      [&file, offset](auto view, auto&& handler) {
        asio::async_read_at(file, offset, view, std::move(handler));
      },
      std::move(buffer), std::forward<Token>(token));
}

/// Writes the whole buffer at an offset (bytes).
template <typename File, detail::owned_buffer Buffer,
          asio::completion_token_for<void(error_code, std::size_t, Buffer)> Token =
              asio::default_completion_token_t<typename File::executor_type>>
auto async_write_at(File& file, std::uint64_t offset, Buffer buffer, Token&& token = {})
{
  return detail::transfer_owned<Buffer>(
      [&file, offset](auto view, auto&& handler) {
        asio::async_write_at(file, offset, view, std::move(handler));
      },
      std::move(buffer), std::forward<Token>(token));
}

/// Reads until the buffer is full, or the stream ends: eof, with what was read.
template <typename Stream, detail::owned_mutable_buffer Buffer,
          asio::completion_token_for<void(error_code, std::size_t, Buffer)> Token =
              asio::default_completion_token_t<typename Stream::executor_type>>
auto async_read(Stream& stream, Buffer buffer, Token&& token = {})
{
  return detail::transfer_owned<Buffer>(
      [&stream](auto view, auto&& handler) { asio::async_read(stream, view, std::move(handler)); },
      std::move(buffer), std::forward<Token>(token));
}

/// Writes the whole buffer.
template <typename Stream, detail::owned_buffer Buffer,
          asio::completion_token_for<void(error_code, std::size_t, Buffer)> Token =
              asio::default_completion_token_t<typename Stream::executor_type>>
auto async_write(Stream& stream, Buffer buffer, Token&& token = {})
{
  return detail::transfer_owned<Buffer>(
      [&stream](auto view, auto&& handler) { asio::async_write(stream, view, std::move(handler)); },
      std::move(buffer), std::forward<Token>(token));
}

/// Receives at least a byte, as much as is there.
template <typename Socket, detail::owned_mutable_buffer Buffer,
          asio::completion_token_for<void(error_code, std::size_t, Buffer)> Token =
              asio::default_completion_token_t<typename Socket::executor_type>>
auto async_receive(Socket& socket, Buffer buffer, Token&& token = {})
{
  return detail::transfer_owned<Buffer>(
      [&socket](auto view, auto&& handler) { socket.async_receive(view, std::move(handler)); },
      std::move(buffer), std::forward<Token>(token));
}

/// Sends at least a byte, as much as there is room for.
template <typename Socket, detail::owned_buffer Buffer,
          asio::completion_token_for<void(error_code, std::size_t, Buffer)> Token =
              asio::default_completion_token_t<typename Socket::executor_type>>
auto async_send(Socket& socket, Buffer buffer, Token&& token = {})
{
  return detail::transfer_owned<Buffer>(
      [&socket](auto view, auto&& handler) { socket.async_send(view, std::move(handler)); },
      std::move(buffer), std::forward<Token>(token));
}

} // namespace asio_uring

/// The associated executor, allocator, cancellation slot and others are the inner handler's.
template <template <typename, typename> class Associator, typename Buffer, typename Handler,
          typename DefaultCandidate>
struct asio_uring::asio::associator<Associator, asio_uring::detail::owning_handler<Buffer, Handler>,
                                    DefaultCandidate> : Associator<Handler, DefaultCandidate>
{
  using owner = asio_uring::detail::owning_handler<Buffer, Handler>;
  static auto get(const owner& h) noexcept { return Associator<Handler, DefaultCandidate>::get(h.handler()); }
  static auto get(const owner& h, const DefaultCandidate& c) noexcept
  {
    return Associator<Handler, DefaultCandidate>::get(h.handler(), c);
  }
};

#endif // ASIO_URING_OWNED_BUFFERS_HPP
