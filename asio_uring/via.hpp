// asio_uring/via.hpp: performs the operations of a stock stream on io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_VIA_HPP
#define ASIO_URING_VIA_HPP

#include <asio_uring/use_uring.hpp>
#include ASIO_URING_ASIO(basic_stream_socket.hpp)
#include <memory>
#include <utility>

#if defined(ASIO_URING_HAS_BEAST)
namespace boost::beast {

enum class role_type;

namespace websocket {

template <class Protocol, class Executor>
void teardown(role_type, asio::basic_stream_socket<Protocol, Executor>&, system::error_code&);
template <class Protocol, class Executor, class TeardownHandler>
void async_teardown(role_type, asio::basic_stream_socket<Protocol, Executor>&, TeardownHandler&&);

} // namespace websocket
} // namespace boost::beast
#endif

namespace asio_uring {

/// Refers to a stock stream, and performs its asynchronous reads and writes through the io_uring of its
/// context.
/**
 * `Object` is a stream socket, posix::stream_descriptor or pipe of Asio. The view is an AsyncReadStream,
 * AsyncWriteStream, SyncReadStream and SyncWriteStream, as far as the object is one. It serves wherever a
 * stream is expected: asio::async_read, async_write and async_read_until, ssl::stream<view<Socket>>, Beast.
 *
 * @code
 * asio_uring::view stream(socket);
 * co_await asio::async_write(stream, request, use_awaitable);
 * co_await asio::async_read_until(stream, buffer, '\n', use_awaitable);
 * @endcode
 *
 * The view is a pointer, cheap to copy; it owns nothing, and keeps nothing between operations. Composed
 * operations refer to their stream until they have ended, so for them the view must be a variable that lives
 * as long. The object must outlive its views and must not be moved from while they are in use. It may be
 * closed, opened and connected again; operations of views and of the object itself may follow each other. For
 * each operation the conditions of use_uring hold.
 *
 * Thread safety: as the object.
 */
template <typename Object>
class view
{
public:
  using next_layer_type = Object;
  using lowest_layer_type = typename Object::lowest_layer_type;
  using executor_type = typename Object::executor_type;

  /// The view of an object with another executor.
  template <typename Executor>
  struct rebind_executor
  {
    using other = view<typename Object::template rebind_executor<Executor>::other>;
  };

  /// Refers to the object.
  explicit view(Object& object) noexcept : object_(std::addressof(object)) {}

  executor_type get_executor() const noexcept { return object_->get_executor(); }
  Object& next_layer() const noexcept { return *object_; }
  lowest_layer_type& lowest_layer() const noexcept { return object_->lowest_layer(); }

  // The view has only those functions that the object has.

  /// As the object's async_read_some, on io_uring.
  /**
   * Completion signature: void(error_code, std::size_t). Cancellation: terminal, partial, total; a cancelled
   * read loses nothing. Errors: those of the object; error::eof at the end of the stream.
   */
  template <typename Buffers, typename Token = asio::default_completion_token_t<executor_type>,
            typename O = Object>
  auto async_read_some(const Buffers& buffers, Token&& token = Token()) const
      -> decltype(std::declval<O&>().async_read_some(buffers, use_uring(std::declval<O&>(),
                                                                        std::forward<Token>(token))))
  {
    return object_->async_read_some(buffers, use_uring(*object_, std::forward<Token>(token)));
  }

  /// As the object's async_write_some, on io_uring.
  /** Completion signature: void(error_code, std::size_t). Cancellation: terminal, partial, total. */
  template <typename Buffers, typename Token = asio::default_completion_token_t<executor_type>,
            typename O = Object>
  auto async_write_some(const Buffers& buffers, Token&& token = Token()) const
      -> decltype(std::declval<O&>().async_write_some(buffers, use_uring(std::declval<O&>(),
                                                                         std::forward<Token>(token))))
  {
    return object_->async_write_some(buffers, use_uring(*object_, std::forward<Token>(token)));
  }

  /// The object's own, with or without an error_code& as last argument.
  template <typename O = Object, typename Buffers, typename... Error>
  auto read_some(const Buffers& buffers, Error&... ec) const
      -> decltype(std::declval<O&>().read_some(buffers, ec...))
  {
    return object_->read_some(buffers, ec...);
  }
  /// The object's own, with or without an error_code& as last argument.
  template <typename O = Object, typename Buffers, typename... Error>
  auto write_some(const Buffers& buffers, Error&... ec) const
      -> decltype(std::declval<O&>().write_some(buffers, ec...))
  {
    return object_->write_some(buffers, ec...);
  }

private:
  Object* object_;
};

/// Makes a view of a stock stream: `auto stream = asio_uring::via(socket);`.
template <typename Object>
[[nodiscard]] view<Object> via(Object& object) noexcept
{
  return view<Object>(object);
}

#if defined(ASIO_URING_HAS_BEAST)
/// Has Beast's WebSocket end a connection as on the socket itself.
template <typename Socket>
void teardown(boost::beast::role_type role, view<Socket>& v, error_code& ec)
{
  boost::beast::websocket::teardown(role, v.next_layer(), ec);
}
template <typename Socket, typename Handler>
void async_teardown(boost::beast::role_type role, view<Socket>& v, Handler&& handler)
{
  boost::beast::websocket::async_teardown(role, v.next_layer(), std::forward<Handler>(handler));
}
#endif

} // namespace asio_uring

#endif // ASIO_URING_VIA_HPP
