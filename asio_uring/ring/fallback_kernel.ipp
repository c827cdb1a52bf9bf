// asio_uring/ring/fallback_kernel.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FALLBACK_KERNEL_IPP
#define ASIO_URING_RING_FALLBACK_KERNEL_IPP

#include <algorithm>
#include <asio_uring/ring/breaks_chain.hpp>
#include <asio_uring/ring/entry_kinds.hpp>
#include <asio_uring/ring/fallback_kernel.hpp>
#include <asio_uring/ring/perform.hpp>
#include <asio_uring/ring/process.hpp>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace asio_uring {
namespace detail {

/// Returns the events for which a descriptor is ready.
ASIO_URING_DECL unsigned ready_events(int fd, unsigned events) noexcept
{
  pollfd p{fd, static_cast<short>(events), 0};
  return ::poll(&p, 1, 0) == 1 ? static_cast<unsigned short>(p.revents) : 0;
}

ASIO_URING_DECL void set_non_blocking(int fd) noexcept
{
  if (const int flags = ::fcntl(fd, F_GETFL); flags >= 0 && !(flags & O_NONBLOCK))
    ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/// Sets O_NONBLOCK for calls that take no flag like MSG_DONTWAIT; of splice and tee, only on ends that are
/// neither a file nor a FIFO.
ASIO_URING_DECL void set_non_blocking(const io_uring_sqe& entry) noexcept
{
  switch (entry.opcode) {
  case IORING_OP_READ:
  case IORING_OP_READV:
  case IORING_OP_WRITE:
  case IORING_OP_WRITEV:
  case IORING_OP_ACCEPT:
  case IORING_OP_CONNECT:
    return set_non_blocking(entry.fd);
  case IORING_OP_SPLICE:
  case IORING_OP_TEE:
    for (const int fd : {entry.splice_fd_in, entry.fd})
      if (!of_a_file(fd) && !is_fifo(fd)) set_non_blocking(fd);
  }
}

/// Whether the entry itself asks for EAGAIN instead of waiting.
ASIO_URING_DECL bool asks_not_to_wait(const io_uring_sqe& entry) noexcept
{
  switch (entry.opcode) {
  case IORING_OP_RECV:
  case IORING_OP_RECVMSG:
  case IORING_OP_SEND:
  case IORING_OP_SENDMSG:
    return entry.msg_flags & MSG_DONTWAIT;
  case IORING_OP_READ:
  case IORING_OP_READV:
  case IORING_OP_WRITE:
  case IORING_OP_WRITEV:
    return entry.rw_flags & RWF_NOWAIT;
  case IORING_OP_SPLICE:
  case IORING_OP_TEE:
    return entry.splice_flags & SPLICE_F_NONBLOCK;
  default:
    return false;
  }
}

/// Adds t to a time point. What would overflow becomes time_point::max(), a limit that is never reached.
ASIO_URING_DECL std::chrono::steady_clock::time_point later(std::chrono::steady_clock::time_point from,
                                                            const __kernel_timespec& t) noexcept
{
  using time_point = std::chrono::steady_clock::time_point;
  const auto longest =
      std::chrono::duration_cast<std::chrono::seconds>(time_point::max() - from).count() - 10;
  if (t.tv_sec >= longest || t.tv_nsec / 1'000'000'000 >= longest - t.tv_sec) return time_point::max();
  return from + std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

} // namespace detail

ASIO_URING_DECL fallback_kernel::fallback_kernel(unsigned entries, unsigned completions)
    : emulated_kernel(entries, completions), process_(detail::process::id())
{
  features_.kernel |= IORING_FEAT_RSRC_TAGS; // multishot poll
  for (std::size_t op = 0; op < std::size(detail::opcode_table); ++op)
    features_.opcodes[op] = detail::opcode_table[op].how != detail::performed::never;

  auto& [epoll, timer, wake] = descriptors_;
  epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll >= 0) wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake >= 0) timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  for (const int fd : {wake, timer}) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    if (fd < 0 || ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
      throw std::system_error(errno, std::system_category(), "epoll");
  }
  want_enter(true); // only enter() makes progress
}

ASIO_URING_DECL fallback_kernel::~fallback_kernel() = default;

ASIO_URING_DECL fallback_kernel::descriptors::~descriptors()
{
  for (const int fd : {timer, wake, epoll})
    if (fd >= 0) ::close(fd);
}

ASIO_URING_DECL int fallback_kernel::fd() noexcept
{
  const std::lock_guard guard(mutex_);
  observed_ = true;
  if (ready()) wake();
  return descriptors_.epoll;
}

ASIO_URING_DECL bool fallback_kernel::is_ours() const noexcept { return detail::process::id() == process_; }

// --- entering

ASIO_URING_DECL int fallback_kernel::enter(unsigned wait, const __kernel_timespec* timeout) noexcept
{
  if (!is_ours()) return enter_in_a_child(wait);
  const std::lock_guard guard(mutex_);
  if (woken_ && (observed_ || !waiting_)) drain_wake();
  // As in the kernel, a completion ends the wait even if another thread consumes it.
  const unsigned before = completed(), wanted = consumed() + wait;
  collect_performed();
  bool starved = false;
  const unsigned taken =
      take_entries([&](const io_uring_sqe& entry) noexcept { return !(starved = !take(entry)); });
  if (!starved) start_taken();
  deliver();

  const auto deadline = timeout ? detail::later(clock::now(), *timeout) : clock::time_point::max();
  expire();
  // Another thread inside epoll_wait may have missed what was added meanwhile.
  const bool left = !wait && (waiting_ || look(clock::time_point::min()));
  while (!starved && static_cast<int>(completed() - wanted) < 0 && clock::now() < deadline)
    look(deadline);

  if ((waiting_ && (ready() || completed() != before)) || (observed_ && (ready() || left))) wake();
  return starved && !taken ? -EAGAIN : static_cast<int>(taken);
}

/// Enters in a forked child. Nothing that the parent waits for can happen there, so a wait ends by cancelling
/// requests.
ASIO_URING_DECL int fallback_kernel::enter_in_a_child(unsigned wait) noexcept
{
  const std::unique_lock guard(mutex_, std::try_to_lock); // the thread that held it at the fork is not here
  const unsigned taken = take_entries([&](const io_uring_sqe& entry) noexcept { return take(entry); });
  start_taken();
  deliver();
  for (operation* op; ready() < wait && (op = found_.any());)
    finish(*op, -ECANCELED);
  return static_cast<int>(taken);
}

/// Handles the events that arrive before `until`, with the lock released while it sleeps. True if there may
/// be more.
ASIO_URING_DECL bool fallback_kernel::look(clock::time_point until) noexcept
{
  using std::chrono::milliseconds;
  int limit = -1;
  if (const auto now = clock::now(); until <= now)
    limit = 0;
  else if (until != clock::time_point::max())
    limit = static_cast<int>(std::min<std::chrono::nanoseconds>(std::chrono::ceil<milliseconds>(until - now),
                                                                std::chrono::minutes(1)) /
                             milliseconds(1));
  epoll_event events[128];
  ++waiting_;
  mutex_.unlock();
  const int count = ::epoll_wait(descriptors_.epoll, events, static_cast<int>(std::size(events)), limit);
  mutex_.lock();
  --waiting_;

  for (int i = 0; i < count; ++i) {
    const int fd = events[i].data.fd;
    if (fd == descriptors_.wake) {
      drain_wake();
      continue;
    }
    if (fd == descriptors_.timer) {
      std::uint64_t expirations;
      [[maybe_unused]] const auto size = ::read(fd, &expirations, sizeof(expirations));
      continue;
    }
    // An operation that ends may start others on this descriptor; leave those alone.
    const std::uint64_t newest = numbers_;
    std::uint64_t number = 0;
    for (operation* op; (op = waiting_for(fd, number)) && op->number <= newest;) {
      number = op->number;
      if (!(events[i].events & (op->events | EPOLLERR | EPOLLHUP))) continue;
      if (const outcome r = retry(*op, events[i].events)) finish(*op, *r);
    }
  }
  collect_performed();
  expire();
  return count == static_cast<int>(std::size(events));
}

/// Wakes a thread that sleeps in epoll_wait. Any thread.
ASIO_URING_DECL void fallback_kernel::wake() noexcept
{
  if (!is_ours() || woken_.exchange(true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(descriptors_.wake, &one, sizeof(one));
}

/// Resets the wake-up. Call collect_performed() afterwards: a thread that found woken_ set has not written.
/// woken_ is reset last; a write between reset and read would be lost.
ASIO_URING_DECL void fallback_kernel::drain_wake() noexcept
{
  std::uint64_t count;
  [[maybe_unused]] const auto size = ::read(descriptors_.wake, &count, sizeof(count));
  woken_.exchange(false);
}

// --- the memory of operations, and their completions

ASIO_URING_DECL fallback_kernel::operation* fallback_kernel::unused() noexcept
{
  if (!unused_ && !make_more()) return nullptr;
  return std::exchange(unused_, unused_->next);
}

ASIO_URING_DECL bool fallback_kernel::make_more() noexcept
{
  const std::size_t count = std::max<std::size_t>(made_ / 2, 32);
  try {
    operations_.reserve(operations_.size() + 1);
    found_.reserve(made_ + count);
    watches_.reserve(made_ + count);
    timers_.reserve(made_ + count);
    operations_.push_back(std::make_unique<operation[]>(count));
  } catch (const std::bad_alloc&) {
    return false;
  }
  made_ += count;
  for (std::size_t i = count; i-- > 0;) {
    operation& op = operations_.back()[i];
    op.kernel = this;
    recycle(op);
  }
  return true;
}

ASIO_URING_DECL void fallback_kernel::recycle(operation& op) noexcept
{
  op.begin_anew();
  static_cast<progress&>(op) = {};
  op.next = std::exchange(unused_, &op);
}

ASIO_URING_DECL void fallback_kernel::complete(operation& op, int with) noexcept
{
  if (with >= 0 && op.entry.get().flags & IOSQE_CQE_SKIP_SUCCESS && !op.kept) return recycle(op);
  op.result = with;
  op.ended = true;
  if (!kept_ && offer(op.entry.get().user_data, with, 0))
    recycle(op);
  else
    keep(op);
}

/// Posts one completion of a multishot poll.
ASIO_URING_DECL void fallback_kernel::report(operation& op, unsigned events) noexcept
{
  if (!kept_ && offer(op.entry.get().user_data, static_cast<int>(events), IORING_CQE_F_MORE)) return;
  op.more |= events;
  keep(op);
}

ASIO_URING_DECL void fallback_kernel::keep(operation& op) noexcept
{
  if (std::exchange(op.kept, true)) return;
  (kept_ ? last_kept_->next : kept_) = &op;
  last_kept_ = &op;
}

ASIO_URING_DECL void fallback_kernel::deliver() noexcept
{
  while (operation* op = kept_) {
    if (op->more && !offer(op->entry.get().user_data, static_cast<int>(op->more), IORING_CQE_F_MORE)) return;
    op->more = 0;
    if (op->ended && !offer(op->entry.get().user_data, op->result, 0)) return;
    kept_ = std::exchange(op->next, nullptr);
    op->kept = false;
    if (op->ended) recycle(*op);
  }
}

// --- one entry

/// Takes an entry; returns false if there is no memory for it.
ASIO_URING_DECL bool fallback_kernel::take(const io_uring_sqe& entry) noexcept
{
  operation* const op = unused();
  if (!op) return false;
  op->next = nullptr;
  op->entry = entry;
  (taken_ ? last_taken_->linked : taken_) = op;
  last_taken_ = op;
  if (!(entry.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK))) start_taken();
  return true;
}

ASIO_URING_DECL void fallback_kernel::start_taken() noexcept { start(std::exchange(taken_, nullptr)); }

/// Starts the first operation of a chain, and each next one while they end at once.
ASIO_URING_DECL void fallback_kernel::start(operation* op) noexcept
{
  while (op) {
    const outcome r = begin(*op);
    if (!r) return;
    op = end(*op, *r);
  }
}

ASIO_URING_DECL fallback_kernel::outcome fallback_kernel::begin(operation& op) noexcept
{
  const io_uring_sqe& entry = op.entry.get();
  constexpr unsigned known = IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_ASYNC | IOSQE_CQE_SKIP_SUCCESS;
  if (entry.flags & ~known) return -EINVAL;

  switch (entry.opcode) {
  case IORING_OP_ASYNC_CANCEL:
    return entry.cancel_flags ? -EINVAL : cancel(entry.addr);
  case IORING_OP_POLL_REMOVE:
  case IORING_OP_TIMEOUT_REMOVE:
    return entry.len || entry.timeout_flags ? -EINVAL : cancel(entry.addr);
  }
  if (!is_ours()) return -EOWNERDEAD;
  if (entry.opcode == IORING_OP_POLL_ADD) return poll(op);
  if (entry.opcode == IORING_OP_TIMEOUT) return wait_for_time(op);

  const detail::performed how = detail::how(entry);
  if (how == detail::performed::never) return -EINVAL;
  const bool in_thread = how == detail::performed::by_a_thread;
  if (!in_thread || detail::has_two_ends(entry)) detail::set_non_blocking(entry);
  if (in_thread) return wait_for_thread(op);
  const int with = detail::perform(entry, false);
  const bool later = with == -EINPROGRESS || (with == -EAGAIN && !detail::asks_not_to_wait(entry));
  if (!later || how == detail::performed::at_once) return with;
  if (entry.opcode == IORING_OP_CONNECT && with == -EAGAIN)
    return wait_until(op, clock::now() + connect_interval);
  return wait_for_event(op, entry.fd, how == detail::performed::when_readable ? POLLIN : POLLOUT);
}

ASIO_URING_DECL void fallback_kernel::finish(operation& op, int with) noexcept { start(end(op, with)); }

/// Completes an operation. If its result breaks the chain, cancels the rest of the chain too. Returns the
/// next to start.
ASIO_URING_DECL fallback_kernel::operation* fallback_kernel::end(operation& op, int with) noexcept
{
  stop_waiting(op);
  if (std::exchange(op.found, false)) found_.remove(op);
  const bool goes_on = !detail::breaks_chain(op.entry.get(), with);
  operation* next = op.linked;
  complete(op, with);
  while (next && !goes_on) {
    operation& never_started = *next;
    next = next->linked;
    complete(never_started, -ECANCELED);
  }
  return next;
}

ASIO_URING_DECL int fallback_kernel::cancel(std::uint64_t user_data) noexcept
{
  operation* const op = found_.first(user_data);
  if (!op) return -ENOENT;
  if (op->waits == waiting::for_thread && is_ours() && !threads_.cancel(*op)) {
    op->cancelled = true;
    return -EALREADY; // a thread performs it
  }
  finish(*op, -ECANCELED);
  return 0;
}

ASIO_URING_DECL void fallback_kernel::wait(operation& op, waiting kind) noexcept
{
  op.waits = kind;
  if (!std::exchange(op.found, true)) found_.insert(op);
}

ASIO_URING_DECL void fallback_kernel::stop_waiting(operation& op) noexcept
{
  switch (std::exchange(op.waits, waiting::for_nothing)) {
  case waiting::for_event:
    watches_.remove(op);
    register_events(op.fd, op.registered);
    break;
  case waiting::for_time:
    timers_.remove(op);
    break;
  case waiting::for_nothing:
  case waiting::for_thread:
    break;
  }
}

// --- waiting for a time

ASIO_URING_DECL fallback_kernel::outcome fallback_kernel::wait_for_time(operation& op) noexcept
{
  const io_uring_sqe& entry = op.entry.get();
  const auto& t = *reinterpret_cast<const __kernel_timespec*>(static_cast<std::uintptr_t>(entry.addr));
  if (entry.timeout_flags & ~unsigned{IORING_TIMEOUT_ABS} || entry.off || t.tv_sec < 0 || t.tv_nsec < 0)
    return -EINVAL;
  const bool absolute = entry.timeout_flags & IORING_TIMEOUT_ABS;
  return wait_until(op, detail::later(absolute ? clock::time_point() : clock::now(), t));
}

ASIO_URING_DECL fallback_kernel::outcome fallback_kernel::wait_until(operation& op,
                                                                     clock::time_point time) noexcept
{
  op.time = time;
  wait(op, waiting::for_time);
  timers_.insert(op);
  arm_timer();
  return {};
}

ASIO_URING_DECL void fallback_kernel::expire() noexcept
{
  for (operation* op; (op = timers_.first()) && op->time <= clock::now();) {
    stop_waiting(*op);
    outcome r = -ETIME;
    switch (op->entry.get().opcode) {
    case IORING_OP_TIMEOUT:
      break;
    case IORING_OP_CONNECT:
      r = detail::perform(op->entry.get(), false);
      if (*r == -EAGAIN) r = wait_until(*op, clock::now() + connect_interval);
      break;
    default:
      r = wait_for_thread(*op);
    }
    if (r) finish(*op, *r);
  }
  if (armed_ <= clock::now()) armed_ = clock::time_point::max();
  arm_timer();
}

/// A timer that is removed before it expires costs one spurious wake-up.
ASIO_URING_DECL void fallback_kernel::arm_timer() noexcept
{
  const operation* const first = timers_.first();
  if (!first || first->time >= armed_) return;
  armed_ = first->time;
  const auto since = std::max(armed_.time_since_epoch(), clock::duration(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  itimerspec at{};
  at.it_value.tv_sec = static_cast<std::time_t>(seconds.count());
  at.it_value.tv_nsec = static_cast<long>((since - seconds).count());
  ::timerfd_settime(descriptors_.timer, TFD_TIMER_ABSTIME, &at, nullptr);
}

// --- waiting for an event

ASIO_URING_DECL fallback_kernel::outcome fallback_kernel::poll(operation& op) noexcept
{
  const io_uring_sqe& entry = op.entry.get();
  if (entry.len & ~unsigned{IORING_POLL_ADD_MULTI}) return -EINVAL;
  const unsigned ready = detail::ready_events(entry.fd, entry.poll32_events);
  if (entry.fd < 0 || ready & POLLNVAL) return -EBADF;
  if (ready && !(entry.len & IORING_POLL_ADD_MULTI)) return static_cast<int>(ready);
  return wait_for_event(op, entry.fd, entry.poll32_events);
}

/// Registers an operation for an event, edge-triggered: a new registration reports what is ready already. It
/// is renewed for each operation, since a stock object may have closed the number, and it may be another
/// file's by now.
ASIO_URING_DECL fallback_kernel::outcome fallback_kernel::wait_for_event(operation& op, int fd,
                                                                         unsigned events) noexcept
{
  const operation* const other = watches_.first(fd);
  const unsigned registered = other ? other->registered : 0;
  op.fd = fd;
  op.events = events;
  op.registered = 0;
  op.number = ++numbers_;
  wait(op, waiting::for_event);
  watches_.insert(op);
  if (const int error = register_events(fd, registered)) return error;
  return {};
}

/// Returns the next operation that waits for the descriptor, or null.
ASIO_URING_DECL fallback_kernel::operation* fallback_kernel::waiting_for(int fd, std::uint64_t after) noexcept
{
  operation* op = watches_.first(fd);
  while (op && op->number <= after)
    op = watches_.next(*op);
  return op;
}

/// Updates the one epoll registration for all operations on a descriptor; `registered` is what was registered
/// before. Returns 0 or a negative errno.
ASIO_URING_DECL int fallback_kernel::register_events(int fd, unsigned registered) noexcept
{
  unsigned wanted = 0;
  bool is_new = false;
  for (operation* op = watches_.first(fd); op; op = watches_.next(*op)) {
    wanted |= op->events | EPOLLET;
    is_new |= op->registered == 0;
  }
  if (wanted == registered && !is_new) return 0;
  epoll_event event{wanted, {.fd = fd}};
  if (!wanted) {
    if (registered) control(EPOLL_CTL_DEL, fd, event);
    return 0; // ignore errors: the descriptor may be closed
  }
  long with = control(registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, event);
  if (with < 0 && errno == ENOENT) // the number was closed and reused
    with = control(EPOLL_CTL_ADD, fd, event);
  if (with < 0) return errno == EPERM ? -EINVAL : -errno;
  for (operation* op = watches_.first(fd); op; op = watches_.next(*op))
    op->registered = wanted;
  return 0;
}

/// Calls epoll_ctl, bypassing ThreadSanitizer: a stock object may close the number at the same time, which is
/// harmless here. A child does nothing, because the set is the parent's too.
ASIO_URING_DECL long fallback_kernel::control(int call, int fd, epoll_event& event) noexcept
{
  return is_ours() ? ::syscall(SYS_epoll_ctl, descriptors_.epoll, call, fd, &event) : 0;
}

/// Tries an operation again after an event on its descriptor.
ASIO_URING_DECL fallback_kernel::outcome fallback_kernel::retry(operation& op, unsigned events) noexcept
{
  const io_uring_sqe& entry = op.entry.get();
  int with;
  switch (entry.opcode) {
  case IORING_OP_POLL_ADD: {
    const unsigned asked = entry.poll32_events | POLLERR | POLLHUP;
    if (entry.len & IORING_POLL_ADD_MULTI) {
      report(op, events & asked);
      return {};
    }
    // The event may be older than the operation.
    with = static_cast<int>(detail::ready_events(entry.fd, entry.poll32_events) & asked);
    return with ? outcome(with) : outcome();
  }
  case IORING_OP_SPLICE:
  case IORING_OP_TEE:
    stop_waiting(op);
    return wait_for_thread(op);
  case IORING_OP_CONNECT: {
    socklen_t size = sizeof(with);
    if (::getsockopt(entry.fd, SOL_SOCKET, SO_ERROR, &with, &size) < 0) with = errno;
    return -with;
  }
  default:
    with = detail::perform(entry, false);
    return with == -EAGAIN ? outcome() : outcome(with);
  }
}

// --- waiting for a thread

ASIO_URING_DECL fallback_kernel::outcome fallback_kernel::wait_for_thread(operation& op) noexcept
{
  wait(op, waiting::for_thread);
  const bool waits = detail::has_trait(op.entry.get(), detail::interruptible);
  if (threads_.start(op, waits)) return {};
  if (waits) return -ENOMEM;
  op.perform(); // no thread can be started
  return go_on(op);
}

ASIO_URING_DECL void fallback_kernel::operation::perform() noexcept
{
  switch (entry.get().opcode) {
  case IORING_OP_OPENAT:
  case IORING_OP_OPENAT2:
    result = opening.attempt(entry.get());
    break;
  case IORING_OP_SPLICE:
  case IORING_OP_TEE: {
    io_uring_sqe without_waiting = entry.get();
    without_waiting.splice_flags |= SPLICE_F_NONBLOCK;
    result = detail::perform(without_waiting, true);
    break;
  }
  default:
    result = detail::perform(entry.get(), asked_to_end_);
  }
}

ASIO_URING_DECL void fallback_kernel::operation::performed() noexcept
{
  fallback_kernel& all = *kernel;
  next = all.performed_.load(std::memory_order_relaxed);
  while (!all.performed_.compare_exchange_weak(next, this, std::memory_order_release))
    ;
  all.wake();
}

ASIO_URING_DECL bool fallback_kernel::operation::too_early() const noexcept
{
  if (detail::has_two_ends(entry.get())) return result == -EAGAIN && !detail::asks_not_to_wait(entry.get());
  return opening.waits();
}

ASIO_URING_DECL void fallback_kernel::collect_performed() noexcept
{
  operation* first = nullptr;
  for (operation* op = performed_.exchange(nullptr, std::memory_order_acquire); op;) {
    operation* const before = std::exchange(op->next, first);
    first = std::exchange(op, before);
  }
  while (first) {
    operation& op = *first;
    first = std::exchange(op.next, nullptr);
    if (const outcome r = go_on(op)) finish(op, *r);
  }
}

/// Continues with an operation that a thread has performed.
ASIO_URING_DECL fallback_kernel::outcome fallback_kernel::go_on(operation& op) noexcept
{
  op.waits = waiting::for_nothing;
  if (!op.too_early()) return op.result;
  if (op.cancelled) return -ECANCELED;
  if (op.opening.waits()) {
    const auto interval = std::exchange(op.interval, std::min(2 * op.interval, last_fifo_interval));
    return wait_until(op, clock::now() + interval);
  }
  const std::pair<int, unsigned> ends[] = {{op.entry.get().splice_fd_in, POLLIN},
                                           {op.entry.get().fd, POLLOUT}};
  for (const auto& [fd, events] : ends)
    if (!detail::ready_events(fd, events)) return wait_for_event(op, fd, events);
  return wait_until(op, clock::now() + connect_interval);
}

ASIO_URING_DECL void fallback_kernel::let_go(int fd) noexcept
{
  if (!is_ours()) return;
  threads_.wait_until_unused([fd](const detail::worker_threads::job& j) {
    const io_uring_sqe& entry = static_cast<const operation&>(j).entry.get();
    return (entry.fd == fd && detail::names_descriptor(entry)) ||
           (detail::has_two_ends(entry) && entry.splice_fd_in == fd);
  });
}

} // namespace asio_uring

#endif // ASIO_URING_RING_FALLBACK_KERNEL_IPP
