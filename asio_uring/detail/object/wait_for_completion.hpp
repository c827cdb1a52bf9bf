// asio_uring/detail/object/wait_for_completion.hpp: lets a thread wait for one operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_WAIT_FOR_COMPLETION_HPP
#define ASIO_URING_DETAIL_OBJECT_WAIT_FOR_COMPLETION_HPP

#include <asio_uring/detail/engine/ring_service.hpp>
#include <atomic>
#include ASIO_URING_ASIO(any_io_executor.hpp)
#include ASIO_URING_ASIO(cancellation_signal.hpp)
#include ASIO_URING_ASIO(error.hpp)
#include ASIO_URING_ASIO(execution/context.hpp)
#include ASIO_URING_ASIO(query.hpp)
#include ASIO_URING_ASIO(strand.hpp)
#include ASIO_URING_ASIO(system_executor.hpp)
#include ASIO_URING_ASIO(thread_pool.hpp)
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

namespace asio_uring::detail {

/// What a waiting function returns: nothing, the value, or a tuple.
template <typename... Values>
struct nothing_one_or_all
{
  using type = std::tuple<Values...>;
};
template <typename Value>
struct nothing_one_or_all<Value>
{
  using type = Value;
};
template <>
struct nothing_one_or_all<>
{
  using type = void;
};

/// The values of a completion, kept for the waiting thread. Empty if the handler was destroyed without being
/// called.
template <typename... Args>
class waited_values
{
  using tuple = std::tuple<Args...>;
  template <typename First, typename...>
  static constexpr bool is_error =
      std::is_same_v<First, error_code> || std::is_same_v<First, std::exception_ptr>;
  static constexpr bool leads_with_error = [] {
    if constexpr (sizeof...(Args) > 0)
      return is_error<std::tuple_element_t<0, tuple>>;
    else
      return false;
  }();

  template <std::size_t... I>
  static nothing_one_or_all<std::tuple_element_t<I + leads_with_error, tuple>...>
      rest_of(std::index_sequence<I...>);
  using rest_indices = std::make_index_sequence<sizeof...(Args) - leads_with_error>;

public:
  // Known without a look at the values: Asio asks for it also with types that cannot be moved.
  using return_type = typename decltype(rest_of(rest_indices()))::type;

  template <typename... Given>
  void set(Given&&... given)
  {
    values_.emplace(std::forward<Given>(given)...);
  }

  return_type get(error_code* error)
  {
    if (!values_) {
      constexpr auto default_constructible =
          std::is_void_v<return_type> || std::is_default_constructible_v<return_type>;
      const error_code aborted = asio::error::operation_aborted;
      if constexpr (default_constructible)
        if (error) {
          *error = aborted;
          return return_type();
        }
      throw system_error(aborted);
    }
    if (error) *error = error_code();
    if constexpr (leads_with_error) {
      auto& first = std::get<0>(*values_);
      if constexpr (std::is_same_v<std::decay_t<decltype(first)>, error_code>) {
        if (error)
          *error = first;
        else if (first)
          throw system_error(first);
      } else if (first)
        std::rethrow_exception(first);
    }
    return rest(std::move(*values_), rest_indices());
  }

private:
  template <std::size_t... I>
  static return_type rest([[maybe_unused]] tuple&& all, std::index_sequence<I...>)
  {
    return return_type(std::get<I + leads_with_error>(std::move(all))...);
  }

  std::optional<tuple> values_;
};

/// The state that the waiting thread and the handler share.
class wait_state
{
public:
  wait_state() = default;
  wait_state(const wait_state&) = delete;

  /// Remembers the operation's context, which the waiting thread may have to run.
  template <typename Executor>
  void learn(const Executor& ex) noexcept
  {
    if constexpr (!std::is_convertible_v<const Executor&, asio::system_executor>) {
      if (context_ || std::this_thread::get_id() != waiter_) return;
      if constexpr (asio::can_query<const Executor&, asio::execution::context_t>::value)
        context_ = std::addressof(asio::query(ex, asio::execution::context));
      else if constexpr (requires { ex.context(); })
        context_ = std::addressof(ex.context());
      runs_itself_ = runs_itself(ex);
    }
  }

