// asio_uring/ring/epoll_kernel.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_EPOLL_KERNEL_IPP
#define ASIO_URING_RING_EPOLL_KERNEL_IPP

#include <algorithm>
#include <asio_uring/ring/epoll_kernel.hpp>
#include <asio_uring/ring/perform.hpp>
#include <cerrno>
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

/// What a descriptor is ready for at this moment.
ASIO_URING_DECL unsigned ready_events(int fd, unsigned events) noexcept
{
  pollfd p{fd, static_cast<short>(events), 0};
  return ::poll(&p, 1, 0) == 1 ? static_cast<unsigned short>(p.revents) : 0;
}

/// Reads and writes of streams are told not to block by the descriptor alone.
ASIO_URING_DECL void set_non_blocking(const io_uring_sqe& entry) noexcept
{
  switch (entry.opcode) {
  case IORING_OP_READ:
  case IORING_OP_READV:
  case IORING_OP_WRITE:
  case IORING_OP_WRITEV:
  case IORING_OP_ACCEPT:
  case IORING_OP_CONNECT:
    if (const int flags = ::fcntl(entry.fd, F_GETFL); flags >= 0 && !(flags & O_NONBLOCK))
      ::fcntl(entry.fd, F_SETFL, flags | O_NONBLOCK);
  }
}

/// Whether a transfer of a file is less than was asked for, which breaks a chain.
ASIO_URING_DECL bool is_short(const io_uring_sqe& entry, int result) noexcept
{
  std::size_t asked = entry.len;
  switch (entry.opcode) {
  case IORING_OP_READV:
  case IORING_OP_WRITEV: {
    const auto* vectors = reinterpret_cast<const iovec*>(static_cast<std::uintptr_t>(entry.addr));
    asked = 0;
    for (unsigned i = 0; i < entry.len; ++i)
      asked += vectors[i].iov_len;
    [[fallthrough]];
  }
  case IORING_OP_READ:
  case IORING_OP_WRITE:
    return static_cast<std::size_t>(result) < asked;
  default:
    return false;
  }
}

} // namespace detail

ASIO_URING_DECL epoll_kernel::epoll_kernel(unsigned entries, unsigned completions)
    : emulated_kernel(entries, completions), process_(::getpid())
{
  features_.kernel |= IORING_FEAT_RSRC_TAGS; // multishot poll
  io_uring_sqe entry{};
  entry.fd = -1;
  for (unsigned op = 0; op < IORING_OP_LISTEN + 1; ++op) {
    entry.opcode = static_cast<std::uint8_t>(op);
    features_.opcodes[op] = detail::how(entry) != detail::performed::never;
  }
  for (const unsigned op : {IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE, IORING_OP_TIMEOUT,
                            IORING_OP_TIMEOUT_REMOVE, IORING_OP_ASYNC_CANCEL})
    features_.opcodes[op] = true;

  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ >= 0) wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ >= 0) timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  for (const int fd : {wake_, timer_}) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    if (fd >= 0 && ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) continue;
    const int error = errno;
    close_descriptors();
    throw std::system_error(error, std::system_category(), "epoll");
  }
  want_enter(true); // completions come about by entering alone
}

ASIO_URING_DECL epoll_kernel::~epoll_kernel()
{
  if (workers_ && ::getpid() != process_)
    (void)workers_.release(); // a forked child has none of the threads to wait for
  else if (workers_) {
    {
      const std::lock_guard guard(mutex_);
      workers_->stopped = true;
    }
    workers_->wanted.notify_all();
    for (std::thread& t : workers_->threads)
      t.join();
  }
  close_descriptors();
}

ASIO_URING_DECL void epoll_kernel::close_descriptors() noexcept
{
  for (const int fd : {timer_, wake_, epoll_})
    if (fd >= 0) ::close(fd);
}

ASIO_URING_DECL int epoll_kernel::fd() noexcept
{
  const std::lock_guard guard(mutex_);
  observed_ = true;
  if (ready()) wake();
  return epoll_;
}

// --- entering

ASIO_URING_DECL int epoll_kernel::enter(unsigned wait, const __kernel_timespec* timeout) noexcept
{
  const std::lock_guard guard(mutex_);
  if (woken_) {
    std::uint64_t count;
    [[maybe_unused]] const auto drained = ::read(wake_, &count, sizeof(count));
    woken_ = false;
  }
  io_uring_sqe first{};
  chain linked;
  bool goes_on = false;
  const unsigned taken = take_entries([&](const io_uring_sqe& entry) {
    if (goes_on)
      linked.push_back(entry);
    else
      first = entry;
    goes_on = entry.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
    if (!goes_on) start(first, std::exchange(linked, {}));
  });
  if (goes_on) start(first, std::move(linked));
  deliver();

  const auto deadline = timeout ? clock::now() + std::chrono::seconds(timeout->tv_sec) +
                                      std::chrono::nanoseconds(timeout->tv_nsec)
                                : clock::time_point::max();
  expire();
  // Where another thread looks, it may have missed what came since.
  const bool left = !wait && (waiting_ || look(clock::time_point::min()));
  while (ready() < wait && clock::now() < deadline)
    look(deadline);

  if ((ready() && waiting_) || ((ready() || left) && observed_)) wake();
  return static_cast<int>(taken);
}

