// asio_uring/ring/epoll_kernel.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_EPOLL_KERNEL_IPP
#define ASIO_URING_RING_EPOLL_KERNEL_IPP

#include <algorithm>
#include <asio_uring/ring/epoll_kernel.hpp>
#include <asio_uring/ring/perform.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <poll.h>
#include <span>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <system_error>
#include <thread>

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
    for (const iovec& v : std::span(vectors, entry.len))
      asked += v.iov_len;
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
  if (::getpid() == process_)
    threads_.reset();
  else
    (void)threads_.release(); // a forked child has none of the threads to wait for
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
  chain entries;
  const unsigned taken = take_entries([&](const io_uring_sqe& entry) {
    entries.push_back(entry);
    if (!(entry.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK))) start(std::exchange(entries, {}));
  });
  if (!entries.empty()) start(std::move(entries));
  deliver();

  const auto deadline = timeout ? clock::now() + std::chrono::seconds(timeout->tv_sec) +
                                      std::chrono::nanoseconds(timeout->tv_nsec)
                                : clock::time_point::max();
  expire();
  if (!wait && !ready() && !waiting_) look(clock::time_point::min());
  while (ready() < wait && clock::now() < deadline)
    look(deadline);

  if (ready() && (waiting_ || observed_)) wake();
  return static_cast<int>(taken);
}

/// Takes the events that come until then; releases the lock while it sleeps.
ASIO_URING_DECL void epoll_kernel::look(clock::time_point until)
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
    const auto found = watches_.find(fd);
    if (found == watches_.end()) continue;
    // An operation that ends may start, and end, others.
    const std::list<operation*> waiting = found->second.waiting;
    for (operation* op : waiting) {
      const auto now = watches_.find(fd);
      if (now == watches_.end()) break;
      auto& still = now->second.waiting;
      if (std::find(still.begin(), still.end(), op) != still.end() &&
          events[i].events & (op->events | EPOLLERR | EPOLLHUP))
        retry(*op, events[i].events);
    }
  }
  expire();
}

ASIO_URING_DECL void epoll_kernel::expire()
{
  while (!timers_.empty() && timers_.begin()->first <= clock::now()) {
    operation& op = *timers_.begin()->second;
    int result = -ETIME;
    if (op.entry().opcode == IORING_OP_CONNECT) result = detail::perform(op.entry(), false);
    if (result != -EAGAIN) {
      finish(op, result);
      continue;
    }
    timers_.erase(op.timer);
    set_timer(op, clock::now() + connect_interval);
  }
  if (armed_ <= clock::now()) armed_ = clock::time_point::max();
  arm_timer();
}

ASIO_URING_DECL void epoll_kernel::set_timer(operation& op, clock::time_point time)
{
  op.waits = operation::for_time;
  op.timer = timers_.emplace(time, &op);
  arm_timer();
}

