// asio_uring/registered_buffer_pool.hpp: registered buffers that are lent one by one.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_REGISTERED_BUFFER_POOL_HPP
#define ASIO_URING_REGISTERED_BUFFER_POOL_HPP

#include <asio_uring/register_buffers.hpp>
#include ASIO_URING_ASIO(deferred.hpp)
#include ASIO_URING_ASIO(experimental/concurrent_channel.hpp)
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <vector>

namespace asio_uring {

namespace detail {
class buffer_pool;
}

/// A buffer on loan from a pool, to which it returns when the lease ends. It may be given to the functions of
/// owned_buffers.hpp, which return it with the result; the kernel has mapped its pages. The lease keeps the
/// memory: pool and context may be destroyed before it.
class leased_buffer
{
public:
  leased_buffer() = default;
  leased_buffer(leased_buffer&& other) noexcept : pool_(std::move(other.pool_)), index_(other.index_) {}
  leased_buffer& operator=(leased_buffer&& other) noexcept
  {
    std::swap(pool_, other.pool_);
    std::swap(index_, other.index_);
    return *this;
  }
  ~leased_buffer() { release(); }

  /// Whether there is a buffer.
  explicit operator bool() const noexcept { return pool_ != nullptr; }
  /// Ends the lease: the buffer returns to the pool.
  void release() noexcept;
  /// Returns the buffer; an empty one without a lease.
  asio::mutable_registered_buffer buffer() const noexcept;
  /// Returns the address of the buffer's first byte; null without a lease.
  void* data() const noexcept { return buffer().data(); }
  /// Returns the buffer's size in bytes; 0 without a lease.
  std::size_t size() const noexcept { return buffer().size(); }

private:
  friend class detail::buffer_pool;
  leased_buffer(std::shared_ptr<detail::buffer_pool> pool, std::size_t index) noexcept
      : pool_(std::move(pool)), index_(index)
  {}

  std::shared_ptr<detail::buffer_pool> pool_;
  std::size_t index_ = 0;
};

/// Makes the lease a buffer for unqualified calls of buffer(), and for owned_buffers.hpp.
inline asio::mutable_registered_buffer buffer(const leased_buffer& lease) noexcept { return lease.buffer(); }

namespace detail {

/// What a pool and its leases share: the memory, its registration, and the operations that wait for a buffer.
class buffer_pool : public std::enable_shared_from_this<buffer_pool>
{
public:
  static constexpr std::size_t alignment = 4096;

  template <typename Object>
  buffer_pool(Object& object, std::size_t count, std::size_t size)
      : memory_(allocate(count, size)),
        registration_(asio_uring::register_buffers(object, parts(count, size))),
        waiting_(std::in_place, executor_of(object))
  {
    for (std::size_t i = count; i > 0; --i)
      free_.push_back(i - 1);
  }

  leased_buffer try_lease()
  {
    const std::lock_guard guard(mutex_);
    if (closed_ || free_.empty()) return {};
    leased_buffer lease(shared_from_this(), free_.back());
    free_.pop_back();
    return lease;
  }

  template <typename Handler>
  void async_lease(Handler&& handler)
  {
    const std::lock_guard guard(mutex_);
    if (closed_)
      throw system_error(asio::error::bad_descriptor,
                         "registered_buffer_pool: the pool or its context has ended");
    waiting_->async_receive(asio::deferred([self = shared_from_this()](error_code ec, std::size_t i) {
      return asio::deferred.values(ec, ec ? leased_buffer() : leased_buffer(self, i));
    }))(std::forward<Handler>(handler));
    // While there are free buffers, no other operation waits.
    if (!free_.empty() && waiting_->try_send(error_code(), free_.back())) free_.pop_back();
  }

  /// Gives the buffer to the operation that has waited longest. If its completion throws for lack of memory,
  /// that operation has ended, and the next one gets the buffer.
  void put_back(std::size_t i) noexcept
  {
    const std::lock_guard guard(mutex_);
    while (!closed_)
      try {
        if (!waiting_->try_send(error_code(), i)) free_.push_back(i); // there is room for all
        return;
      } catch (...) {
      }
  }

  /// Called when the pool is destroyed: waiting operations get channel_cancelled.
  void close() noexcept
  {
    const std::lock_guard guard(mutex_);
    if (std::exchange(closed_, true)) return;
    try {
      waiting_->cancel();
    } catch (...) { // no memory for their completions: the operations have ended
    }
  }
  /// Called when the context is destroyed, and waiting operations with it.
  void abandon() noexcept
  {
    const std::lock_guard guard(mutex_);
    closed_ = true;
  }
  /// Called when the context has ended.
  void leave_context() noexcept { waiting_.reset(); }

