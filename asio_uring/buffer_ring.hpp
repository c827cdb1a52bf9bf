// asio_uring/buffer_ring.hpp: buffers that streams share, chosen when there is something to receive.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_BUFFER_RING_HPP
#define ASIO_URING_BUFFER_RING_HPP

#include <asio_uring/detail/engine/received_buffer.hpp>
#include <asio_uring/detail/engine/use_ring_service.hpp>
#include <asio_uring/detail/object/submit.hpp>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

namespace asio_uring {

/// Number and size of the buffers of a buffer_ring.
struct buffer_ring_options
{
  unsigned buffers = 256;  ///< the number of buffers at first, 1 to 32768
  std::size_t size = 4096; ///< the size of each in bytes, 64 to 2^30
  unsigned max_buffers =
      0; ///< when none is free it grows by `buffers`, up to this many, at most 32768; 0: never
  bool huge_pages = false; ///< asks for transparent huge pages; no effect if the kernel has none
};

/// Buffers of one size that any number of streams of a context share. A stream gets one when there is
/// something to receive; while it waits it holds none.
/**
 * Since Linux 6.0 the kernel chooses the buffer (IORING_REGISTER_PBUF_RING); before, with path::readiness and
 * with the fallback, the loop does. While none is free, streams wait, and the data stays in their sockets.
 *
 * It may be destroyed before its streams and received_buffers, which keep the memory. Thread safety: distinct
 * objects safe, shared ones unsafe; streams may share one. Since Linux 5.11.
 */
class buffer_ring
{
public:
  /// Allocates the buffers.
  /**
   * @param object An execution context, an executor, or an I/O object, which gives its executor.
   * @param o Number and size of the buffers.
   * @throws std::invalid_argument, which names it, for a value out of range; std::bad_alloc.
   */
  template <detail::submits Object>
  explicit buffer_ring(Object&& object, const buffer_ring_options& o = {})
      : group_(make(detail::use_ring_service(detail::context_of(detail::executor_of(object))), o))
  {}

  /// Returns the number of buffers.
  std::size_t buffers() const noexcept { return group_->count(); }
  /// Returns how many of them are free, approximately.
  std::size_t free_buffers() const noexcept { return group_->free(); }
  /// Returns the size of each, in bytes.
  std::size_t buffer_size() const noexcept { return group_->size(); }

  /// For the library's streams.
  const std::shared_ptr<detail::buffer_group>& group() const noexcept { return group_; }

private:
  static void check(bool good, const char* name, std::size_t value, const char* allowed)
  {
    if (!good)
      throw std::invalid_argument("asio_uring: buffer_ring_options::" + std::string(name) + " = " +
                                  std::to_string(value) + ": allowed are " + allowed);
  }
  static std::shared_ptr<detail::buffer_group> make(detail::ring_service& service,
                                                    const buffer_ring_options& o)
  {
    constexpr unsigned limit = detail::buffer_group::most_buffers;
    check(o.buffers > 0 && o.buffers <= limit, "buffers", o.buffers, "1 to 32768");
    check(o.size >= 64 && o.size <= (1U << 30), "size", o.size, "64 to 2^30 bytes");
    check(o.max_buffers == 0 || (o.max_buffers >= o.buffers && o.max_buffers <= limit), "max_buffers",
          o.max_buffers, "0, or from buffers to 32768");
    std::shared_ptr<detail::buffer_group> group;
    std::exception_ptr failed;
    service.register_with_ring([&](ring& r) noexcept {
      try {
        auto& groups = service.buffer_groups();
        group = std::make_shared<detail::buffer_group>(
            service, groups.sweep(r), o.buffers, std::max(o.buffers, o.max_buffers), o.size, o.huge_pages);
        groups.add(group, r);
      } catch (...) {
        failed = std::current_exception();
      }
      return 0;
    });
    if (failed) std::rethrow_exception(failed);
    if (!group) detail::throw_error(asio::error::operation_not_supported, "buffer_ring");
    return group;
  }

  std::shared_ptr<detail::buffer_group> group_;
};

} // namespace asio_uring

#endif // ASIO_URING_BUFFER_RING_HPP