/// Takes the events that come until then; releases the lock while it sleeps. True if there may be more.
ASIO_URING_DECL bool epoll_kernel::look(clock::time_point until)
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
  const int count = ::epoll_wait(epoll_, events, static_cast<int>(std::size(events)), limit);
  mutex_.lock();
  --waiting_;

  for (int i = 0; i < count; ++i) {
    const int fd = events[i].data.fd;
    if (fd == wake_ || fd == timer_) {
      std::uint64_t drained;
      [[maybe_unused]] const auto size = ::read(fd, &drained, sizeof(drained));
      if (fd == wake_) woken_ = false;
      continue;
    }
    // An operation that ends may start, and end, others.
    const std::uint64_t newest = numbers_;
    std::uint64_t number = 0;
    for (operation* op; (op = waiting_for(fd, number)) && op->number <= newest;) {
      number = op->number;
      if (events[i].events & (op->events | EPOLLERR | EPOLLHUP)) retry(*op, events[i].events);
    }
  }
  expire();
  return count == static_cast<int>(std::size(events));
}

ASIO_URING_DECL void epoll_kernel::expire()
{
  while (timers_.first && timers_.first->time <= clock::now()) {
    operation& op = *timers_.first;
    int result = -ETIME;
    if (op.entry.opcode == IORING_OP_CONNECT) result = detail::perform(op.entry, false);
    if (result != -EAGAIN) {
      finish(op, result);
      continue;
    }
    timers_.remove(op);
    set_timer(op, clock::now() + connect_interval);
  }
  if (armed_ <= clock::now()) armed_ = clock::time_point::max();
  arm_timer();
}

ASIO_URING_DECL void epoll_kernel::set_timer(operation& op, clock::time_point time)
{
  op.waits = operation::for_time;
  op.time = time;
  operation* earlier = timers_.last;
  while (earlier && earlier->time > time)
    earlier = earlier->previous;
  timers_.insert_after(earlier, op);
  arm_timer();
}

