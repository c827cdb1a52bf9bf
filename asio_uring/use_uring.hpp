// asio_uring/use_uring.hpp: one operation of a stock object on io_uring, by its completion token.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_USE_URING_HPP
#define ASIO_URING_USE_URING_HPP

#include <asio_uring/detail/object/initiation.hpp>
#include ASIO_URING_ASIO(associated_executor.hpp)
#include ASIO_URING_ASIO(async_result.hpp)
#include ASIO_URING_ASIO(use_awaitable.hpp)
#include <memory>
#include <type_traits>
#include <utility>

namespace asio_uring {

/// A completion token that performs the operation through the io_uring of the object's context, and completes
/// it as the token inside says. Made by use_uring.
template <typename Token = asio::use_awaitable_t<>, typename Object = void>
class use_uring_t
{
public:
  /// Tells the default constructor from the others, as in Asio's tokens.
  struct default_constructor_tag
  {};

  /// Makes the default token around a token, a default-constructed one if none is given.
  constexpr use_uring_t(default_constructor_tag = {}, Token token = Token()) : token_(std::move(token)) {}

  /// For use_uring.
  template <typename T>
  constexpr explicit use_uring_t(T&& token, Object* object = nullptr)
      : token_(std::forward<T>(token)), object_(object)
  {}

  /// An executor whose I/O objects have this token as their default.
  template <typename InnerExecutor>
  struct executor_with_default : InnerExecutor
  {
    /// The name that Asio looks for.
    using default_completion_token_type = use_uring_t;

    /// Converts an executor that converts to the inner one.
    template <typename InnerExecutor1>
    executor_with_default(const InnerExecutor1& ex) noexcept
        requires(!std::is_same_v<InnerExecutor1, executor_with_default> &&
                 std::is_convertible_v<InnerExecutor1, InnerExecutor>)
        : InnerExecutor(ex)
    {}
  };

  /// The type of an I/O object with this token as its default.
  template <typename T>
  using as_default_on_t =
      typename T::template rebind_executor<executor_with_default<typename T::executor_type>>::other;

  /// An I/O object with this token as its default.
  template <typename T>
  static as_default_on_t<std::decay_t<T>> as_default_on(T&& object)
  {
    return as_default_on_t<std::decay_t<T>>(std::forward<T>(object));
  }

  // private:
  Token token_;
  [[no_unique_address]] detail::object_pointer<Object> object_;
};

/// The type of use_uring.
class partial_use_uring
{
public:
  constexpr partial_use_uring() = default;

  /// Makes a token that completes as the token inside does.
  template <typename Token>
  [[nodiscard]] constexpr use_uring_t<std::decay_t<Token>> operator()(Token&& token) const
  {
    return use_uring_t<std::decay_t<Token>>(std::forward<Token>(token));
  }

