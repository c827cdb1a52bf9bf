// asio_uring/via.hpp: a stock stream socket as a stream on io_uring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_VIA_HPP
#define ASIO_URING_VIA_HPP

#include <asio_uring/use_uring.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <cstddef>
#include <memory>
#include <utility>

namespace boost::beast {
enum class role_type;
}

namespace asio_uring {

/// Refers to a stock stream socket, and performs its reads and writes through the io_uring of its context.
/**
 * An AsyncReadStream, AsyncWriteStream, SyncReadStream and SyncWriteStream for all that takes a stream:
 * asio::async_read, async_write and async_read_until, ssl::stream<view<Socket>>, Beast.
 *
 * A pointer, and cheap to copy: the view owns and keeps nothing between operations. The object must outlive
 * its views and must not be moved from while they are used; it may be closed, opened and connected again, and
 * operations of views and of the object itself may follow each other. What holds for operations is said at
 * use_uring.
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
  using protocol_type = typename Object::protocol_type;
  using endpoint_type = typename Object::endpoint_type;

  /// The view of an object with another executor.
  template <typename Executor>
  struct rebind_executor
  {
    using other = view<typename Object::template rebind_executor<Executor>::other>;
  };

  explicit view(Object& object) noexcept : object_(std::addressof(object)) {}

  executor_type get_executor() const noexcept { return object_->get_executor(); }
  Object& next_layer() const noexcept { return *object_; }
  lowest_layer_type& lowest_layer() const noexcept { return object_->lowest_layer(); }

  /// As the object's async_read_some, on io_uring.
  /**
   * Completion signature: void(error_code, std::size_t). Cancellation: terminal, partial, total; a cancelled
   * read has lost nothing. Errors: those of the object; error::eof at the end of the stream.
   */
  template <typename MutableBufferSequence,
            typename Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_read_some(const MutableBufferSequence& buffers, Token&& token = Token()) const
  {
    return object_->async_read_some(buffers, use_uring(*object_, std::forward<Token>(token)));
  }

  /// As the object's async_write_some, on io_uring.
  /** Completion signature: void(error_code, std::size_t). Cancellation: terminal, partial, total. */
  template <typename ConstBufferSequence,
            typename Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_write_some(const ConstBufferSequence& buffers, Token&& token = Token()) const
  {
    return object_->async_write_some(buffers, use_uring(*object_, std::forward<Token>(token)));
  }

  // The object's own synchronous functions.

  template <typename MutableBufferSequence>
  std::size_t read_some(const MutableBufferSequence& buffers) const
  {
    return object_->read_some(buffers);
  }
  template <typename MutableBufferSequence>
  std::size_t read_some(const MutableBufferSequence& buffers, boost::system::error_code& ec) const
  {
    return object_->read_some(buffers, ec);
  }
  template <typename ConstBufferSequence>
  std::size_t write_some(const ConstBufferSequence& buffers) const
  {
    return object_->write_some(buffers);
  }
  template <typename ConstBufferSequence>
  std::size_t write_some(const ConstBufferSequence& buffers, boost::system::error_code& ec) const
  {
    return object_->write_some(buffers, ec);
  }

  // The end of a connection, for Beast's WebSocket.

  template <typename Role>
  friend void teardown(Role role, view& v, boost::system::error_code& ec)
  requires std::same_as<Role, boost::beast::role_type>
  {
    teardown(role, v.next_layer(), ec);
  }
  template <typename Role, typename Handler>
  friend void async_teardown(Role role, view& v, Handler&& handler)
  requires std::same_as<Role, boost::beast::role_type>
  {
    async_teardown(role, v.next_layer(), std::forward<Handler>(handler));
  }

private:
  Object* object_;
};

/// A view of a stock stream socket, for composed operations: `async_read(asio_uring::via(socket), ...)`.
template <typename Object>
[[nodiscard]] view<Object> via(Object& object) noexcept
{
  return view<Object>(object);
}

} // namespace asio_uring

#endif // ASIO_URING_VIA_HPP
