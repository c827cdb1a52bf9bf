// asio_uring/detail/object/on_object.hpp: starts operations that the classes of I/O objects lack.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_ON_OBJECT_HPP
#define ASIO_URING_DETAIL_OBJECT_ON_OBJECT_HPP

#include <asio_uring/detail/asio/stock_access.hpp>
#include <asio_uring/detail/engine/file_source.hpp>
#include <asio_uring/detail/engine/file_state.hpp>
#include <cerrno>
#include <optional>
#include <tuple>
#include <utility>

namespace asio_uring::detail {

/// Whether the service of an I/O object is ours.
template <typename Object>
concept is_on_ring = requires(Object& object)
{
  impl_of(object).get_implementation().file_;
};

/// The file state of an I/O object; null while it is closed.
template <typename Object>
file_state* file_of(Object& object) noexcept
{
  return impl_of(object).get_implementation().file_;
}

/// The object on which a stream receives. When the stream ends, its operations are cancelled and the object's
/// source stops.
template <typename Object>
class streamed_object
{
public:
  explicit streamed_object(Object& object) noexcept : object_(&object) {}
  streamed_object(streamed_object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  streamed_object& operator=(streamed_object&& other) noexcept
  {
    streamed_object ended(std::exchange(object_, std::exchange(other.object_, nullptr)));
    return *this;
  }
  ~streamed_object()
  {
    if (!object_) return;
    if (file_state* const file = file_of(*object_)) file->stop_source();
  }

  Object& operator*() const noexcept { return *object_; }
  Object* operator->() const noexcept { return object_; }

private:
  explicit streamed_object(Object* object) noexcept : object_(object) {}

  Object* object_; // null after it was moved from
};

/// Returns the result with which that operation of a stream would complete at once, or nothing if it would
/// wait or fail. `may_use(source&)` says whether the source is this stream's.
template <typename Object, typename Operation, typename MayUse>
auto take_next(Object& object, Operation op, MayUse&& may_use)
{
  using value = std::tuple_element_t<1, decltype(op.arguments(0))>;
  std::optional<value> next;
  file_state* const file = file_of(object);
  int result = -EAGAIN;
  const auto take = [&](source& from) {
    if (may_use(from)) result = op.take_ahead(from);
    return result >= 0;
  };
  if (file && file->take_next(take)) next = std::get<1>(op.arguments(result));
  return next;
}

/// The initiation of an operation that the object's class lacks.
template <typename Object>
class initiate_on_object
{
public:
  using executor_type = typename Object::executor_type;

  /// `name` is for handler tracking.
  initiate_on_object(Object& object, const char* name) noexcept : object_(&object), name_(name) {}
  executor_type get_executor() const noexcept { return object_->get_executor(); }

  /// `prepare(file_state&)` returns a result if the operation must not be started; `describe()` makes the
  /// description.
  template <typename Handler, typename Prepare, typename Describe>
  void operator()(Handler&& handler, Prepare&& prepare, Describe&& describe) const
  {
    non_const_lvalue<Handler> kept(handler);
    auto& impl = impl_of(*object_);
    std::optional<int> refused;
    if (file_state* const file = file_of(*object_)) refused = prepare(*file);
    impl.get_service().start(impl.get_implementation(), refused, describe, kept.value, impl.get_executor(),
                             std::remove_reference_t<decltype(impl.get_service())>::tracked_as, name_);
  }

private:
  Object* object_;
  const char* name_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_ON_OBJECT_HPP
