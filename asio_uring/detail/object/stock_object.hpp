// asio_uring/detail/object/stock_object.hpp: starts operations on the ring for stock I/O objects.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_STOCK_OBJECT_HPP
#define ASIO_URING_DETAIL_OBJECT_STOCK_OBJECT_HPP

#include <asio_uring/detail/asio/stock_access.hpp>
#include <asio_uring/detail/engine/use_ring_service.hpp>
#include <asio_uring/detail/object/operations.hpp>
#include <asio_uring/detail/object/reactor_link.hpp>
#include <type_traits>

namespace asio_uring::detail {

/// A description for a stock object: it touches the descriptor only while that is the object's.
template <typename Description>
class while_linked : public Description
{
public:
  static constexpr preference preferred = preference::by_calls;

  template <typename... Args>
  explicit while_linked(reactor_link::handle&& link, Args&&... args)
      : Description(std::forward<Args>(args)...), link_(std::move(link))
  {}

  int perform(int fd)
  {
    return link_.if_linked([&] { return Description::perform(fd); });
  }
  int finish(int fd, int result) requires(Description::lane == lane_kind::none)
  {
    if (result < 0 || !link_) return result;
    return link_.if_linked([&] {
      if constexpr (requires(Description & d) { d.finish(0, 0); })
        return Description::finish(fd, result);
      else
        return result;
    });
  }

private:
  reactor_link::handle link_;
};

/// async_connect on a stock socket: waits for the outcome of connect(2), which has been called.
class connect_outcome_op
{
public:
  static constexpr lane_kind lane = lane_kind::none;
  static constexpr bool polls = true;

  void prepare(io_uring_sqe& sqe, int fd) { wait_.prepare(sqe, fd); }
  int perform(int) { return -EAGAIN; }
  bool more(int) const noexcept { return false; }
  bool retry(int fd, int result) const noexcept { return wait_.retry(fd, result); }
  int finish(int fd, int)
  {
    int error = 0;
    socklen_t size = sizeof(error);
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) ? -errno : -error;
  }
  std::tuple<error_code> arguments(int result) const { return {error_of(result)}; }

private:
  wait_op<> wait_{asio::socket_base::wait_write};
};

/// Starts operations of a stock object through the ring of its context; for operations.hpp.
template <typename Object, typename Handler>
class started_by_token
{
public:
  started_by_token(Object& object, Handler& handler)
      : impl_(stock_access::implementation_of(object)),
        ex_(object.get_executor()),
        handler_(handler),
        uring_(service_of(ex_))
  {}

  // Its own function, because it calls connect(2) first.
  template <typename Endpoint>
  void connect(const Endpoint& peer, error_code ec)
  {
    std::optional<int> result;
    if (ec || !set_non_blocking(impl_, ec) || !is_in_progress(peer, ec)) result = -ec.value();
    start<connect_outcome_op>(result, "async_connect");
  }

protected:
  auto& impl() const noexcept { return impl_; }

  template <typename Description, typename... Args>
  void start(std::optional<int> result, const char* name, Args&&... args)
  {
    reactor_link::handle link;
    if (!result) {
      reactor_state* const state = reactor_data_of(impl_);
      if (!state)
        result = -EBADF;
      else if (uring_.stopped() || !(link = reactor_link::make(uring_, *state, descriptor_of(impl_))))
        result = -ECANCELED;
    }
    file_state* const d = link.file();
    if constexpr (!is_socket<std::remove_cvref_t<decltype(impl_)>>)
      if (d) uring_.will_poll(d->fd());
    const auto describe = [&] {
      return while_linked<Description>(std::move(link), std::forward<Args>(args)...);
    };
    using record = handler_operation<while_linked<Description>, Handler, executor_type>;
    if (result)
      record::complete(uring_, d, is_loop(uring_, ex_), *result, describe, handler_, ex_, "stock object",
                       name);
    else
      record::start(uring_, *d, is_loop(uring_, ex_), describe, handler_, ex_, "stock object", name);
  }

  template <typename... Extra>
  void start_wait(asio::socket_base::wait_type what, const char* name)
  {
    const bool valid = wait_op<Extra...>(what).valid();
    start<wait_op<Extra...>>(valid ? std::nullopt : std::optional(-EINVAL), name, what);
  }

  std::optional<int> make_non_blocking(preference)
  {
    error_code ec;
    return set_non_blocking(impl_, ec) ? std::nullopt : std::optional(-ec.value());
  }

private:
  using executor_type = typename Object::executor_type;
  using implementation_type =
      std::remove_reference_t<decltype(stock_access::implementation_of(std::declval<Object&>()))>;

  static ring_service& service_of(const executor_type& ex)
  {
    asio::execution_context& context = context_of(ex);
    // Several threads may come here at a time, and no second service may be set up.
    return asio::has_service<ring_service>(context) ? asio::use_service<ring_service>(context)
                                                    : use_ring_service(context);
  }

  template <typename Endpoint>
  bool is_in_progress(const Endpoint& peer, error_code& ec) const
  {
    return socket_ops::connect(descriptor_of(impl_), peer.data(), peer.size(), ec) != 0 &&
           (ec == asio::error::in_progress || ec == asio::error::would_block);
  }

  implementation_type& impl_;
  const executor_type ex_;
  Handler& handler_;
  ring_service& uring_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_STOCK_OBJECT_HPP
