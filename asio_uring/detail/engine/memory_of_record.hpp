// asio_uring/detail/engine/memory_of_record.hpp: where the record of an operation is.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_MEMORY_OF_RECORD_HPP
#define ASIO_URING_DETAIL_ENGINE_MEMORY_OF_RECORD_HPP

#include <asio_uring/detail/engine/file_state.hpp>
#include ASIO_URING_ASIO(associated_allocator.hpp)
#include ASIO_URING_ASIO(recycling_allocator.hpp)
#include <memory>
#include <type_traits>

namespace asio_uring::detail {

/// The file state's own memory where the handler brings no allocator, the handler's otherwise, and where
/// several threads may start operations at a time.
template <typename Record, typename Handler, lane_kind Lane, bool any_thread>
class memory_of_record
{
  using handler_allocator = asio::associated_allocator_t<Handler, asio::recycling_allocator<void>>;
  // An allocator of a fixed size wants to know that of the record: where this is needed it is complete.
  using allocator_type = typename std::allocator_traits<handler_allocator>::template rebind_alloc<Record>;
  static constexpr bool handlers_only =
      any_thread || !std::is_same_v<handler_allocator, asio::recycling_allocator<void>>;

public:
  memory_of_record(const Handler& handler, file_state* home) : memory_of_record(nullptr, handler, home)
  {
    if (!handlers_only && home_) address = home_->allocate(Lane, sizeof(Record));
    if (!address) address = std::allocator_traits<allocator_type>::allocate(allocator_, 1);
  }
  /// Of a record that is there.
  memory_of_record(Record& record, const Handler& handler, file_state* home)
      : memory_of_record(&record, handler, home)
  {}
  [[gnu::always_inline]] ~memory_of_record() { release(); }
  [[gnu::always_inline]] void release() noexcept
  {
    if (!address) return;
    if (handlers_only || !home_ || !home_->deallocate(Lane, address))
      std::allocator_traits<allocator_type>::deallocate(allocator_, static_cast<Record*>(address), 1);
    address = nullptr;
  }

  void* address;

private:
  memory_of_record(void* there, const Handler& handler, file_state* home)
      : address(there),
        home_(home),
        allocator_(asio::get_associated_allocator(handler, asio::recycling_allocator<void>()))
  {}

  file_state* home_;
  [[no_unique_address]] allocator_type allocator_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_MEMORY_OF_RECORD_HPP