/// If the first timer goes away before it is due, the loop looks once in vain.
ASIO_URING_DECL void epoll_kernel::arm_timer()
{
  if (timers_.empty() || timers_.begin()->first >= armed_) return;
  armed_ = timers_.begin()->first;
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
ASIO_URING_DECL void epoll_kernel::start(chain&& entries)
{
  const io_uring_sqe entry = entries.front();
  constexpr unsigned known = IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_ASYNC | IOSQE_CQE_SKIP_SUCCESS;
  if (entry.flags & ~known) return ended(std::move(entries), -EINVAL);

  switch (entry.opcode) {
  case IORING_OP_ASYNC_CANCEL:
    return ended(std::move(entries), entry.cancel_flags ? -EINVAL : cancel(entry.addr));
  case IORING_OP_POLL_REMOVE:
  case IORING_OP_TIMEOUT_REMOVE:
    return ended(std::move(entries), entry.len || entry.timeout_flags ? -EINVAL : cancel(entry.addr));
  case IORING_OP_POLL_ADD:
  case IORING_OP_TIMEOUT:
    return start_operation(std::move(entries));
  }
  const detail::performed how = detail::how(entry);
  if (how == detail::performed::never) return ended(std::move(entries), -EINVAL);
  if (how == detail::performed::by_a_thread) return start_operation(std::move(entries));

  detail::set_non_blocking(entry);
  const int result = detail::perform(entry, false);
  const bool later = result == -EINPROGRESS || (result == -EAGAIN && !(entry.msg_flags & MSG_DONTWAIT));
  if (later && how != detail::performed::at_once) return start_operation(std::move(entries), result);
  ended(std::move(entries), result);
}

/// The first of a chain is done.
ASIO_URING_DECL void epoll_kernel::ended(chain&& entries, int result)
{
  const io_uring_sqe entry = entries.front();
  entries.pop_front();
  post_result(entry, result);
  if (entries.empty()) return;
  const bool failed = result < 0 || detail::is_short(entry, result);
  if (failed && !(entry.flags & IOSQE_IO_HARDLINK)) {
    for (const io_uring_sqe& never_started : entries)
      post(never_started.user_data, -ECANCELED, 0);
    return;
  }
  start(std::move(entries));
}

/// The first of a chain has to wait.
ASIO_URING_DECL void epoll_kernel::start_operation(chain&& entries, int result)
{
  operation& op = operations_.emplace_back(std::move(entries));
  op.self = std::prev(operations_.end());
  const io_uring_sqe& entry = op.entry();
  by_user_data_.emplace(entry.user_data, &op);
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
  auto [first, last] = by_user_data_.equal_range(op.entry().user_data);
  by_user_data_.erase(std::find_if(first, last, [&](const auto& each) { return each.second == &op; }));
  chain entries = std::move(op.entries);
  operations_.erase(op.self);
  ended(std::move(entries), result);
}

ASIO_URING_DECL int epoll_kernel::cancel(std::uint64_t user_data)
{
  const auto found = by_user_data_.find(user_data);
  if (found == by_user_data_.end()) return -ENOENT;
  operation& op = *found->second;
  if (op.waits == operation::in_thread) return -EALREADY;
  finish(op, -ECANCELED);
  return 0;
}

ASIO_URING_DECL void epoll_kernel::stop_waiting(operation& op)
{
  if (op.waits == operation::for_time) timers_.erase(op.timer);
  if (op.job) in_threads_.erase(op.job);
  if (!op.events) return;
  const int fd = op.entry().fd;
  watch& w = watches_[fd];
  w.waiting.remove(&op);
  register_events(fd, w);
}

// --- waiting for a time

ASIO_URING_DECL void epoll_kernel::wait_for_time(operation& op)
{
  const io_uring_sqe& entry = op.entry();
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
  const io_uring_sqe& entry = op.entry();
  if (const unsigned ready = detail::ready_events(entry.fd, events)) {
    op.events = 0;
    if (ready & POLLNVAL) return finish(op, -EBADF);
    if (retry(op, ready)) return;
  }
  op.events = events;
  watch& w = watches_[entry.fd];
  w.waiting.push_back(&op);
  if (const int error = register_events(entry.fd, w)) finish(op, error);
}

/// Keeps one registration for all that wait for a descriptor. Edge-triggered: a new registration reports what
/// is there already, and each operation has looked for itself when it started.
ASIO_URING_DECL int epoll_kernel::register_events(int fd, watch& w)
{
  unsigned wanted = 0;
  for (const operation* op : w.waiting)
    wanted |= op->events;
  if (wanted == w.registered && wanted) return 0;
  epoll_event event{wanted | EPOLLET, {.fd = fd}};
  int result;
  if (!wanted) {
    result = w.registered ? ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &event) : 0;
    watches_.erase(fd);
    return 0; // that the descriptor has been closed is no error here
  }
  result = ::epoll_ctl(epoll_, w.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  if (result < 0 && errno == ENOENT) // the number has been closed and opened again
    result = ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  if (result < 0) return errno == EPERM ? -EINVAL : -errno;
  w.registered = wanted;
  return 0;
}

/// Something has happened to the descriptor. True if that ended the operation.
ASIO_URING_DECL bool epoll_kernel::retry(operation& op, unsigned events)
{
  const io_uring_sqe& entry = op.entry();
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
  if (!threads_)
    threads_ = std::make_unique<boost::asio::thread_pool>(
        std::clamp(2 * std::thread::hardware_concurrency(), 4u, 32u));
  // A cancelled operation leaves its job behind: it is told by the number, which is not used again.
  boost::asio::post(*threads_, [this, number = ++jobs_] {
    std::unique_lock guard(mutex_);
    const auto found = in_threads_.find(number);
    if (found == in_threads_.end()) return;
    operation& op = *found->second;
    op.waits = operation::in_thread;
    const io_uring_sqe entry = op.entry();
    guard.unlock();
    const int result = detail::perform(entry, true);
    guard.lock();
    finish(op, result);
    if (waiting_ || observed_) wake();
  });
  in_threads_.emplace(op.job = jobs_, &op);
}

} // namespace asio_uring

#endif // ASIO_URING_RING_EPOLL_KERNEL_IPP
