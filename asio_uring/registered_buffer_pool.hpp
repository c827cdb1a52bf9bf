// asio_uring/registered_buffer_pool.hpp: registered buffers to be lent out one by one.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_REGISTERED_BUFFER_POOL_HPP
#define ASIO_URING_REGISTERED_BUFFER_POOL_HPP

#include <asio_uring/register_buffers.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <cstdlib>
#include <new>
#include <optional>
#include <stdexcept>

namespace asio_uring {

class registered_buffer_pool;

/// A buffer on loan from a pool; it goes back when the lease ends. An owned buffer: given to the functions of
/// owned_buffers.hpp it comes back with the result, and the kernel knows its pages.
class leased_buffer
{
public:
  leased_buffer() = default;
  leased_buffer(leased_buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_)
  {}
  leased_buffer& operator=(leased_buffer&& other) noexcept
  {
    std::swap(pool_, other.pool_);
    std::swap(index_, other.index_);
    return *this;
  }
  ~leased_buffer() { release(); }

  /// Whether there is a buffer.
  explicit operator bool() const noexcept { return pool_ != nullptr; }
  /// Ends the lease.
  void release() noexcept;
  /// The buffer; an empty one without a lease.
  boost::asio::mutable_registered_buffer buffer() const noexcept;
  void* data() const noexcept { return buffer().data(); }
  std::size_t size() const noexcept { return buffer().size(); }

private:
  friend class registered_buffer_pool;
  leased_buffer(registered_buffer_pool& pool, std::size_t index) noexcept : pool_(&pool), index_(index) {}

  registered_buffer_pool* pool_ = nullptr;
  std::size_t index_ = 0;
};

/// Found by asio::buffer's callers, and by owned_buffers.hpp.
inline boost::asio::mutable_registered_buffer buffer(const leased_buffer& lease) noexcept
{
  return lease.buffer();
}

/// Memory in buffers of one size, registered with a context's ring, aligned for direct I/O.
/**
 * Must outlive its leases, and not the context. Thread safety: leases may be taken and ended by any thread.
 * Since Linux 5.11.
 */
class registered_buffer_pool
{
public:
  /// Of each buffer's address, in bytes: enough for O_DIRECT everywhere.
  static constexpr std::size_t alignment = 4096;

  /**
   * @param object An execution context, an executor, or an I/O object, which gives its executor.
   * @param count Buffers, at least 1 and at most the kernel's limit of 16384.
   * @param size Of each in bytes; a multiple of 4096, so that all are aligned.
   * @throws std::invalid_argument, and as register_buffers().
   */
  template <detail::submits Object>
  registered_buffer_pool(Object&& object, std::size_t count, std::size_t size)
      : memory_(allocate(count, size)),
        registration_(asio_uring::register_buffers(object, parts(count, size))),
        free_(detail::executor_of(object), count)
  {
    for (std::size_t i = 0; i < count; ++i)
      put_back(i);
  }
  registered_buffer_pool(const registered_buffer_pool&) = delete;
  registered_buffer_pool& operator=(const registered_buffer_pool&) = delete;

  /// A buffer if there is one to be had, an empty lease if not.
  leased_buffer try_lease()
  {
    leased_buffer lease;
    free_.try_receive([&](boost::system::error_code, std::size_t i) { lease = leased_buffer(*this, i); });
    return lease;
  }

  /// Waits for a buffer; first come, first served.
  /**
   * @param token Completion signature `void(error_code, leased_buffer)`.
   * Cancellation: terminal, partial, total. Errors: experimental::error::channel_cancelled.
   */
  template <typename Token>
  auto async_lease(Token&& token)
  {
    return free_.async_receive(boost::asio::deferred([this](boost::system::error_code ec, std::size_t i) {
      return boost::asio::deferred.values(ec, ec ? leased_buffer() : leased_buffer(*this, i));
    }))(std::forward<Token>(token));
  }

  /// In all, on loan or not.
  std::size_t size() const noexcept { return registration_.size(); }

private:
  friend class leased_buffer;

  struct freed
  {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };

  static std::byte* allocate(std::size_t count, std::size_t size)
  {
    if (count == 0 || size == 0 || size % alignment != 0)
      throw std::invalid_argument("asio_uring: registered_buffer_pool of " + std::to_string(count) +
                                  " buffers of " + std::to_string(size) +
                                  " bytes: allowed are at least one, and a multiple of 4096 bytes");
    if (size > static_cast<std::size_t>(-1) / count) throw std::bad_alloc();
    void* const memory = std::aligned_alloc(alignment, count * size);
    if (!memory) throw std::bad_alloc();
    return static_cast<std::byte*>(memory);
  }
  std::vector<boost::asio::mutable_buffer> parts(std::size_t count, std::size_t size) const
  {
    std::vector<boost::asio::mutable_buffer> parts;
    for (std::size_t i = 0; i < count; ++i)
      parts.push_back(boost::asio::buffer(memory_.get() + i * size, size));
    return parts;
  }
  void put_back(std::size_t i) noexcept { free_.try_send(boost::system::error_code(), i); }

  const std::unique_ptr<std::byte, freed> memory_;
  const buffer_registration registration_;
  boost::asio::experimental::concurrent_channel<void(boost::system::error_code, std::size_t)> free_;
};

inline void leased_buffer::release() noexcept
{
  if (pool_) std::exchange(pool_, nullptr)->put_back(index_);
}

inline boost::asio::mutable_registered_buffer leased_buffer::buffer() const noexcept
{
  return pool_ ? pool_->registration_[index_] : boost::asio::mutable_registered_buffer();
}

} // namespace asio_uring

#endif // ASIO_URING_REGISTERED_BUFFER_POOL_HPP
