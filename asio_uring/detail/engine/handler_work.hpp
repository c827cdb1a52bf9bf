// asio_uring/detail/engine/handler_work.hpp: the executor on which a handler runs, and its outstanding work.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_HANDLER_WORK_HPP
#define ASIO_URING_DETAIL_ENGINE_HANDLER_WORK_HPP

#include <asio_uring/detail/engine/ring_service.hpp>
#include ASIO_URING_ASIO(any_io_executor.hpp)
#include ASIO_URING_ASIO(associated_allocator.hpp)
#include ASIO_URING_ASIO(associated_executor.hpp)
#include ASIO_URING_ASIO(execution/allocator.hpp)
#include ASIO_URING_ASIO(execution/context.hpp)
#include ASIO_URING_ASIO(execution/outstanding_work.hpp)
#include ASIO_URING_ASIO(io_context.hpp)
#include ASIO_URING_ASIO(prefer.hpp)
#include ASIO_URING_ASIO(query.hpp)
#include ASIO_URING_ASIO(require.hpp)
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace asio_uring::detail {

/// Returns the context of an executor, also of one of the Networking TS.
template <typename Executor>
asio::execution_context& context_of(const Executor& ex) noexcept
{
  if constexpr (asio::can_query<const Executor&, asio::execution::context_t>::value)
    return asio::query(ex, asio::execution::context);
  else
    return ex.context();
}

/// Whether the executor would run a function at once that is given to it from within the service's loop.
template <typename Executor>
bool is_loop(ring_service& service, const Executor& ex) noexcept
{
  using loop_executor = asio::io_context::executor_type;
  if (!service.native()) return false;
  if constexpr (std::is_same_v<Executor, loop_executor>)
    return &context_of(ex) == &service.context();
  else if constexpr (requires { ex.template target<loop_executor>(); }) {
    const auto* loop = ex.template target<loop_executor>();
    return loop && &context_of(*loop) == &service.context();
  } else
    return false;
}

/// Whether the loop counts a started operation as work of the executor's context.
template <typename Executor>
bool is_counted(ring_service& service, const Executor& ex) noexcept
{
  if (!service.native()) return false;
  // An executor that tracks no work is not asked for its context: that of a future would make Asio's system
  // context, and its threads.
  if constexpr (asio::can_query<const Executor&, asio::execution::context_t>::value &&
                (asio::can_require<const Executor&, asio::execution::outstanding_work_t::tracked_t>::value ||
                 requires { ex.prefer(asio::execution::outstanding_work.tracked); }))
    return &context_of(ex) == &service.context();
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

/// An executor of the Networking TS with outstanding work.
template <typename Executor>
class ts_work
{
public:
  explicit ts_work(Executor&& ex) : executor_(std::move(ex)) { executor_.on_work_started(); }
  ts_work(ts_work&& other) : ts_work(Executor(other.executor_)) {}
  ~ts_work() { executor_.on_work_finished(); }
  Executor& get() noexcept { return executor_; }

private:
  Executor executor_;
};

/// Room for an executor for which an operation is outstanding work. The record knows whether there is one.
template <typename Executor>
class kept_executor
{
  static constexpr bool standard = asio::execution::is_executor<Executor>::value; // not of the Networking TS
  static constexpr bool erased = std::is_base_of_v<asio::any_io_executor, Executor> &&
                                 asio::execution::is_executor<asio::any_io_executor>::value;

  static auto type_held()
  {
    if constexpr (erased)
      return std::type_identity<asio::any_io_executor>();
    else if constexpr (standard)
      return std::type_identity<std::decay_t<decltype(asio::prefer(
          std::declval<const Executor&>(), asio::execution::outstanding_work.tracked))>>();
    else
      return std::type_identity<ts_work<Executor>>();
  }
  using held = typename decltype(type_held())::type;

public:
  kept_executor() noexcept {}
  ~kept_executor() {}

  /// Stores the executor. `counted`: its context counts the operation as work already, so a plain copy is
  /// enough.
  void keep(Executor ex, bool counted)
  {
    if constexpr (erased) {
      held& plain = ex; // of a dependent type, so that the discarded branch is not compiled
      if (counted)
        new (&held_) held(std::move(plain));
      else
        new (&held_) held(asio::prefer(plain, asio::execution::outstanding_work.tracked));
    } else if constexpr (standard)
      new (&held_) held(asio::prefer(ex, asio::execution::outstanding_work.tracked));
    else
      new (&held_) held(std::move(ex));
  }
  void take(kept_executor& other) noexcept
  {
    new (&held_) held(std::move(other.held_));
    other.release();
  }
  void release() noexcept { held_.~held(); }

  /// Runs the function on the executor: at once if it may, otherwise later.
  template <typename Function>
  void run(Function&& function)
  {
    if constexpr (erased)
      held_.execute(std::move(function));
    else if constexpr (standard)
      run_on(held_, std::move(function));
    else
      held_.get().dispatch(std::move(function), function.get_allocator());
  }
  template <typename StandardExecutor, typename Function>
  static void run_on(const StandardExecutor& ex, Function&& function)
  {
    asio::prefer(ex, asio::execution::allocator(function.get_allocator())).execute(std::move(function));
  }

private:
  union
  {
    held held_;
  };
};

/// In place of an I/O executor that is an io_context's own. It need not be kept, because its context is the
/// service's, which counts the operation.
class own_executor
{
public:
  void keep(const asio::io_context::executor_type&, bool) noexcept {}
  void take(own_executor&) noexcept {}
  void release() noexcept {}
};

/// Whether Asio says at compile time that a handler has no executor of its own.
template <typename Handler, typename IoExecutor>
inline constexpr bool runs_on_io_executor = requires
{
  typename asio::associated_executor<Handler, IoExecutor>::asio_associated_executor_is_unspecialised;
};

/// Holds the executors of a pending operation in its record. If the loop that completes the operation is
/// theirs anyway, none is held, and the loop calls the handler directly. No larger than Asio's handler_work,
/// because the operation notes which are held.
template <typename Handler, typename IoExecutor>
class executors_in_record
{
  static constexpr bool named = !runs_on_io_executor<Handler, IoExecutor>;
  static constexpr bool own = std::is_same_v<IoExecutor, asio::io_context::executor_type>;

public:
  /// `io_native`: the result of is_loop for the I/O executor.
  executors_in_record(ring_service& service, bool io_native, const Handler& handler, const IoExecutor& io_ex,
                      held_executors& held)
  {
    if constexpr (named) {
      auto ex = asio::get_associated_executor(handler, io_ex);
      const bool counted = is_counted(service, ex);
      if (!io_native || !is_loop(service, ex)) {
        handlers_.keep(std::move(ex), counted);
        held = held_executors::handlers;
        if (counted && service.native()) return; // the I/O executor's context is the same
      }
    }
    if (io_native) return;
    try {
      io_.keep(io_ex, service.native());
    } catch (...) {
      release(held);
      throw;
    }
    held = held == held_executors::handlers ? held_executors::both : held_executors::io;
  }
  executors_in_record(executors_in_record& other, held_executors held) noexcept
  {
    if constexpr (named)
      if (holds_handlers(held)) handlers_.take(other.handlers_);
    if (holds_io(held)) io_.take(other.io_);
  }
  void release(held_executors held) noexcept
  {
    if constexpr (named)
      if (holds_handlers(held)) handlers_.release();
    if (holds_io(held)) io_.release();
  }

  /// Gives the handler to its executor. `owner` completes the operation.
  template <typename Arguments> // inlined, g++ 12 warns that the executors are uninitialised
  [[gnu::noinline]] void dispatch(bound_handler<Handler, Arguments>&& bound, held_executors held, void* owner)
  {
    if constexpr (named)
      if (holds_handlers(held)) return handlers_.run(std::move(bound));
    if constexpr (own)
      kept_executor<IoExecutor>::run_on(
          static_cast<asio::io_context&>(static_cast<scheduler*>(owner)->context()).get_executor(),
          std::move(bound));
    else
      io_.run(std::move(bound));
  }

private:
  static constexpr bool holds_handlers(held_executors held) noexcept
  {
    return static_cast<unsigned>(held) & 2;
  }
  static constexpr bool holds_io(held_executors held) noexcept { return static_cast<unsigned>(held) & 1; }

  struct nothing
  {};

  [[no_unique_address]] std::conditional_t<own, own_executor, kept_executor<IoExecutor>> io_;
  [[no_unique_address]] std::conditional_t<
      named, kept_executor<asio::associated_executor_t<Handler, IoExecutor>>, nothing>
      handlers_;
};

/// Holds the executors after they were moved out of the record.
template <typename Handler, typename IoExecutor>
class handler_work
{
public:
  handler_work(executors_in_record<Handler, IoExecutor>& record, held_executors held) noexcept
      : executors_(record, held), held_(held)
  {}
  ~handler_work() { executors_.release(held_); }
  handler_work(const handler_work&) = delete;
  handler_work& operator=(const handler_work&) = delete;

  template <typename Arguments>
  void dispatch(bound_handler<Handler, Arguments>&& bound, void* owner)
  {
    executors_.dispatch(std::move(bound), held_, owner);
  }

private:
  executors_in_record<Handler, IoExecutor> executors_;
  held_executors held_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_HANDLER_WORK_HPP
