// asio_uring/detail/object/initiation.hpp: finds out which operation of which object Asio is about to
// initiate.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_INITIATION_HPP
#define ASIO_URING_DETAIL_OBJECT_INITIATION_HPP

#include <asio_uring/detail/object/stock_object.hpp>
#include <asio_uring/enable_io_uring.hpp>
#include <bit>
#include ASIO_URING_ASIO(associated_executor.hpp)
#include ASIO_URING_ASIO(async_result.hpp)
#include <cassert>
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace asio_uring::detail {

/// A completion token that yields the type of an operation's initiation, which is a private class of the
/// object, and starts nothing.
struct initiation_probe
{};

} // namespace asio_uring::detail

template <typename... Signatures>
struct asio_uring::asio::async_result<asio_uring::detail::initiation_probe, Signatures...>
{
  template <typename Initiation, typename RawToken, typename... Args>
  static std::type_identity<std::decay_t<Initiation>> initiate(Initiation&&, RawToken&&, Args&&...);
};

namespace asio_uring::detail {

/// The operations that can be told apart.
enum class operation_kind
{
  wait,
  connect,
  receive,
  send,
  read,
  write,
  receive_from,
  send_to,
  accept,
  move_accept,
  other
};

// Calls each operation, unevaluated: only the type of the result is used.
template <operation_kind Kind>
using ask = std::integral_constant<operation_kind, Kind>;
inline constexpr initiation_probe probe{};
template <typename Object>
auto initiation_of(ask<operation_kind::wait>, Object& o) -> decltype(o.async_wait(Object::wait_read, probe));
template <typename Object>
auto initiation_of(ask<operation_kind::connect>, Object& o)
    -> decltype(o.async_connect(std::declval<typename Object::endpoint_type&>(), probe));
template <typename Object>
auto initiation_of(ask<operation_kind::receive>, Object& o)
    -> decltype(o.async_receive(asio::mutable_buffer(), probe));
template <typename Object>
auto initiation_of(ask<operation_kind::send>, Object& o)
    -> decltype(o.async_send(asio::const_buffer(), probe));
template <typename Object>
auto initiation_of(ask<operation_kind::read>, Object& o)
    -> decltype(o.async_read_some(asio::mutable_buffer(), probe));
template <typename Object>
auto initiation_of(ask<operation_kind::write>, Object& o)
    -> decltype(o.async_write_some(asio::const_buffer(), probe));
template <typename Object>
auto initiation_of(ask<operation_kind::receive_from>, Object& o)
    -> decltype(o.async_receive_from(asio::mutable_buffer(), std::declval<typename Object::endpoint_type&>(),
                                     probe));
template <typename Object>
auto initiation_of(ask<operation_kind::send_to>, Object& o)
    -> decltype(o.async_send_to(asio::const_buffer(), std::declval<typename Object::endpoint_type&>(),
                                probe));
template <typename Object>
auto initiation_of(ask<operation_kind::accept>, Object& o)
    -> decltype(o.async_accept(std::declval<typename Object::protocol_type::socket&>(), probe));
template <typename Object>
auto initiation_of(ask<operation_kind::move_accept>, Object& o) -> decltype(o.async_accept(probe));

template <typename Object, typename Initiation, operation_kind Kind>
concept initiates = requires(Object& o)
{
  {
    initiation_of(ask<Kind>(), o)
    } -> std::same_as<std::type_identity<Initiation>>;
};

/// Which operation of an object an initiation stands for.
template <typename Object, typename Initiation, operation_kind Kind = operation_kind{}>
consteval operation_kind kind_of()
{
  if constexpr (Kind == operation_kind::other || initiates<Object, Initiation, Kind>)
    return Kind;
  else
    return kind_of<Object, Initiation, operation_kind{static_cast<int>(Kind) + 1}>();
}

// An initiation of Asio's is constructed from a pointer to its object and holds nothing else. Its constructor
// reveals the object's class: it is given a value that converts to any pointer, and the conversion records to
// which.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-template-friend"
#endif
template <typename Initiation>
struct noted_object
{
  friend auto object_of(noted_object);
};
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
template <typename Initiation, typename Object>
struct note_object
{
  friend auto object_of(noted_object<Initiation>) { return std::type_identity<Object>(); }
  static constexpr bool noted = true;
};
template <typename Initiation>
struct any_object
{
  template <typename Object>
  requires(note_object<Initiation, Object>::noted) operator Object*() const;
};

/// The class of the object of an initiation that holds nothing but a pointer to it; void for any other.
template <typename Initiation>
struct initiated_object
{
  using type = void;
};
template <typename Initiation>
requires(sizeof(Initiation) == sizeof(void*) && std::is_trivially_copyable_v<Initiation> &&
         std::constructible_from<Initiation, any_object<Initiation>>) struct initiated_object<Initiation>
{
  using type = typename decltype(object_of(noted_object<Initiation>()))::type;
};

/// The object that a token carries, if any.
template <typename Object>
struct object_pointer
{
  constexpr object_pointer(Object* o = nullptr) noexcept : object(o) {}
  Object* object;
};
template <>
struct object_pointer<void>
{
  constexpr object_pointer(void* = nullptr) noexcept {}
};

/// Whether the initiation is only a stand-in with which Asio checks a token: completion_token_for.
template <typename Initiation>
inline constexpr bool asks_only = false;
template <typename... Signatures>
inline constexpr bool asks_only<initiation_archetype<Signatures...>> = true;

/// The initiation that use_uring puts in the place of an operation's own.
template <typename Initiation, typename Carried>
class ring_initiation
{
public:
  using executor_type = asio::associated_executor_t<Initiation>;