  /// The same for an operation of this object.
  template <typename Object, typename Token>
  [[nodiscard]] constexpr use_uring_t<std::decay_t<Token>, Object> operator()(Object& object,
                                                                              Token&& token) const
  {
    return use_uring_t<std::decay_t<Token>, Object>(std::forward<Token>(token), std::addressof(object));
  }
};

/// Puts one operation of a stock I/O object on io_uring.
/**
 * @code
 * asio::ip::tcp::socket socket(context); // stock, whatever its executor
 * co_await socket.async_read_some(buffer, asio_uring::use_uring(use_awaitable));
 * socket.async_write_some(buffer, asio_uring::use_uring(handler));
 * co_await socket.async_connect(endpoint, asio_uring::use_uring);
 * @endcode
 *
 * - `use_uring(token)`: completes as `token` does. It must be the outermost token:
 *   `use_uring(as_tuple(token))`, not `as_tuple(use_uring(token))`.
 * - `use_uring`: around the default token of the object's executor, or use_awaitable if it has none.
 * - `use_uring(object, token)`: the token carries the object; otherwise it is found in the operation.
 * - `use_uring_t<Token>::as_default_on(object)`: makes it the default token of an I/O object.
 *
 * Works for the operations of sockets (all but async_receive of sequenced packets), acceptors, descriptors
 * and pipes. For composed operations (async_read, async_write, Beast, TLS) wrap the object: asio_uring::via.
 * On an object that is on io_uring already, it does what the token inside does.
 *
 * Completion signature, errors and cancellation types are those of the operation. The object's cancel(),
 * close(), release() and destruction end it with error::operation_aborted, as they do with the object's own
 * operations. The operation ends when the context runs next; until then the kernel may keep the connection
 * open. Such an end counts as one more handler in what run() returns.
 *
 * The ring waits for readiness, and the call is made when the handler is about to run. So a cancelled read
 * loses nothing, and `options.path` has no effect. Start one read and one write at a time per object:
 * operations with the token and stock ones do not queue behind each other. While one with the token is in
 * flight, stock operations for exceptional conditions (async_wait(wait_error), out-of-band receives) that are
 * started later wait for its end.
 *
 * The first operation sets up the context's ring, as use_io_uring(context) does. Because of the stock object
 * the context has a reactor by then, which watches the ring.
 *
 * @throws from the initiating function what use_io_uring throws, if the context has no ring and none can be
 * set up. Thread safety: as the object. Since Linux 5.11.
 */
inline constexpr partial_use_uring use_uring{};

namespace detail {

/// The token that use_uring without a token stands for, given the executor's default token.
template <typename Default>
struct completed_token
{
  using type = use_uring_t<Default>;
};
template <>
struct completed_token<void>
{
  using type = use_uring_t<>;
};
template <>
struct completed_token<partial_use_uring>
{
  using type = use_uring_t<>;
};
template <typename Token, typename Object>
struct completed_token<use_uring_t<Token, Object>>
{
  using type = use_uring_t<Token, Object>;
};

template <typename Initiation>
using completed_token_t = typename completed_token<
    asio::default_completion_token_t<asio::associated_executor_t<std::decay_t<Initiation>>>>::type;

} // namespace detail
} // namespace asio_uring

template <typename Token, typename Object, typename... Signatures>
struct asio_uring::asio::async_result<asio_uring::use_uring_t<Token, Object>, Signatures...>
{
  template <typename Initiation, typename RawToken, typename... Args>
  static auto initiate(Initiation&& initiation, RawToken&& token, Args&&... args)
      -> decltype(async_initiate<Token, Signatures...>(
          std::declval<asio_uring::detail::ring_initiation<std::decay_t<Initiation>, Object>>(),
          std::declval<Token&>(), std::forward<Args>(args)...))
  {
    // The token may be move-only, or refer to the object that holds it.
    auto inner = std::forward<RawToken>(token).token_;
    return async_initiate<Token, Signatures...>(
        asio_uring::detail::ring_initiation<std::decay_t<Initiation>, Object>(
            std::forward<Initiation>(initiation), token.object_),
        inner, std::forward<Args>(args)...);
  }
};

template <typename... Signatures>
struct asio_uring::asio::async_result<asio_uring::partial_use_uring, Signatures...>
{
  template <typename Initiation, typename RawToken, typename... Args>
  static auto initiate(Initiation&& initiation, RawToken&&, Args&&... args)
      -> decltype(async_initiate<asio_uring::detail::completed_token_t<Initiation>, Signatures...>(
          std::forward<Initiation>(initiation),
          std::declval<asio_uring::detail::completed_token_t<Initiation>&>(), std::forward<Args>(args)...))
  {
    asio_uring::detail::completed_token_t<Initiation> token;
    return async_initiate<asio_uring::detail::completed_token_t<Initiation>, Signatures...>(
        std::forward<Initiation>(initiation), token, std::forward<Args>(args)...);
  }
};

#endif // ASIO_URING_USE_URING_HPP
