// asio_uring/detail/engine/slot_cancellation.hpp: what a cancellation slot does to an operation.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SLOT_CANCELLATION_HPP
#define ASIO_URING_DETAIL_ENGINE_SLOT_CANCELLATION_HPP

#include <asio_uring/detail/engine/file_state.hpp>
#include ASIO_URING_ASIO(cancellation_type.hpp)

namespace asio_uring::detail {

/// Stays in the slot after the operation has ended: then no operation has its key, and nothing happens.
struct slot_cancellation
{
  /// `in_parts`: the operation has effects before it ends, and hears of no total cancellation.
  slot_cancellation(file_state* d, bool in_parts) noexcept
      : target(d), types(asio::cancellation_type::terminal | asio::cancellation_type::partial)
  {
    if (!in_parts) types = types | asio::cancellation_type::total;
  }
  file_state* target;
  asio::cancellation_type types;
  void operator()(asio::cancellation_type type) const
  {
    if ((type & types) != asio::cancellation_type::none) target->cancel(this);
  }
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SLOT_CANCELLATION_HPP
