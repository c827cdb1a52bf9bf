// asio_uring/service/completion_work.hpp: on which executor a handler runs, and the work it counts as.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_COMPLETION_WORK_HPP
#define ASIO_URING_SERVICE_COMPLETION_WORK_HPP

#include <asio_uring/service/io_uring_service.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <tuple>
#include <utility>

namespace asio_uring::detail {

/// A handler with its arguments, as a function for an executor.
template <typename Handler, typename Arguments>
class bound_handler
{
public:
  using allocator_type = asio::associated_allocator_t<Handler>;

  bound_handler(Handler&& handler, Arguments&& arguments)
      : handler_(std::move(handler)), arguments_(std::move(arguments))
  {}
  allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler_); }
  void operator()() { std::apply(std::move(handler_), std::move(arguments_)); }

private:
  Handler handler_;
  Arguments arguments_;
};

/// Whether functions given to the executor from within the service's loop would run at once.
template <typename Executor>
bool is_loop(io_uring_service& service, const Executor& ex) noexcept
{
  using loop_executor = asio::io_context::executor_type;
  if (!service.native()) return false;
  if constexpr (std::is_same_v<Executor, loop_executor>)
    return &ex.context() == &service.context();
  else if constexpr (requires { ex.template target<loop_executor>(); }) {
    const auto* loop = ex.template target<loop_executor>();
    return loop && &loop->context() == &service.context();
  } else
    return false;
}

/// Whether a handler names no executor of its own, known at compile time where Asio says so.
template <typename Handler, typename IoExecutor>
inline constexpr bool runs_on_io_executor = requires
{
  typename asio::associated_executor<Handler, IoExecutor>::asio_associated_executor_is_unspecialised;
};

/// Holds the executors of a pending operation, unless the loop that will complete it is theirs anyway: then
/// it holds nothing, and the handler is called directly.
template <typename Handler, typename IoExecutor>
class completion_work
{
public:
  /// `io_native`: what is_loop says of the I/O executor.
  completion_work(io_uring_service& service, bool io_native, const Handler& handler, const IoExecutor& io_ex)
  {
    if (!io_native) io_work_.emplace(io_ex);
    if constexpr (!runs_on_io_executor<Handler, IoExecutor>) {
      const auto ex = asio::get_associated_executor(handler, io_ex);
      if (!io_native || !is_loop(service, ex)) handler_work_.emplace(ex);
    }
  }

  /// Calls the handler, or dispatches it to its executor.
  template <typename Arguments>
  [[gnu::always_inline]] void complete(Handler& handler, Arguments&& arguments)
  {
    if (works()) [[unlikely]]
      return dispatch(handler, std::move(arguments));
    [&]<std::size_t... I>(std::index_sequence<I...>) [[gnu::always_inline]]
    {
      std::move(handler)(std::get<I>(std::move(arguments))...);
    }
    (std::make_index_sequence<std::tuple_size_v<Arguments>>());
  }

private:
  bool works() const noexcept
  {
    if constexpr (!runs_on_io_executor<Handler, IoExecutor>)
      if (handler_work_) return true;
    return io_work_.has_value();
  }

  template <typename Arguments>
  void dispatch(Handler& handler, Arguments&& arguments)
  {
    if constexpr (!runs_on_io_executor<Handler, IoExecutor>)
      if (handler_work_)
        return asio::dispatch(handler_work_->get_executor(),
                              bound_handler<Handler, Arguments>(std::move(handler), std::move(arguments)));
    asio::dispatch(io_work_->get_executor(),
                   bound_handler<Handler, Arguments>(std::move(handler), std::move(arguments)));
  }

  using handler_executor = asio::associated_executor_t<Handler, IoExecutor>;
  struct nothing
  {};

  std::optional<asio::executor_work_guard<IoExecutor>> io_work_;
  [[no_unique_address]] std::conditional_t<runs_on_io_executor<Handler, IoExecutor>, nothing,
                                           std::optional<asio::executor_work_guard<handler_executor>>>
      handler_work_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_COMPLETION_WORK_HPP
