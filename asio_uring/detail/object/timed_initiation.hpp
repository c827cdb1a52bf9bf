// asio_uring/detail/object/timed_initiation.hpp: starts an operation that has a deadline.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_TIMED_INITIATION_HPP
#define ASIO_URING_DETAIL_OBJECT_TIMED_INITIATION_HPP

#include <asio_uring/detail/engine/handler_work.hpp>
#include <asio_uring/detail/engine/use_ring_service.hpp>
#include <asio_uring/detail/object/initiation.hpp>
#include ASIO_URING_ASIO(associated_cancellation_slot.hpp)
#include ASIO_URING_ASIO(associator.hpp)
#include ASIO_URING_ASIO(dispatch.hpp)
#include ASIO_URING_ASIO(error.hpp)
#include <chrono>
#include <exception>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace asio_uring::detail {

/// Converts a duration to the clock's unit, limited to what the clock can wait for.
template <typename Rep, typename Period>
constexpr deadlines::clock::duration clock_duration(std::chrono::duration<Rep, Period> d)
{
  using duration = deadlines::clock::duration;
  using real = std::chrono::duration<double>;
  constexpr duration longest = duration::max() / 2;
  if (real(d) >= real(longest)) return longest;
  if (real(d) <= -real(longest)) return -longest;
  return std::chrono::ceil<duration>(d);
}

/// The function that emits a deadline's signal, dispatched to where the operation's handler runs.
class emission
{
public:
  explicit emission(deadline& d) noexcept : deadline_(&d) {}
  emission(emission&& other) noexcept : deadline_(std::exchange(other.deadline_, nullptr)) {}
  ~emission()
  {
    if (deadline_) deadline_->emit(false);
  }
  void operator()() { std::exchange(deadline_, nullptr)->emit(true); }

private:
  deadline* deadline_;
};

template <typename Executor>
class deadline_executor final : public deadline::executor
{
public:
  explicit deadline_executor(const Executor& ex) : executor_(ex) {}
  void dispatch(deadline& d) override { asio::dispatch(executor_, emission(d)); }

private:
  Executor executor_;
};

// Turns operation_aborted into timed_out, for an operation that was ended by its deadline.
inline void set_timed_out(error_code& ec)
{
  if (ec == asio::error::operation_aborted) ec = asio::error::timed_out;
}
inline void set_timed_out(std::exception_ptr& thrown)
{
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const system_error& e) {
    if (e.code() == asio::error::operation_aborted)
      thrown = std::make_exception_ptr(system_error(asio::error::timed_out));
  } catch (...) {
  }
}
template <typename... Others>
void set_timed_out(std::tuple<error_code, Others...>& result) // with as_tuple
{
  set_timed_out(std::get<0>(result));
}
template <typename Other>
void set_timed_out(Other&)
{}

/// The handler of an operation that has a deadline.
template <typename Handler>
class timed_handler
{
public:
  timed_handler(Handler&& handler, held_deadline d) : handler_(std::move(handler)), deadline_(std::move(d))
  {
    if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
      slot.template emplace<passed_on>(*deadline_);
  }

  void operator()()
  {
    end();
    std::move(handler_)();
  }
  template <typename First, typename... Others>
  void operator()(First&& first, Others&&... others)
  {
    std::decay_t<First> result(std::forward<First>(first));
    if (end()) set_timed_out(result);
    std::move(handler_)(std::move(result), std::forward<Others>(others)...);
  }

  const Handler& inner() const noexcept { return handler_; }
  asio::cancellation_slot slot() const noexcept { return deadline_->signal().slot(); }

private:
  /// Passes on what is emitted to the handler's own slot.
  class passed_on
  {
  public:
    explicit passed_on(deadline& d) noexcept : deadline_(d), holder_(d.holder()) {}
    void operator()(asio::cancellation_type type) const
    {
      if (deadline_.holder() == holder_) deadline_.signal().emit(type);
    }

  private:
    deadline& deadline_;
    const unsigned holder_;
  };

  bool end()
  {
    if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected()) slot.clear();
    return deadline_.release()->give_back();
  }

  Handler handler_;
  held_deadline deadline_;
};

/// The initiation that a timed token puts in the place of an operation's own.
template <typename Initiation, typename Limit>
class timed_initiation
{
public:
  using executor_type = asio::associated_executor_t<Initiation>;

  template <typename I>
  timed_initiation(I&& initiation, Limit limit) : initiation_(std::forward<I>(initiation)), limit_(limit)
  {}

  executor_type get_executor() const noexcept { return asio::get_associated_executor(initiation_); }

  template <typename Handler, typename... Args>
  void operator()(Handler&& handler, Args&&... args)
  {
    using handler_type = std::decay_t<Handler>;
    if constexpr (asks_only<Initiation>)
      std::move(initiation_)(std::forward<Handler>(handler), std::forward<Args>(args)...);
    else {
      handler_type inner(std::forward<Handler>(handler));
      const auto ex = asio::get_associated_executor(inner, get_executor());
      ring_service& service = find_ring_service(context(ex));
      deadlines& all = service.deadlines();
      std::unique_ptr<deadline::executor> elsewhere;
      if (!is_loop(service, ex))
        elsewhere = std::make_unique<deadline_executor<std::decay_t<decltype(ex)>>>(ex);
      held_deadline held = all.take(std::move(elsewhere));
      deadline& d = *held;
      const unsigned holder = d.holder();
      std::move(initiation_)(timed_handler<handler_type>(std::move(inner), std::move(held)),
                             std::forward<Args>(args)...);
      all.start(d, holder, time());
    }
  }

private:
  /// The operation's context, if its initiation has an executor; otherwise the handler's. In this order,
  /// because handlers of use_future run in Asio's system context.
  template <typename HandlersExecutor>
  asio::execution_context& context(const HandlersExecutor& handlers) const
  {
    if constexpr (runs_on_io_executor<Initiation, asio::system_executor>)
      return context_of(handlers);
    else
      return context_of(get_executor());
  }

  deadlines::clock::time_point time() const noexcept
  {
    if constexpr (std::is_same_v<Limit, deadlines::clock::time_point>)
      return limit_;
    else
      return deadlines::clock::now() + limit_;
  }

  Initiation initiation_;
  Limit limit_;
};

} // namespace asio_uring::detail

template <template <typename, typename> class Associator, typename Handler, typename Default>
struct asio_uring::asio::associator<Associator, asio_uring::detail::timed_handler<Handler>, Default>
    : Associator<Handler, Default>
{
  static typename Associator<Handler, Default>::type
  get(const asio_uring::detail::timed_handler<Handler>& h) noexcept
  {
    return Associator<Handler, Default>::get(h.inner());
  }
  static auto get(const asio_uring::detail::timed_handler<Handler>& h, const Default& d) noexcept
      -> decltype(Associator<Handler, Default>::get(h.inner(), d))
  {
    return Associator<Handler, Default>::get(h.inner(), d);
  }
};

template <typename Handler, typename Default>
struct asio_uring::asio::associated_cancellation_slot<asio_uring::detail::timed_handler<Handler>, Default>
{
  using type = cancellation_slot;
  static type get(const asio_uring::detail::timed_handler<Handler>& h, const Default& = Default()) noexcept
  {
    return h.slot();
  }
};

#endif // ASIO_URING_DETAIL_OBJECT_TIMED_INITIATION_HPP