/// If the first timer goes away before it is due, the loop looks once in vain.
ASIO_URING_DECL void epoll_kernel::arm_timer()
{
  if (!timers_.first || timers_.first->time >= armed_) return;
  armed_ = timers_.first->time;
  const auto since = std::max(armed_.time_since_epoch(), clock::duration(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  const itimerspec at{{}, {seconds.count(), (since - seconds).count()}};
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr);
}

ASIO_URING_DECL void epoll_kernel::wake()
{
  if (std::exchange(woken_, true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof(one));
}

// --- one entry

ASIO_URING_DECL void epoll_kernel::post_result(const io_uring_sqe& entry, int result)
{
  if (result < 0 || !(entry.flags & IOSQE_CQE_SKIP_SUCCESS)) post(entry.user_data, result, 0);
}

/// Starts the first of a chain, and the next as long as they end at once.
ASIO_URING_DECL void epoll_kernel::start(const io_uring_sqe& entry, chain&& linked)
{
  constexpr unsigned known = IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_ASYNC | IOSQE_CQE_SKIP_SUCCESS;
  if (entry.flags & ~known) return ended(entry, std::move(linked), -EINVAL);

  switch (entry.opcode) {
  case IORING_OP_ASYNC_CANCEL:
    return ended(entry, std::move(linked), entry.cancel_flags ? -EINVAL : cancel(entry.addr));
  case IORING_OP_POLL_REMOVE:
  case IORING_OP_TIMEOUT_REMOVE:
    return ended(entry, std::move(linked), entry.len || entry.timeout_flags ? -EINVAL : cancel(entry.addr));
  case IORING_OP_POLL_ADD:
  case IORING_OP_TIMEOUT:
    return start_operation(entry, std::move(linked));
  }
  const detail::performed how = detail::how(entry);
  if (how == detail::performed::never) return ended(entry, std::move(linked), -EINVAL);
  if (how == detail::performed::by_a_thread) return start_operation(entry, std::move(linked));

  detail::set_non_blocking(entry);
  const int result = detail::perform(entry, false);
  const bool later = result == -EINPROGRESS || (result == -EAGAIN && !(entry.msg_flags & MSG_DONTWAIT));
  if (later && how != detail::performed::at_once) return start_operation(entry, std::move(linked), result);
  ended(entry, std::move(linked), result);
}

/// The first of a chain is done.
ASIO_URING_DECL void epoll_kernel::ended(const io_uring_sqe& entry, chain&& linked, int result)
{
  post_result(entry, result);
  if (linked.empty()) return;
  const bool failed = result < 0 || detail::is_short(entry, result);
  if (failed && !(entry.flags & IOSQE_IO_HARDLINK)) {
    for (const io_uring_sqe& never_started : linked)
      post(never_started.user_data, -ECANCELED, 0);
    return;
  }
  const io_uring_sqe next = linked.front();
  linked.erase(linked.begin());
  start(next, std::move(linked));
}

/// The first of a chain has to wait.
ASIO_URING_DECL void epoll_kernel::start_operation(const io_uring_sqe& entry, chain&& linked, int result)
{
  const auto added =
      by_user_data_.emplace(entry.user_data, std::make_unique<operation>(entry, std::move(linked)));
  operation& op = *added->second;
  switch (entry.opcode) {
  case IORING_OP_TIMEOUT:
    return wait_for_time(op);
  case IORING_OP_POLL_ADD:
    return wait_for_event(op, entry.poll32_events);
  default:
    const detail::performed how = detail::how(entry);
    if (how == detail::performed::by_a_thread) return wait_for_thread(op);
    if (entry.opcode == IORING_OP_CONNECT && result == -EAGAIN) {
      return set_timer(op, clock::now() + connect_interval);
    }
    wait_for_event(op, how == detail::performed::when_readable ? POLLIN : POLLOUT);
  }
}

ASIO_URING_DECL void epoll_kernel::finish(operation& op, int result)
{
  stop_waiting(op);
  auto [each, last] = by_user_data_.equal_range(op.entry.user_data);
  while (each->second.get() != &op)
    ++each;
  const std::unique_ptr<operation> finished = std::move(each->second);
  by_user_data_.erase(each);
  ended(op.entry, std::move(op.linked), result);
}

ASIO_URING_DECL int epoll_kernel::cancel(std::uint64_t user_data)
{
  const auto found = by_user_data_.find(user_data);
  if (found == by_user_data_.end()) return -ENOENT;
  operation& op = *found->second;
  if (op.waits == operation::for_nothing) return -EALREADY; // a thread is at it
  finish(op, -ECANCELED);
  return 0;
}

ASIO_URING_DECL void epoll_kernel::stop_waiting(operation& op)
{
  switch (std::exchange(op.waits, operation::for_nothing)) {
  case operation::for_nothing:
    break;
  case operation::for_event:
    watches_[static_cast<std::size_t>(op.entry.fd)].waiting.remove(op);
    register_events(op.entry.fd);
    break;
  case operation::for_time:
    timers_.remove(op);
    break;
  case operation::for_thread:
    jobs_.remove(op);
    --queued_;
  }
}

// --- waiting for a time

ASIO_URING_DECL void epoll_kernel::wait_for_time(operation& op)
{
  const io_uring_sqe& entry = op.entry;
  const auto& t = *reinterpret_cast<const __kernel_timespec*>(static_cast<std::uintptr_t>(entry.addr));
  if (entry.timeout_flags & ~unsigned{IORING_TIMEOUT_ABS} || entry.off || t.tv_sec < 0 || t.tv_nsec < 0)
    return finish(op, -EINVAL);
  const auto duration = std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
  const clock::time_point time =
      entry.timeout_flags & IORING_TIMEOUT_ABS ? clock::time_point(duration) : clock::now() + duration;
  set_timer(op, time);
}

// --- waiting for an event

ASIO_URING_DECL void epoll_kernel::wait_for_event(operation& op, unsigned events)
{
  const int fd = op.entry.fd;
  if (fd < 0) return finish(op, -EBADF);
  if (const unsigned ready = detail::ready_events(fd, events)) {
    if (ready & POLLNVAL) return finish(op, -EBADF);
    if (retry(op, ready)) return;
  }
  const auto index = static_cast<std::size_t>(fd);
  if (index >= watches_.size()) watches_.resize(index + 1);
  op.waits = operation::for_event;
  op.events = events;
  op.number = ++numbers_;
  list& waiting = watches_[index].waiting;
  waiting.insert_after(waiting.last, op);
  if (const int error = register_events(fd, true)) finish(op, error);
}

/// The next operation that waits for the descriptor, or null.
ASIO_URING_DECL epoll_kernel::operation* epoll_kernel::waiting_for(int fd, std::uint64_t after)
{
  operation* op = watches_[static_cast<std::size_t>(fd)].waiting.first;
  while (op && op->number <= after)
    op = op->next;
  return op;
}

/// Keeps one registration for all that wait for a descriptor. Edge-triggered: a new registration reports what
/// is there already, and each operation has looked for itself when it started. For a new operation it is
/// renewed: a stock object may have closed the number, and it may be another file's by now.
ASIO_URING_DECL int epoll_kernel::register_events(int fd, bool renew)
{
  watch& w = watches_[static_cast<std::size_t>(fd)];
  unsigned wanted = 0;
  for (const operation* op = w.waiting.first; op; op = op->next)
    wanted |= op->events;
  if (wanted == w.registered && !renew) return 0;
  epoll_event event{wanted | EPOLLET, {.fd = fd}};
  if (!wanted) {
    control(EPOLL_CTL_DEL, fd, event);
    w.registered = 0;
    return 0; // that the descriptor has been closed is no error here
  }
  long result = control(w.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, event);
  if (result < 0 && errno == ENOENT) // the number has been closed and opened again
    result = control(EPOLL_CTL_ADD, fd, event);
  if (result < 0) return errno == EPERM ? -EINVAL : -errno;
  w.registered = wanted;
  return 0;
}

/// epoll_ctl, unseen by ThreadSanitizer: that a stock object closes the number meanwhile is harmless here.
ASIO_URING_DECL long epoll_kernel::control(int operation, int fd, epoll_event& event) noexcept
{
  return ::syscall(SYS_epoll_ctl, epoll_, operation, fd, &event);
}

/// Something has happened to the descriptor. True if that ended the operation.
ASIO_URING_DECL bool epoll_kernel::retry(operation& op, unsigned events)
{
  const io_uring_sqe& entry = op.entry;
  if (entry.opcode == IORING_OP_POLL_ADD) {
    const unsigned asked = entry.poll32_events | POLLERR | POLLHUP;
    if (entry.len & IORING_POLL_ADD_MULTI) {
      post(entry.user_data, static_cast<int>(events & asked), IORING_CQE_F_MORE);
      return false;
    }
    // The event may be older than the operation.
    const unsigned ready = detail::ready_events(entry.fd, entry.poll32_events) & asked;
    if (!ready) return false;
    finish(op, static_cast<int>(ready));
    return true;
  }
  int result;
  if (entry.opcode == IORING_OP_CONNECT) {
    socklen_t size = sizeof(result);
    if (::getsockopt(entry.fd, SOL_SOCKET, SO_ERROR, &result, &size) < 0) result = errno;
    result = -result;
  } else
    result = detail::perform(entry, false);
  if (result == -EAGAIN) return false;
  finish(op, result);
  return true;
}

// --- waiting for a thread

ASIO_URING_DECL void epoll_kernel::wait_for_thread(operation& op)
{
  op.waits = operation::for_thread;
  jobs_.append(op);
  ++queued_;
  if (!workers_) workers_ = std::make_unique<workers>();
  if (queued_ > workers_->idle &&
      workers_->threads.size() < std::clamp(2 * std::thread::hardware_concurrency(), 4u, 32u))
    try {
      workers_->threads.emplace_back(&epoll_kernel::work, this);
    } catch (const std::system_error& e) {
      if (workers_->threads.empty()) return finish(op, -e.code().value());
    }
  workers_->wanted.notify_one();
}

ASIO_URING_DECL void epoll_kernel::let_go(int fd) noexcept
{
  std::unique_lock lock(mutex_);
  no_longer_performed_.wait(lock, [&] {
    for (const operation* op = performed_.first; op; op = op->next)
      if (op->entry.fd == fd || (op->entry.opcode == IORING_OP_SPLICE && op->entry.splice_fd_in == fd))
        return false;
    return true;
  });
}

/// What each thread does.
ASIO_URING_DECL void epoll_kernel::work()
{
  std::unique_lock lock(mutex_);
  for (;;) {
    ++workers_->idle;
    while (!workers_->stopped && !jobs_.first)
      workers_->wanted.wait(lock);
    --workers_->idle;
    if (workers_->stopped) return;
    operation& op = *jobs_.first;
    stop_waiting(op);
    performed_.append(op);
    lock.unlock();
    const int result = detail::perform(op.entry, true);
    lock.lock();
    performed_.remove(op);
    finish(op, result);
    no_longer_performed_.notify_all();
    if (waiting_ || observed_) wake();
  }
}

} // namespace asio_uring

#endif // ASIO_URING_RING_EPOLL_KERNEL_IPP
