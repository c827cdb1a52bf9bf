// asio_uring/detail/engine/registered_buffers.hpp: the memory that the ring of a context knows.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_REGISTERED_BUFFERS_HPP
#define ASIO_URING_DETAIL_ENGINE_REGISTERED_BUFFERS_HPP

#include <asio_uring/ring/ring.hpp>
#include <atomic>
#include <sys/uio.h>
#include <utility>
#include <vector>

namespace asio_uring::detail {

/// One table per ring; the next ring of a context gets the same.
class registered_buffers
{
public:
  /// 0, or a negative errno. To be called by a thread that may register.
  int add(ring& r, std::vector<iovec>&& memory) noexcept
  {
    const int result = io_uring_register(static_cast<unsigned>(r.fd()), IORING_REGISTER_BUFFERS,
                                         memory.data(), static_cast<unsigned>(memory.size()));
    if (result >= 0) {
      memory_ = std::move(memory);
      known_.store(true, std::memory_order_relaxed);
    }
    return result;
  }
  int remove(ring& r) noexcept
  {
    memory_.clear();
    return io_uring_register(static_cast<unsigned>(r.fd()), IORING_UNREGISTER_BUFFERS, nullptr, 0);
  }

  /// Whether the ring knows them: where the next ring could not have them, they are buffers like others.
  bool known() const noexcept { return known_.load(std::memory_order_relaxed); }

  /// Another ring takes the place of the one before it.
  void move_to(ring& r) noexcept
  {
    if (memory_.empty()) return;
    const bool possible = r.features().opcode(IORING_OP_READ_FIXED) &&
                          io_uring_register(static_cast<unsigned>(r.fd()), IORING_REGISTER_BUFFERS,
                                            memory_.data(), static_cast<unsigned>(memory_.size())) >= 0;
    known_.store(possible, std::memory_order_relaxed);
  }

private:
  std::vector<iovec> memory_;
  std::atomic<bool> known_{true};
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_REGISTERED_BUFFERS_HPP
