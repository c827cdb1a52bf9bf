// asio_uring/detail/engine/file_source.hpp: how others reach a file's source.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_FILE_SOURCE_HPP
#define ASIO_URING_DETAIL_ENGINE_FILE_SOURCE_HPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <optional>
#include <utility>

namespace asio_uring::detail {

template <typename Source, typename Make>
Source& file_state::use_source(Make&& make)
{
  const locked guard(lock_);
  if (!source_) set_source(make());
  return static_cast<Source&>(*source_);
}

template <typename F>
bool file_state::take_next(F&& f)
{
  section s(*this);
  if (!source_ || lane_of(lane_kind::in).first || !kept_.empty() || ahead_ || !source_->has_result())
    return false;
  const bool taken = f(*source_);
  go_on(*source_, s);
  return taken;
}

template <typename F>
auto file_state::take_ahead(F&& f) -> std::optional<decltype(f(std::declval<source&>()))>
{
  const locked guard(lock_);
  if (!source_ || !source_->has_result()) return std::nullopt;
  return f(*source_);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_FILE_SOURCE_HPP
