// asio_uring/detail/object/submit.hpp: starts submissions, on a context or on an open file.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_SUBMIT_HPP
#define ASIO_URING_DETAIL_OBJECT_SUBMIT_HPP

#include <asio_uring/detail/asio/doors.hpp>
#include <asio_uring/detail/object/basic_files.hpp>
#include <asio_uring/detail/op/entry.hpp>
#include ASIO_URING_ASIO(async_result.hpp)

namespace asio_uring::detail {

/// Holds the operations of a context that belong to no object of ours, by a file state without a file.
class loose_operations : private with_ring, public asio::execution_context::service
{
public:
  using key_type = loose_operations;
  inline static asio::execution_context::id id;

  explicit loose_operations(asio::execution_context& context)
      : with_ring(context), asio::execution_context::service(context), home_(uring_.open_file_state(-1, {}))
  {}
  ring_service& uring() noexcept { return uring_; }
  file_state& home() noexcept { return home_; }

private:
  void shutdown() override {} // the ring's service ends all operations
  file_state& home_;
};

template <typename Executor>
concept executor = asio::is_executor<Executor>::value || asio::execution::is_executor<Executor>::value;

template <typename T>
concept has_executor = requires(T& object)
{
  object.get_executor();
};

template <typename T>
concept has_native_handle = has_executor<T> && requires(T& object)
{
  {
    object.native_handle()
    } -> std::convertible_to<int>;
};

/// Returns the executor of a context or of an I/O object, or the executor itself.
template <typename T>
auto executor_of(T& object)
{
  if constexpr (executor<std::remove_const_t<T>>)
    return object;
  else
    return object.get_executor();
}
template <typename T>
using executor_of_t = decltype(executor_of(std::declval<std::remove_reference_t<T>&>()));

/// What a submission can be started on: an executor, an execution context, or an I/O object.
template <typename T>
concept submits = executor<std::remove_cvref_t<T>> || has_executor<std::remove_reference_t<T>>;

/// The same where a token may be passed in its place, for tokens may have an executor, too.
template <typename T>
concept gives_executor =
    executor<std::remove_cvref_t<T>> || std::is_convertible_v<T&, asio::execution_context&>;

/// The initiation of what `describe()` makes, with an executor.
template <typename Executor>
class initiate_submission
{
public:
  using executor_type = Executor;

  initiate_submission(const Executor& ex, const char* name) : executor_(ex), name_(name) {}
  const executor_type& get_executor() const noexcept { return executor_; }

  template <typename Handler, typename Describe>
  void operator()(Handler&& handler, Describe&& describe)
  {
    non_const_lvalue<Handler> kept(handler);
    auto& loose = asio::use_service<loose_operations>(context_of(executor_));
    using record = handler_operation<std::invoke_result_t<Describe&>, std::decay_t<Handler>, Executor>;
    record::start(loose.uring(), loose.home(), is_loop(loose.uring(), executor_), describe, kept.value,
                  executor_, "io_uring", name_);
  }

private:
  Executor executor_;
  const char* name_;
};

/// The same, as one of a file's operations.
template <typename Executor>
class initiate_submission_on_file
{
public:
  using executor_type = Executor;

  initiate_submission_on_file(asio::basic_file<Executor>& file, const char* name) : file_(&file), name_(name)
  {}
  executor_type get_executor() const noexcept { return file_->get_executor(); }

  template <typename Handler, typename Describe>
  void operator()(Handler&& handler, Describe&& describe)
  {
    non_const_lvalue<Handler> kept(handler);
    auto& impl = impl_of(*file_);
    impl.get_service().start(impl.get_implementation(), std::nullopt, describe, kept.value,
                             impl.get_executor(), "file", name_);
  }

private:
  asio::basic_file<Executor>* file_;
  const char* name_;
};

/// Returns a function that makes the submission when it is initiated, once, which may be later.
template <typename Payload, typename Prepare, typename Finish>
auto describe_submission(Payload payload, Prepare prepare, Finish finish)
{
  return [payload = std::move(payload), prepare = std::move(prepare), finish = std::move(finish)]() mutable {
    return submission<Payload, Finish>(std::move(payload), prepare, std::move(finish));
  };
}

/// Submits the entry that `prepare(sqe, payload)` fills, for a context, an executor or an I/O object.
template <typename Signature, typename Object, typename Payload, typename Prepare, typename Finish,
          typename Token>
auto submit(Object& object, Payload payload, Prepare prepare, Finish finish, const char* name, Token&& token)
{
  return asio::async_initiate<Token, Signature>(
      initiate_submission(executor_of(object), name), token,
      describe_submission(std::move(payload), std::move(prepare), std::move(finish)));
}

/// The same, as one of a file's operations: the file's cancel() and close() end it, and it fails if the file
/// is not open.
template <typename Signature, typename Executor, typename Payload, typename Prepare, typename Finish,
          typename Token>
auto submit_on(asio::basic_file<Executor>& file, Payload payload, Prepare prepare, Finish finish,
               const char* name, Token&& token)
{
  return asio::async_initiate<Token, Signature>(
      initiate_submission_on_file(file, name), token,
      describe_submission(std::move(payload), std::move(prepare), std::move(finish)));
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_SUBMIT_HPP
