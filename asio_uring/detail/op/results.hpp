// asio_uring/detail/op/results.hpp: turns the results of typed operations into handler arguments.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_RESULTS_HPP
#define ASIO_URING_DETAIL_OP_RESULTS_HPP

#include <asio_uring/detail/engine/handler_operation.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include ASIO_URING_ASIO(error.hpp)

namespace asio_uring::detail {

// If one of these entries ends with ECANCELED without having been cancelled, the thread that submitted it has
// exited: it is submitted again.

/// void(error_code)
struct finish_with_nothing
{
  static constexpr bool resubmits = true;
  template <typename Payload>
  static std::tuple<error_code> arguments(int result, Payload&)
  {
    return {error_of(result)};
  }
};

/// void(error_code, std::size_t)
struct finish_with_size
{
  static constexpr bool resubmits = true;
  template <typename Payload>
  static std::tuple<error_code, std::size_t> arguments(int result, Payload&)
  {
    return {error_of(result), result < 0 ? 0 : static_cast<std::size_t>(result)};
  }
};

/// void(error_code, std::size_t), where nothing transferred means the end of the file.
struct finish_with_size_or_eof : finish_with_size
{
  template <typename Payload>
  static std::tuple<error_code, std::size_t> arguments(int result, Payload& payload)
  {
    if (result == 0) return {asio::error::eof, 0};
    return finish_with_size::arguments(result, payload);
  }
};

/// void(error_code, unique_descriptor)
struct finish_with_descriptor
{
  static constexpr bool resubmits = true;
  template <typename Payload>
  static std::tuple<error_code, unique_descriptor> arguments(int result, Payload&)
  {
    return {error_of(result), unique_descriptor(result)};
  }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OP_RESULTS_HPP