  /// @throws std::logic_error if waiting would never end.
  void refuse_own_thread() const
  {
    if (inside())
      throw std::logic_error(
          "asio_uring::use_wait: this thread is inside run() of the operation's execution context, "
          "so waiting here would never end. Use an asynchronous token here (use_awaitable, "
          "a handler), or wait in a thread that does not run this context.");
  }

  /// Returns when the operation has ended.
  ASIO_URING_DECL void wait();

  asio::cancellation_slot slot() noexcept { return cancel_.slot(); }

  void end() noexcept
  {
    const std::lock_guard guard(mutex_);
    ended_ = true;
    changed_.notify_one();
    if (run_by_waiter_ && std::this_thread::get_id() != waiter_) wake(*run_by_waiter_);
  }

private:
  /// A completion in the context's queue that, when it runs, shows that a thread runs the context.
  class sign_of_life;

  template <typename Executor>
  static bool runs_itself(const Executor& ex) noexcept
  {
    if constexpr (std::is_same_v<Executor, asio::thread_pool::executor_type>)
      return true;
    else if constexpr (requires { ex.get_inner_executor(); })
      return runs_itself(ex.get_inner_executor());
    else if constexpr (std::is_base_of_v<asio::any_io_executor, Executor>) {
      if (auto* s = ex.template target<asio::strand<asio::any_io_executor>>())
        return runs_itself(s->get_inner_executor());
      return ex.template target<asio::thread_pool::executor_type>() ||
             ex.template target<asio::strand<asio::thread_pool::executor_type>>();
    } else
      return false;
  }

  ASIO_URING_DECL bool inside() const;
  ASIO_URING_DECL bool ended();
  ASIO_URING_DECL void run(scheduler& s, ring_service* uring);
  ASIO_URING_DECL static void wake(scheduler& s) noexcept;

  const std::thread::id waiter_ = std::this_thread::get_id();
  asio::execution_context* context_ = nullptr;
  bool runs_itself_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  scheduler* run_by_waiter_ = nullptr;
  std::exception_ptr thrown_; // by another operation's handler
  asio::cancellation_signal cancel_;
};

template <typename Values>
class waited_operation : public wait_state
{
public:
  Values& values() noexcept { return values_; }

private:
  Values values_;
};

/// Hands the values to the waiting thread, or ends its wait without any.
template <typename Values>
class wait_handler
{
public:
  using cancellation_slot_type = asio::cancellation_slot;

  explicit wait_handler(std::shared_ptr<waited_operation<Values>> state) noexcept : state_(std::move(state))
  {}
  wait_handler(wait_handler&&) noexcept = default;
  ~wait_handler()
  {
    if (state_) state_->end();
  }

  template <typename... Args>
  void operator()(Args&&... args)
  {
    const auto state = std::move(state_);
    struct at_end
    {
      wait_state& state;
      ~at_end() { state.end(); }
    } const end{*state};
    state->values().set(std::forward<Args>(args)...);
  }

  template <typename Executor>
  void learn(const Executor& ex) const noexcept
  {
    if (state_) state_->learn(ex);
  }

  cancellation_slot_type get_cancellation_slot() const noexcept
  {
    return state_ ? state_->slot() : cancellation_slot_type();
  }

private:
  std::shared_ptr<waited_operation<Values>> state_;
};

/// Remembers the context of an initiation, or of the one that an adapted token has wrapped.
template <typename Initiation>
void learn_context(wait_state& state, const Initiation& initiation) noexcept
{
  if constexpr (requires { initiation.get_executor(); })
    state.learn(initiation.get_executor());
  else if constexpr (requires { initiation.initiation_; })
    learn_context(state, initiation.initiation_);
}

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/object/wait_for_completion.ipp>
#endif

#endif // ASIO_URING_DETAIL_OBJECT_WAIT_FOR_COMPLETION_HPP
