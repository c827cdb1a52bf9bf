// asio_uring/detail/engine/buffer_group.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_BUFFER_GROUP_IPP
#define ASIO_URING_DETAIL_ENGINE_BUFFER_GROUP_IPP

#include <algorithm>
#include <asio_uring/detail/engine/buffer_group.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <bit>
#include <new>
#include <poll.h>
#include <sys/mman.h>
#include <utility>

namespace asio_uring::detail {

ASIO_URING_DECL void buffer_group::unmapped::operator()(std::byte* memory) const noexcept
{
  ::munmap(memory, size);
}

// Maps memory. Pages take up memory only when they are touched.
ASIO_URING_DECL buffer_group::mapped_memory buffer_group::map(std::size_t size)
{
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return mapped_memory(static_cast<std::byte*>(memory), unmapped{size});
}

ASIO_URING_DECL buffer_group::buffer_group(ring_service& service, std::uint16_t id, unsigned count,
                                           unsigned most, std::size_t size, bool huge_pages)
    : id_(id),
      step_(count),
      most_(most),
      size_(size),
      queue_size_(std::bit_ceil(most)),
      queue_(map(queue_size_ * sizeof(io_uring_buf))),
      memory_(map(most * size)),
      slots_(std::make_unique<slot[]>(most)),
      service_(&service)
{
  if (huge_pages) ::madvise(memory_.get(), most * size, MADV_HUGEPAGE);
  grow();
}

ASIO_URING_DECL buffer_group::~buffer_group() = default;

// --- free buffers

ASIO_URING_DECL bool buffer_group::grow() noexcept
{
  const locked guard(lock_);
  const unsigned first = made_.load(std::memory_order_relaxed), last = std::min(most_, first + step_);
  for (unsigned buffer = first; buffer < last; ++buffer)
    add(buffer);
  made_.store(last, std::memory_order_relaxed);
  return first != last;
}

// The tail of the kernel's queue is in the reserved field of its first entry.
ASIO_URING_DECL void buffer_group::add(unsigned buffer) noexcept
{
  slots_[buffer].holders.store(0, std::memory_order_release);
  if (with_kernel()) {
    auto* const entries = reinterpret_cast<io_uring_buf*>(queue_.get());
    io_uring_buf& entry = entries[tail_ & (queue_size_ - 1)];
    entry.addr = reinterpret_cast<std::uintptr_t>(data(buffer));
    entry.len = static_cast<std::uint32_t>(size_);
    entry.bid = static_cast<std::uint16_t>(buffer);
    std::atomic_ref<std::uint16_t>(entries->resv).store(++tail_, std::memory_order_release);
  } else {
    slots_[buffer].next = static_cast<std::uint16_t>(first_free_);
    first_free_ = static_cast<int>(buffer);
  }
  free_.fetch_add(1, std::memory_order_seq_cst); // wait() sees this, or pass_on() sees it wait
}

ASIO_URING_DECL int buffer_group::take() noexcept
{
  const locked guard(lock_);
  if (with_kernel() || free() == 0) return -1;
  const int buffer = first_free_;
  first_free_ = slots_[static_cast<unsigned>(buffer)].next;
  taken(static_cast<unsigned>(buffer));
  return buffer;
}

ASIO_URING_DECL ring_service* buffer_group::put_back(unsigned buffer) noexcept
{
  {
    const locked guard(lock_);
    add(buffer);
  }
  return pass_on();
}

ASIO_URING_DECL void buffer_group::give_back(unsigned buffer) noexcept
{
  if (ring_service* const service = put_back(buffer)) service->notify();
}

// --- waiting for a buffer

ASIO_URING_DECL bool buffer_group::wait(source& s, source::place where) noexcept
{
  const bool behind_others = where == source::place::behind_others;
  if (behind_others && !awaited_.load(std::memory_order_seq_cst)) return false;
  const std::lock_guard guard(waiting_mutex_);
  if (behind_others && !first_waiting_) return false;
  awaited_.store(true, std::memory_order_seq_cst);
  if (!first_waiting_ && (free_.load(std::memory_order_seq_cst) > 0 || grow())) {
    awaited_.store(first_waiting_ != nullptr, std::memory_order_relaxed);
    return false;
  }
  if (where == source::place::first) {
    s.next_waiting_ = std::exchange(first_waiting_, &s);
    if (!last_waiting_) last_waiting_ = &s;
    return true;
  }
  s.next_waiting_ = nullptr;
  (last_waiting_ ? last_waiting_->next_waiting_ : first_waiting_) = &s;
  last_waiting_ = &s;
  return true;
}

ASIO_URING_DECL ring_service* buffer_group::pass_on() noexcept
{
  if (!awaited_.load(std::memory_order_seq_cst)) return nullptr;
  const std::lock_guard guard(waiting_mutex_);
  bool any = false;
  while (first_waiting_ && service_ && free() > promised_.load(std::memory_order_relaxed)) {
    source& first = *first_waiting_;
    // Promise no buffer to a source that has nothing to receive: it would keep it from the others.
    pollfd p{first.file().fd(), POLLIN, 0};
    if (::poll(&p, 1, 0) != 0) {
      first.promised_ = true;
      promised_.fetch_add(1, std::memory_order_relaxed);
    }
    remove(first, nullptr);
    service_->push(first);
    any = true;
  }
  return any ? service_ : nullptr;
}

ASIO_URING_DECL bool buffer_group::withdraw(source& s) noexcept
{
  const std::lock_guard guard(waiting_mutex_);
  source* previous = nullptr;
  for (source* other = first_waiting_; other; previous = std::exchange(other, other->next_waiting_))
    if (other == &s) {
      remove(s, previous);
      return true;
    }
  return false;
}

ASIO_URING_DECL void buffer_group::remove(source& s, source* previous) noexcept
{
  (previous ? previous->next_waiting_ : first_waiting_) = s.next_waiting_;
  if (last_waiting_ == &s) last_waiting_ = previous;
  awaited_.store(first_waiting_ != nullptr, std::memory_order_relaxed);
}

ASIO_URING_DECL bool buffer_group::waits(const source& s) noexcept
{
  const std::lock_guard guard(waiting_mutex_);
  for (const source* other = first_waiting_; other; other = other->next_waiting_)
    if (other == &s) return true;
  return false;
}

ASIO_URING_DECL void buffer_group::abandon() noexcept
{
  const std::lock_guard guard(waiting_mutex_);
  service_ = nullptr;
}

// --- the ring

ASIO_URING_DECL void buffer_group::use(ring& r) noexcept
{
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(queue_.get());
  registration.ring_entries = queue_size_;
  registration.bgid = id_;
  const locked guard(lock_);
  tail_ = 0; // the kernel begins there
  std::atomic_ref<std::uint16_t>(reinterpret_cast<io_uring_buf*>(queue_.get())->resv)
      .store(0, std::memory_order_relaxed);
  with_kernel_ = service_->get_options().path != path::readiness && r.features().multishot_receive() &&
                 r.register_buffer_queue(registration) >= 0;
  free_.store(0, std::memory_order_relaxed);
  for (unsigned buffer = 0; buffer < count(); ++buffer)
    if (slots_[buffer].holders.load(std::memory_order_acquire) == 0) add(buffer);
}

ASIO_URING_DECL void buffer_group::leave(ring& r) noexcept
{
  if (with_kernel()) r.unregister_buffer_queue(id_);
}

ASIO_URING_DECL void buffer_groups::add(const std::shared_ptr<buffer_group>& group, ring& r)
{
  const std::lock_guard guard(mutex_);
  groups_.push_back(group);
  group->use(r);
}

ASIO_URING_DECL std::uint16_t buffer_groups::sweep(ring& r) noexcept
{
  const std::lock_guard guard(mutex_);
  std::erase_if(groups_, [&](const auto& group) {
    const bool unused = group.use_count() == 1;
    if (unused) group->leave(r);
    return unused;
  });
  std::uint16_t id = 0;
  while (std::any_of(groups_.begin(), groups_.end(), [&](const auto& group) { return group->id() == id; }))
    ++id;
  return id;
}

ASIO_URING_DECL void buffer_groups::move_to(ring& r) noexcept
{
  const std::lock_guard guard(mutex_);
  for (const auto& group : groups_)
    group->use(r);
}

ASIO_URING_DECL void buffer_groups::abandon() noexcept
{
  const std::lock_guard guard(mutex_);
  for (const auto& group : groups_)
    group->abandon();
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_BUFFER_GROUP_IPP
