// asio_uring/detail/engine/submitter.hpp: puts requests on the ring, in order, from any thread, without a
// system call.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SUBMITTER_HPP
#define ASIO_URING_DETAIL_ENGINE_SUBMITTER_HPP

#include <asio_uring/detail/engine/linked_requests.hpp>
#include <asio_uring/detail/engine/lock.hpp>
#include <asio_uring/detail/engine/request.hpp>
#include <asio_uring/ring/process.hpp>
#include <asio_uring/ring/ring.hpp>
#include <cstdint>
#include <cstring>

namespace asio_uring::detail {

/// The submission side of a ring. What finds no room waits in user space and keeps its place in the order.
/**
 * Entries are consumed by the kernel in the order of push() and cancel(): a cancel can only meet requests
 * pushed before it, so a record that reuses the address of an earlier one is never cancelled by mistake.
 */
class submitter
{
public:
  /// user_data of entries that are nobody's request, cancels and closes: their completions decide nothing and
  /// are dropped.
  static constexpr std::uint64_t no_request = 1;

  explicit submitter(bool locking) noexcept : lock_(locking) {}

  /// Uses this ring from now on; refill() moves to it what waits.
  void use(ring& r) noexcept
  {
    locked guard(lock_);
    ring_ = &r;
    ring_of_closes_ = nullptr;
    holds_ = holding::nothing;
  }
  /// What must wait even if there is room on the ring.
  enum class holding : unsigned char
  {
    nothing,
    requests, ///< only cancels reach the ring
    everything
  };
  void hold(holding what) noexcept
  {
    locked guard(lock_);
    holds_ = what;
  }
  /// Drops all requests that wait.
  void forget_all() noexcept
  {
    while (front())
      pop();
  }
  /// Asks the kernel to end all requests, if there is room for that entry.
  void cancel_everything() noexcept
  {
    locked guard(lock_);
    io_uring_sqe* sqe = next_entry_of_nobody();
    if (!sqe) return;
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    publish();
  }
  /// Has the kernel close a number with the next enter. False if it must be closed at once, because entries
  /// wait for room, or for a new ring. Calls first() if no other close is left.
  template <typename F>
  bool close(int fd, F&& first) noexcept
  {
    locked guard(lock_);
    if (!own_process() || holds_ != holding::nothing || has_backlog()) return false;
    io_uring_sqe* sqe = next_entry_of_nobody();
    if (!sqe) return false;
    sqe->opcode = IORING_OP_CLOSE;
    sqe->fd = fd;
    if (!closes_.exchange(true, std::memory_order_relaxed)) first();
    publish();
    ring_of_closes_ = ring_;
    end_of_closes_ = ring_->published();
    return true;
  }
  /// True, once, when the kernel has taken the last of them, or has another ring.
  bool closes_submitted() noexcept
  {
    if (!closes_.load(std::memory_order_relaxed)) return false;
    locked guard(lock_);
    if (ring_ == ring_of_closes_ && static_cast<int>(ring_->taken() - end_of_closes_) < 0) return false;
    return closes_.exchange(false, std::memory_order_relaxed);
  }
  /// To be called in a forked child that has a ring of its own.
  void renew() noexcept { process_ = process::id(); }

  /// Calls f(ring&) for the ring in use, which is not given up meanwhile.
  template <typename F>
  auto with_ring(F&& f)
  {
    locked guard(lock_);
    return f(*ring_);
  }
  /// Whether the request has not reached the ring yet.
  bool waits(const request& r) noexcept
  {
    locked guard(lock_);
    return r.wants(request::submission);
  }

  /// Whether there are entries that the kernel has not taken, or requests that wait for room.
  bool has_unsubmitted() noexcept
  {
    return with_ring([this](const ring& r) { return has_backlog() || r.unsubmitted(); });
  }
  /// Like has_unsubmitted(); also true if there are completions that wait for room.
  bool has_unfinished() noexcept
  {
    return with_ring([this](const ring& r) { return has_backlog() || r.unsubmitted() || r.overflown(); });
  }

  /// Queues the request for submission.
  void push(request& r) noexcept
  {
    locked guard(lock_);
    if (own_process()) [[likely]]
      submit(r);
  }

  /// Asks the kernel to end a pushed request. Only the request's own completion tells the outcome.
  void cancel(request& r) noexcept
  {
    locked guard(lock_);
    if (!own_process()) [[unlikely]]
      return;
    if (r.backlogged())
      r.want(request::cancellation);
    else if (linked_requests* links = r.links()) [[unlikely]] {
      if (links->cancel()) submit(links->canceller());
    } else
      ask_to_end(r);
  }

  /// Asks the kernel to end a request because its ring is given up. The request is not cancelled: it will be
  /// pushed again.
  void recall(request& r) noexcept
  {
    locked guard(lock_);
    if (r.backlogged()) return;
    if (linked_requests* links = r.links())
      links->for_each_left([this](request& each) {
        if (!each.backlogged()) ask_to_end(each);
      });
    else
      ask_to_end(r);
  }

  /// Moves waiting requests to the ring while there is room. Those cancelled before they ever reached it are
  /// completed with ECANCELED. Returns true if anything reached the ring.
  bool refill(completion_queue& out) noexcept
  {
    if (!has_backlog()) return false; // a request added meanwhile is seen by the next turn
    bool moved = false;
    locked guard(lock_);
    request* previous = nullptr;
    while (request* r = previous ? previous->next() : front()) {
      if (r->wants(request::submission) && r->wants(request::cancellation)) {
        remove(*r, previous);
        guard.unlock();
        r->completed(-ECANCELED, 0, out);
        guard.relock();
        previous = nullptr; // the list may have changed
      } else if (r->wants(request::submission) ? holds_ != holding::nothing : holds_ == holding::everything)
        previous = r;
      else if (r->wants(request::submission) ? publish(*r) : publish_cancel(*r)) {
        remove(*r, previous);
        moved = true;
      } else
        break;
    }
    return moved;
  }

