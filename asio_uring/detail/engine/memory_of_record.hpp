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

/// The context's own memory where the handler brings no allocator, the handler's otherwise.
template <typename Record, typename Handler>
class memory_of_record
{
  using handler_allocator = asio::associated_allocator_t<Handler, asio::recycling_allocator<void>>;
  // An allocator of a fixed size wants to know that of the record: where this is needed it is complete.
  using allocator_type = typename std::allocator_traits<handler_allocator>::template rebind_alloc<Record>;
  static constexpr bool usual() noexcept
  {
    return std::is_same_v<handler_allocator, asio::recycling_allocator<void>> &&
           sizeof(Record) <= record_memory::largest && alignof(Record) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
  }

public:
  memory_of_record(const Handler& handler, file_state* home) : memory_of_record(nullptr, handler, home)
  {
    if (usual() && home_)
      address = home_->service().records().template take<sizeof(Record)>();
    else
      address = std::allocator_traits<allocator_type>::allocate(allocator_, 1);
  }
  /// Of a record that is there.
  memory_of_record(Record& record, const Handler& handler, file_state* home)
      : memory_of_record(&record, handler, home)
  {}
  [[gnu::always_inline]] ~memory_of_record() { release(); }
  [[gnu::always_inline]] void release() noexcept
  {
    if (!address) return;
    if (usual() && home_)
      home_->service().records().template give_back<sizeof(Record)>(address);
    else
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