  auto executor() { return waiting_->get_executor(); }
  std::size_t size() const noexcept { return registration_.size(); }
  asio::mutable_registered_buffer operator[](std::size_t i) const noexcept { return registration_[i]; }

private:
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
  std::vector<asio::mutable_buffer> parts(std::size_t count, std::size_t size)
  {
    free_.reserve(count);
    std::vector<asio::mutable_buffer> parts;
    for (std::size_t i = 0; i < count; ++i)
      parts.push_back(asio::buffer(memory_.get() + i * size, size));
    return parts;
  }

  std::recursive_mutex mutex_; // a failed send destroys the handler, which may hold a lease
  bool closed_ = false;
  std::vector<std::size_t> free_;
  const std::unique_ptr<std::byte, freed> memory_; // outlives the registration
  const buffer_registration registration_;
  /// Has no buffer of its own: a message is received by a waiting operation, or is not sent.
  std::optional<asio::experimental::concurrent_channel<void(error_code, std::size_t)>> waiting_;
};

/// The pools of a context. Made after the first channel, so that it ends before the channels' service.
class buffer_pools : public asio::execution_context::service
{
public:
  using key_type = buffer_pools;
  inline static asio::execution_context::id id;

  explicit buffer_pools(asio::execution_context& context) : asio::execution_context::service(context) {}
  ~buffer_pools() override
  {
    for_each([](buffer_pool& pool) { pool.leave_context(); });
  }

  void add(const std::shared_ptr<buffer_pool>& pool)
  {
    const std::lock_guard guard(mutex_);
    std::erase_if(pools_, [](const auto& p) { return p.expired(); });
    pools_.push_back(pool);
  }

private:
  void shutdown() override
  {
    for_each([](buffer_pool& pool) { pool.abandon(); });
  }
  template <typename F>
  void for_each(F f)
  {
    for (const auto& p : pools_)
      if (const auto pool = p.lock()) f(*pool);
  }

  std::mutex mutex_;
  std::vector<std::weak_ptr<buffer_pool>> pools_;
};

} // namespace detail

/// Buffers of one size, registered with a context's ring and aligned for direct I/O.
/**
 * Leases may outlive the pool, and both may outlive the context. The memory stays allocated until pool and
 * leases have ended, and registered unless the context ends first. Without its context a pool lends nothing.
 * Thread safety: leases may be taken and ended by any thread, but not while the context is destroyed. Since
 * Linux 5.11.
 */
class registered_buffer_pool
{
public:
  /// The alignment of each buffer, in bytes: enough for O_DIRECT everywhere.
  static constexpr std::size_t alignment = detail::buffer_pool::alignment;

  /**
   * @param object An execution context, an executor, or an I/O object, which gives its executor.
   * @param count The number of buffers, 1 to the kernel's limit of 16384.
   * @param size The size of each, in bytes; a multiple of 4096, so that all are aligned.
   * @throws std::invalid_argument, and what register_buffers() throws: EBUSY also while an earlier pool has a
   * lease.
   */
  template <detail::submits Object>
  registered_buffer_pool(Object&& object, std::size_t count, std::size_t size)
      : pool_(std::make_shared<detail::buffer_pool>(object, count, size))
  {
    auto& context = detail::context_of(detail::executor_of(object));
    asio::use_service<detail::buffer_pools>(context).add(pool_);
  }
  registered_buffer_pool(const registered_buffer_pool&) = delete;
  registered_buffer_pool& operator=(const registered_buffer_pool&) = delete;
  ~registered_buffer_pool() { pool_->close(); }

  /// Returns a buffer if one is free, otherwise an empty lease.
  leased_buffer try_lease() { return pool_->try_lease(); }

  /// Waits for a buffer; waiting operations are served in order.
  /**
   * @param token Completion signature `void(error_code, leased_buffer)`. Cancellation: terminal, partial,
   * total. Errors: experimental::error::channel_cancelled, also if the pool is destroyed. @throws
   * system_error bad_descriptor if the context has ended.
   */
  template <typename Token>
  auto async_lease(Token&& token)
  {
    return asio::async_initiate<Token, void(error_code, leased_buffer)>(
        [pool = pool_](auto&& handler) { pool->async_lease(std::forward<decltype(handler)>(handler)); },
        token);
  }

  /// Returns the number of buffers, on loan or not.
  std::size_t size() const noexcept { return pool_->size(); }

private:
  const std::shared_ptr<detail::buffer_pool> pool_;
};

inline void leased_buffer::release() noexcept
{
  if (const auto pool = std::exchange(pool_, nullptr)) pool->put_back(index_);
}

inline asio::mutable_registered_buffer leased_buffer::buffer() const noexcept
{
  return pool_ ? (*pool_)[index_] : asio::mutable_registered_buffer();
}

} // namespace asio_uring

#endif // ASIO_URING_REGISTERED_BUFFER_POOL_HPP