  template <typename I>
  ring_initiation(I&& initiation, object_pointer<Carried> carried)
      : initiation_(std::forward<I>(initiation)), carried_(carried)
  {}

  executor_type get_executor() const noexcept { return asio::get_associated_executor(initiation_); }

  template <typename Handler, typename... Args>
  void operator()(Handler&& handler, Args&&... args)
  {
    using object_type = typename std::conditional_t<std::is_void_v<Carried>, initiated_object<Initiation>,
                                                    std::type_identity<Carried>>::type;
    if constexpr (enable_io_uring<executor_type> || asks_only<Initiation>)
      std::move(initiation_)(std::forward<Handler>(handler), std::forward<Args>(args)...);
    else if constexpr (std::is_void_v<object_type>)
      static_assert(
          recognised<object_type>,
          "asio_uring::use_uring: not an operation of a socket, acceptor, descriptor or pipe of "
          "Boost.Asio. For composed operations (async_read, async_write, Beast, TLS) wrap the object: "
          "asio_uring::via(object). With other token adapters, use_uring goes outside: "
          "use_uring(as_tuple(token)).");
    else if constexpr (!stock_io_object<object_type>)
      static_assert(
          stock_io_object<object_type>,
          "asio_uring::use_uring: the object has to be a socket, acceptor, descriptor or pipe of Asio");
    else if constexpr (kind_of<object_type, Initiation>() == operation_kind::other)
      static_assert(
          kind_of<object_type, Initiation>() != operation_kind::other,
          "asio_uring::use_uring: of this object, these operations can be on io_uring: async_wait, "
          "async_connect, async_receive, async_read_some, async_send, async_write_some, async_receive_from, "
          "async_send_to, async_accept, those that it has; for composed operations wrap the object: "
          "asio_uring::via(object)");
    else {
      std::decay_t<Handler> h(std::forward<Handler>(handler));
      start(object<object_type>(), h, args...);
    }
  }

private:
  template <typename Object>
  static constexpr bool recognised = !std::is_void_v<Object>;

  template <typename Object>
  Object& object() const noexcept
  {
    if constexpr (std::is_void_v<Carried>) {
      auto* o = std::bit_cast<Object*>(initiation_);
      assert(&o->get_executor() == &initiation_.get_executor()); // nothing but a pointer to this object
      return *o;
    } else
      return *carried_.object;
  }

  // Starts the operation with the arguments that Asio passes to its initiation.
  template <typename Object, typename Handler, typename... Args>
  static void start(Object& object, Handler& h, Args&... args)
  {
    constexpr operation_kind kind = kind_of<Object, Initiation>();
    operations<started_by_token<Object, Handler>> on(object, h);
    if constexpr (kind == operation_kind::wait)
      on.wait(static_cast<asio::socket_base::wait_type>(args)...);
    else if constexpr (kind == operation_kind::connect)
      on.connect(args...); // the last argument is the error of opening the socket, if it was closed
    else if constexpr (kind == operation_kind::receive)
      on.receive(args...);
    else if constexpr (kind == operation_kind::send)
      on.send(args...);
    else if constexpr (kind == operation_kind::read)
      on.read_some(args...);
    else if constexpr (kind == operation_kind::write)
      on.write_some(args...);
    else if constexpr (kind == operation_kind::receive_from)
      [&](auto& buffers, auto* sender, auto flags) { on.receive_from(buffers, *sender, flags); }(args...);
    else if constexpr (kind == operation_kind::send_to)
      on.send_to(args...);
    else if constexpr (kind == operation_kind::accept)
      [&](auto* peer, auto* peer_endpoint) { on.accept(*peer, peer_endpoint); }(args...);
    else
      [&](auto& ex, auto* peer_endpoint, auto*) { on.move_accept(ex, peer_endpoint); }(args...);
  }

  Initiation initiation_;
  [[no_unique_address]] object_pointer<Carried> carried_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_INITIATION_HPP