  /// Notes that one of linked requests has ended, or the attempt to cancel them. True if it was the last of
  /// them.
  bool ended(linked_requests& links, request& which, int result) noexcept
  {
    locked guard(lock_);
    leave_backlog(which);
    if (links.ended(which, result)) submit(links.canceller());
    return links.all_ended();
  }

  /// To be called before the record of a request may go away: drops a cancel for it that still waits.
  void forget(request& r) noexcept
  {
    if (!has_backlog()) return;
    locked guard(lock_);
    leave_backlog(r);
  }

  bool has_backlog() const noexcept { return first_.load(std::memory_order_seq_cst) != nullptr; }

  /// Requests and cancels ever put on the ring.
  std::uint64_t submitted() const noexcept { return submitted_.load(std::memory_order_seq_cst); }

private:
  /// False in a forked child, which shares the queues with its parent and must leave them alone.
  bool own_process() const noexcept { return process_ == process::id(); }
  /// Whether a cancel must wait so that it does not overtake its request. While only requests are held it
  /// need not: a request that is held is not on the ring.
  bool cancel_waits() const noexcept
  {
    return holds_ == holding::everything || (has_backlog() && holds_ == holding::nothing);
  }
  void submit(request& r) noexcept
  {
    if (holds_ == holding::nothing && !has_backlog() && publish(r)) return;
    // A request whose ring is given up may end before its cancel finds room: drop the cancel.
    if (r.backlogged())
      r.want_only(request::submission);
    else
      append(r, request::submission);
  }
  /// Puts the request on the ring. False if there is no room.
  bool publish(request& r) noexcept
  {
    if (linked_requests* links = r.links()) [[unlikely]]
      return publish(*links, r);
    io_uring_sqe* sqe = ring_->next_entry();
    if (!sqe) return false;
    fill(*sqe, r);
    publish();
    return true;
  }
  bool publish(linked_requests& links, request& r) noexcept
  {
    const unsigned first = links.first(), count = links.size() - first;
    if (!ring_->next_entry(count - 1)) return false;
    links.start(*this, r);
    for (unsigned i = 0; i < count; ++i)
      fill(*ring_->next_entry(i), links[first + i]);
    publish(count);
    return true;
  }
  static void fill(io_uring_sqe& sqe, request& r) noexcept
  {
    std::memset(&sqe, 0, sizeof(sqe));
    r.prepare(sqe);
    sqe.user_data = reinterpret_cast<std::uintptr_t>(&r);
  }
  void ask_to_end(request& r) noexcept
  {
    if (io_uring_sqe* sqe = cancel_waits() ? nullptr : ring_->next_entry())
      publish_cancel(*sqe, r);
    else
      append(r, request::cancellation);
  }
  io_uring_sqe* next_entry_of_nobody() noexcept
  {
    io_uring_sqe* sqe = ring_->next_entry();
    if (!sqe) return nullptr;
    std::memset(sqe, 0, sizeof(*sqe));
    sqe->user_data = no_request;
    return sqe;
  }
  bool publish_cancel(request& r) noexcept
  {
    io_uring_sqe* sqe = ring_->next_entry();
    if (sqe) publish_cancel(*sqe, r);
    return sqe;
  }
  void publish_cancel(io_uring_sqe& sqe, request& r) noexcept
  {
    std::memset(&sqe, 0, sizeof(sqe));
    io_uring_prep_cancel(&sqe, &r, 0);
    sqe.user_data = no_request;
    publish();
  }
  void publish(unsigned count = 1) noexcept
  {
    // Released here, acquired by the collector: neither the language nor ThreadSanitizer sees that the kernel
    // hands the request on.
    submitted_.store(submitted_.load(std::memory_order_relaxed) + count, std::memory_order_release);
    ring_->publish(count);
  }
  void append(request& r, request::wanted what) noexcept
  {
    r.want(what);
    if (last_)
      last_->set_next(&r);
    else
      first_.store(&r, std::memory_order_seq_cst); // a loop about to sleep sees this, or is seen idle
    last_ = &r;
  }
  void pop() noexcept { remove(*front(), nullptr); }
  void leave_backlog(request& r) noexcept
  {
    if (!r.backlogged()) return;
    request* previous = nullptr;
    for (request* other = front(); other != &r; other = other->next())
      previous = other;
    remove(r, previous);
  }
  void remove(request& r, request* previous) noexcept
  {
    if (previous)
      previous->set_next(r.next());
    else
      first_.store(r.next(), std::memory_order_relaxed);
    if (last_ == &r) last_ = previous;
    r.leave_backlog();
  }

  request* front() const noexcept { return first_.load(std::memory_order_relaxed); }

  ring* ring_ = nullptr;
  lock lock_;
  std::atomic<request*> first_{nullptr}; // backlog, first in first out
  request* last_ = nullptr;
  holding holds_ = holding::nothing;
  pid_t process_ = process::id();
  std::atomic<std::uint64_t> submitted_{0};
  std::atomic<bool> closes_{false}; // until closes_submitted(); set under the lock
  const ring* ring_of_closes_ = nullptr;
  unsigned end_of_closes_ = 0; // behind the last entry that closes a number
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/linked_requests.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_SUBMITTER_HPP
