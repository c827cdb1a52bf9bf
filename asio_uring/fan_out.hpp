// asio_uring/fan_out.hpp: one buffer to many sockets.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_FAN_OUT_HPP
#define ASIO_URING_FAN_OUT_HPP

#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/owned_buffers.hpp>
#include <asio_uring/send_zero_copy.hpp>
#include ASIO_URING_ASIO(associated_allocator.hpp)
#include ASIO_URING_ASIO(associated_cancellation_slot.hpp)
#include ASIO_URING_ASIO(associated_executor.hpp)
#include ASIO_URING_ASIO(cancellation_signal.hpp)
#include ASIO_URING_ASIO(post.hpp)
#include <atomic>
#include <deque>
#include <memory>
#include <ranges>
#include <utility>
#include <vector>

namespace asio_uring {
namespace detail {

/// The socket that an element of a range is, refers to, or points to.
template <typename Element>
auto& socket_of(Element& element) noexcept
{
  if constexpr (requires { *element; })
    return *element;
  else if constexpr (requires { element.get(); })
    return element.get();
  else
    return element;
}
template <typename Range>
using socket_in = std::remove_reference_t<decltype(socket_of(*std::ranges::begin(std::declval<Range&>())))>;

/// The state that the sends of one fan-out share; the last of them destroys it.
template <typename Handler, typename Executor, typename Owner>
class fan_out : public std::enable_shared_from_this<fan_out<Handler, Executor, Owner>>
{
public:
  fan_out(Handler&& handler, const Executor& ex, Owner&& owner, std::size_t size)
      : handler_(std::move(handler)),
        executor_(asio::get_associated_executor(handler_, ex)),
        owner_(std::move(owner)),
        errors_(size),
        signals_(size),
        left_(size)
  {}

  template <typename Socket>
  void start(const std::vector<Socket*>& sockets, const asio::const_buffer& buffer)
  {
    if (sockets.empty())
      return asio::post(executor_, [self = this->shared_from_this()] { self->complete(); });
    std::size_t which = 0;
    if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
      slot.assign([whole = this->weak_from_this()](asio::cancellation_type type) {
        if (const auto self = whole.lock())
          for (asio::cancellation_signal& signal : self->signals_)
            signal.emit(type);
      });
    for (Socket* socket : sockets) {
      part each{this->shared_from_this(), which++};
      if constexpr (zero_copy_stream<Socket>)
        async_write_zero_copy(*socket, buffer, std::move(each));
      else
        async_send_zero_copy(*socket, buffer, std::move(each));
    }
  }

private:
  using executor_type = asio::associated_executor_t<Handler, Executor>;

  /// The handler of one send.
  struct part
  {
    std::shared_ptr<fan_out> whole;
    std::size_t which;

    using executor_type = fan_out::executor_type;
    executor_type get_executor() const noexcept { return whole->executor_; }
    using cancellation_slot_type = asio::cancellation_slot;
    cancellation_slot_type get_cancellation_slot() const noexcept { return whole->signals_[which].slot(); }

    void operator()(error_code ec, std::size_t)
    {
      whole->errors_[which] = ec;
      if (whole->left_.fetch_sub(1, std::memory_order_acq_rel) == 1) whole->complete();
    }
  };

  void complete() { std::move(handler_)(std::move(errors_)); }

  Handler handler_;
  const executor_type executor_;
  const Owner owner_;
  std::vector<error_code> errors_;
  std::deque<asio::cancellation_signal> signals_;
  std::atomic<std::size_t> left_;
};

template <typename Executor>
class initiate_fan_out
{
public:
  using executor_type = Executor;

  explicit initiate_fan_out(const Executor& ex) : executor_(ex) {}
  const executor_type& get_executor() const noexcept { return executor_; }

  template <typename Handler, typename Socket, typename Owner>
  void operator()(Handler&& handler, const std::vector<Socket*>& sockets, const asio::const_buffer& buffer,
                  Owner owner) const
  {
    using state = fan_out<std::decay_t<Handler>, Executor, Owner>;
    non_const_lvalue<Handler> kept(handler);
    const auto allocator = asio::get_associated_allocator(kept.value);
    std::allocate_shared<state>(allocator, std::move(kept.value), executor_, std::move(owner), sockets.size())
        ->start(sockets, buffer);
  }

private:
  Executor executor_;
};

template <typename Object, typename Range, typename Owner, typename Token>
auto fan_out_to(Object& object, const asio::const_buffer& buffer, Range& sockets, Owner owner, Token&& token)
{
  std::vector<socket_in<Range>*> all;
  for (auto& element : sockets)
    all.push_back(std::addressof(socket_of(element)));
  return asio::async_initiate<Token, void(std::vector<error_code>)>(
      initiate_fan_out(executor_of(object)), token, std::move(all), buffer, std::move(owner));
}

template <typename Range>
concept zero_copy_sockets = std::ranges::input_range<Range> && zero_copy_socket<socket_in<Range>>;

} // namespace detail

/// Sends one buffer to many sockets, without a copy where that pays, and completes when all sends have ended.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor: on it the
 * handler is called, unless the handler has an executor of its own.
 * @param buffer Written to each stream socket as by async_write_zero_copy; sent as one datagram to each
 * connected datagram socket. Its memory must stay unchanged until the handler is called or destroyed.
 * @param sockets A range of sockets, of pointers of any kind to sockets, or of std::reference_wrapper. It may
 * be empty. The sockets must live until the handler is called; the range need not.
 * @param token Completion signature `void(std::vector<error_code>)`: the result of each send, in the order of
 * the range. So no error hides another, and use_awaitable throws none.
 *
 * A socket that accepts no data delays the completion, not the other sockets: `within` limits that time.
 * Cancellation: as of async_write_zero_copy and async_send_zero_copy, applied to every send. Thread safety:
 * as the functions of all the sockets; once it has started, each socket may be used independently of the
 * others. Since Linux 5.11, without a copy since 6.6, and with the fallback.
 */
template <detail::submits Object, detail::zero_copy_sockets Range,
          asio::completion_token_for<void(std::vector<error_code>)> Token =
              asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_fan_out(Object&& object, const asio::const_buffer& buffer, Range&& sockets, Token&& token = {})
{
  return detail::fan_out_to(object, buffer, sockets, nullptr, std::forward<Token>(token));
}

/// The same with a buffer that the operation owns: only the sockets must live until the handler is called.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param buffer Points to a vector, string, array or other type that asio::buffer() makes a buffer of.
 * @param sockets A range of sockets, as above.
 * @param token Completion signature `void(std::vector<error_code>)`.
 */
template <detail::submits Object, typename Buffer, detail::zero_copy_sockets Range,
          asio::completion_token_for<void(std::vector<error_code>)> Token =
              asio::default_completion_token_t<detail::executor_of_t<Object>>>
requires asio::is_const_buffer_sequence<detail::view_of_t<const Buffer>>::value auto
async_fan_out(Object&& object, std::shared_ptr<Buffer> buffer, Range&& sockets, Token&& token = {})
{
  const asio::const_buffer view = detail::views::view_of(std::as_const(*buffer));
  return detail::fan_out_to(object, view, sockets, std::move(buffer), std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_FAN_OUT_HPP
