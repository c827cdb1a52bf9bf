// asio_uring/register_buffers.hpp: memory that the kernel has mapped beforehand.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_REGISTER_BUFFERS_HPP
#define ASIO_URING_REGISTER_BUFFERS_HPP

#include <asio_uring/detail/asio/doors.hpp>
#include <asio_uring/detail/engine/use_ring_service.hpp>
#include <asio_uring/detail/object/submit.hpp>
#include ASIO_URING_ASIO(buffer_registration.hpp)
#include <cerrno>
#include <memory>
#include <sys/uio.h>
#include <vector>

namespace asio_uring {

namespace detail {

/// Says why buffers could not be registered, and what to do.
inline const char* registration_advice(int result) noexcept
{
  switch (-result) {
  case EBUSY:
    return "register_buffers: the context has registered buffers already, and one registration at a time: "
           "register all at once, or end the other; a registered_buffer_pool is one until its last lease "
           "ends";
  case ENOMEM:
    return "register_buffers: RLIMIT_MEMLOCK (ulimit -l) is too low for them";
  case EINVAL:
    return "register_buffers: allowed are 1 to 16384 buffers";
  case EFAULT:
    return "register_buffers: no buffer, or one that is empty, larger than 1 GiB, or no memory of this process";
  default:
    return "register_buffers";
  }
}

} // namespace detail

/// Buffers that are registered with a context's ring as long as this object lives. The elements are Asio's
/// mutable_registered_buffer. A file's read or write at an offset of a single one, or of a part of it, spares
/// the kernel the mapping of its pages. Elsewhere they are ordinary buffers.
class buffer_registration
{
public:
  using const_iterator = std::vector<asio::mutable_registered_buffer>::const_iterator;

  /// Registers the buffers: see register_buffers().
  template <typename MutableBufferSequence>
  buffer_registration(asio::execution_context& context, const MutableBufferSequence& memory)
  {
    detail::ring_service& service = detail::use_ring_service(context);
    // The fallback has no use for them: they are only numbered.
    const void* const scope = service.features().opcode(IORING_OP_READ_FIXED) ? &service.buffers() : nullptr;
    std::vector<iovec> vectors;
    const auto last = asio::buffer_sequence_end(memory);
    for (auto it = asio::buffer_sequence_begin(memory); it != last; ++it) {
      const asio::mutable_buffer buffer(*it);
      vectors.push_back({buffer.data(), buffer.size()});
      buffers_.push_back(
          detail::registered_buffer_door::make_buffer(buffer, scope, static_cast<int>(buffers_.size())));
    }
    if (!scope) return;
    const int result = service.register_with_ring(
        [&](ring& r) noexcept { return service.buffers().add(r, std::move(vectors)); });
    detail::throw_error(detail::error_of(result), detail::registration_advice(result));
    service_ = &service;
    life_ = service.life();
  }
  buffer_registration(buffer_registration&& other) noexcept
      : service_(std::exchange(other.service_, nullptr)),
        life_(std::move(other.life_)),
        buffers_(std::move(other.buffers_))
  {}
  buffer_registration& operator=(buffer_registration&& other) noexcept
  {
    std::swap(service_, other.service_);
    std::swap(life_, other.life_);
    std::swap(buffers_, other.buffers_);
    return *this;
  }
  /// Unregisters them. The kernel keeps the pages until the last operation on them has ended.
  ~buffer_registration()
  {
    if (service_ && !life_.expired())
      service_->register_with_ring([this](ring& r) noexcept { return service_->buffers().remove(r); });
  }

  std::size_t size() const noexcept { return buffers_.size(); }
  const_iterator begin() const noexcept { return buffers_.begin(); }
  const_iterator end() const noexcept { return buffers_.end(); }
  const asio::mutable_registered_buffer& operator[](std::size_t i) const noexcept { return buffers_[i]; }
  const asio::mutable_registered_buffer& at(std::size_t i) const { return buffers_.at(i); }

private:
  detail::ring_service* service_ = nullptr; // to unregister from, while it lives
  std::weak_ptr<void> life_;
  std::vector<asio::mutable_registered_buffer> buffers_;
};

/// Registers buffers with a context's ring. A context has one registration at a time.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param memory A sequence of 1 to 16384 buffers, each of 1 byte to 1 GiB. It is not copied, and must outlive
 * the registration and the operations on it.
 * @returns The registration, which ends with the context at the latest. It holds in a forked child, too.
 * @throws system_error EBUSY if the context has a registration already; ENOMEM if RLIMIT_MEMLOCK is too low;
 * EFAULT, EINVAL if the memory is not allowed. what() says what to do. Thread safety: may be called by any
 * thread. Since Linux 5.11.
 */
template <detail::submits Object, typename MutableBufferSequence>
[[nodiscard]] buffer_registration register_buffers(Object&& object, const MutableBufferSequence& memory)
{
  return buffer_registration(detail::context_of(detail::executor_of(object)), memory);
}

} // namespace asio_uring

#endif // ASIO_URING_REGISTER_BUFFERS_HPP
