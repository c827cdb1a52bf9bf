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
#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace asio_uring::detail {

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

/// Whether the loop counts a started operation as work of the executor's context.
template <typename Executor>
bool is_counted(io_uring_service& service, const Executor& ex) noexcept
{
  if (!service.native()) return false;
  // Executors that track no work are not asked: that of a future would make Asio's system context, with
  // threads.
  if constexpr (asio::can_query<const Executor&, asio::execution::context_t>::value &&
                (asio::can_require<const Executor&, asio::execution::outstanding_work_t::tracked_t>::value ||
                 requires { ex.prefer(asio::execution::outstanding_work.tracked); }))
    return &asio::query(ex, asio::execution::context) == &service.context();
  else
    return false;
}

template <typename Handler, typename Arguments, std::size_t... I>
[[gnu::always_inline]] inline void call(Handler& handler, Arguments& arguments, std::index_sequence<I...>)
{
  std::move(handler)(std::get<I>(std::move(arguments))...);
}

/// Calls a handler with the elements of a tuple.
template <typename Handler, typename... Arguments>
[[gnu::always_inline]] inline void call(Handler& handler, std::tuple<Arguments...>& arguments)
{
  call(handler, arguments, std::index_sequence_for<Arguments...>());
}

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
  void operator()() { call(handler_, arguments_); }

private:
  Handler handler_;
  Arguments arguments_;
};

/// An executor that an operation keeps at work, or none.
template <typename Executor>
class kept_executor
{
  static constexpr bool erased = std::is_base_of_v<asio::any_io_executor, Executor>;
  static constexpr bool standard = asio::execution::is_executor<Executor>::value; // not of the Networking TS

  template <typename E, bool Standard>
  struct tracked
  {
    using type = asio::executor_work_guard<E>;
  };
  template <typename E>
  struct tracked<E, true>
  {
    using type = std::decay_t<decltype(asio::prefer(std::declval<const E&>(),
                                                    asio::execution::outstanding_work.tracked))>;
  };
  using held = std::optional<typename std::conditional_t<erased, std::type_identity<asio::any_io_executor>,
                                                         tracked<Executor, standard>>::type>;

public:
  /// `counted`: the executor's context counts the operation as work already; to keep a copy is all there is
  /// to do.
  void keep(Executor ex, bool counted)
  {
    if constexpr (erased) {
      asio::any_io_executor& plain = ex;
      if (counted)
        held_.emplace(std::move(plain));
      else
        held_.emplace(asio::prefer(plain, asio::execution::outstanding_work.tracked));
    } else if constexpr (standard)
      held_.emplace(asio::prefer(ex, asio::execution::outstanding_work.tracked));
    else
      held_.emplace(ex);
  }

  explicit operator bool() const noexcept { return held_.has_value(); }

  /// Runs the function there: at once where the executor may, later otherwise.
  template <typename Function>
  void run(Function&& function)
  {
    if constexpr (erased)
      held_->execute(std::move(function));
    else if constexpr (standard)
      asio::prefer(*held_, asio::execution::allocator(function.get_allocator())).execute(std::move(function));
    else
      held_->get_executor().dispatch(std::move(function), function.get_allocator());
  }

private:
  held held_;
};

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
    if constexpr (!runs_on_io_executor<Handler, IoExecutor>) {
      auto ex = asio::get_associated_executor(handler, io_ex);
      const bool counted = is_counted(service, ex);
      if (!io_native || !is_loop(service, ex)) {
        handler_executor_.keep(std::move(ex), counted);
        if (counted && service.native()) return; // the I/O executor's context is the same
      }
    }
    if (!io_native) io_executor_.keep(io_ex, service.native());
  }

  /// Whether the handler is to be called directly.
  bool direct() const noexcept
  {
    if constexpr (!runs_on_io_executor<Handler, IoExecutor>)
      if (handler_executor_) return false;
    return !io_executor_;
  }

  /// Gives the handler to its executor.
  template <typename Arguments>
  void dispatch(bound_handler<Handler, Arguments>&& bound)
  {
    if constexpr (!runs_on_io_executor<Handler, IoExecutor>)
      if (handler_executor_) return handler_executor_.run(std::move(bound));
    io_executor_.run(std::move(bound));
  }

private:
  struct nothing
  {};

  kept_executor<IoExecutor> io_executor_;
  [[no_unique_address]] std::conditional_t<runs_on_io_executor<Handler, IoExecutor>, nothing,
                                           kept_executor<asio::associated_executor_t<Handler, IoExecutor>>>
      handler_executor_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_COMPLETION_WORK_HPP
