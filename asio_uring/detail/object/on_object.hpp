// asio_uring/detail/object/on_object.hpp: starts operations that the classes of I/O objects lack.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_ON_OBJECT_HPP
#define ASIO_URING_DETAIL_OBJECT_ON_OBJECT_HPP

#include <asio_uring/detail/asio/stock_access.hpp>
#include <asio_uring/detail/engine/file_state.hpp>
#include <optional>

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

/// Ends the source of an I/O object, when the stream on it is destroyed.
template <typename Object>
void stop_source(Object& object) noexcept
{
  if (file_state* const file = file_of(object)) file->stop_source();
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
