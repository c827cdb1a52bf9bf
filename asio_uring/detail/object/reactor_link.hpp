// asio_uring/detail/object/reactor_link.hpp: ties an operation on the ring to a stock object.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_REACTOR_LINK_HPP
#define ASIO_URING_DETAIL_OBJECT_REACTOR_LINK_HPP

#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <atomic>
#include ASIO_URING_ASIO(recycling_allocator.hpp)
#include <cerrno>
#include <memory>
#include <utility>

namespace asio_uring::detail {

/// Ties one operation on the ring to the stock object on which it was started.
/**
 * A stock object knows nothing of the ring: it closes its descriptor by close(2), and the number may be
 * another file's the next moment. But whatever ends its operations (cancel, close, release, destruction)
 * takes all of them out of the queues of Asio's reactor, under the lock of these queues. So each of our
 * operations has an entry in the queue for exceptional conditions, which waits for nothing. When that is
 * taken out, the operation on the ring is cancelled. A plain call on the descriptor is made under that lock,
 * and only if the link is still there, as the reactor makes its calls. The link needs no system call, no
 * allocation in the steady state, and is no work of the context.
 */
class reactor_link final : private reactor_op
{
public:
  /// Holds the link of an operation in flight.
  class handle
  {
  public:
    handle() = default;
    handle(handle&& other) noexcept : link_(std::exchange(other.link_, nullptr)) {}
    handle& operator=(handle&& other) noexcept
    {
      std::swap(link_, other.link_);
      return *this;
    }
    ~handle()
    {
      if (link_) link_->end();
    }

    explicit operator bool() const noexcept { return link_; }
    /// The file state of the operation; null without a link.
    detail::file_state* file() const noexcept { return link_ ? link_->opened_file_ : nullptr; }

    /// Runs f(), which returns a result, unless the object has been cancelled or closed meanwhile.
    template <typename F>
    int if_linked(F&& f) const
    {
      const mutex_lock guard(link_->mutex());
      return link_->queued() ? f() : -ECANCELED;
    }

  private:
    friend class reactor_link;
    explicit handle(reactor_link* l) noexcept : link_(l) {}
    reactor_link* link_ = nullptr;
  };

  /// Opens a file state for the object's descriptor and links it. The handle is empty if the reactor has been
  /// shut down.
  static handle make(ring_service& service, reactor_state& state, int fd)
  {
    allocator memory;
    auto* link = new (memory.allocate(1)) reactor_link(state);
    handle h(link);
    link->opened_file_ = &service.open_file_state(fd, {.borrowed = true});
    link->file_.store(link->opened_file_, std::memory_order_relaxed);
    const mutex_lock guard(link->mutex());
    if (state.*member_of(reactor_state_shutdown{})) return {};
    link->references_.store(2, std::memory_order_relaxed);
    link->queue().push(link);
    return h;
  }

private:
  using mutex_type =
      std::remove_reference_t<decltype(std::declval<reactor_state&>().*member_of(reactor_state_mutex{}))>;
  using mutex_lock = typename mutex_type::scoped_lock;
  using allocator = asio::recycling_allocator<reactor_link>;

  explicit reactor_link(reactor_state& state) noexcept
      : reactor_op(error_code(), &reactor_link::do_perform, &reactor_link::do_complete), state_(state)
  {}

  mutex_type& mutex() noexcept { return state_.*member_of(reactor_state_mutex{}); }
  reactor_queue& queue() noexcept
  {
    return (state_.*member_of(reactor_state_queues{}))[epoll_reactor::except_op];
  }

  bool queued() noexcept
  {
    for (reactor_op* op = queue().front(); op; op = op_queue_access::next(op))
      if (op == this) return true;
    return false;
  }

  /// Called when the operation has ended: leaves the queue, if it is still there, without completing.
  void end() noexcept
  {
    bool found = false;
    {
      const mutex_lock guard(mutex());
      reactor_queue others;
      while (reactor_op* op = queue().front()) {
        queue().pop();
        if (op == this)
          found = true;
        else
          others.push(op);
      }
      queue().push(others);
    }
    close_descriptor();
    if (found) references_.fetch_sub(1, std::memory_order_relaxed);
    release();
  }

  void close_descriptor() noexcept
  {
    if (detail::file_state* d = file_.exchange(nullptr, std::memory_order_acq_rel)) d->close();
  }

  // Drops one of two references, the operation's and that of the reactor's queue.
  void release() noexcept
  {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    this->~reactor_link();
    allocator().deallocate(this, 1);
  }

  // Ignores exceptional conditions. Stock operations that wait for one, queued behind this one, wait until it
  // has ended.
  static status do_perform(reactor_op*) { return not_done; }

  // Called when the object takes it out of the queue, or when the context is destroyed.
  static void do_complete(void* owner, completion* base, const error_code&, std::size_t)
  {
    auto* self = static_cast<reactor_link*>(static_cast<reactor_op*>(base));
    if (owner) {
      static_cast<scheduler*>(owner)->compensating_work_started(); // it was not counted as work
      self->close_descriptor();
    }
    self->release();
  }

  reactor_state& state_;
  detail::file_state* opened_file_ = nullptr;
  std::atomic<detail::file_state*> file_{nullptr}; // null once closed
  std::atomic<int> references_{1};
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_REACTOR_LINK_HPP
