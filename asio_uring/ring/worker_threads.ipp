// asio_uring/ring/worker_threads.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_WORKER_THREADS_IPP
#define ASIO_URING_RING_WORKER_THREADS_IPP

#include <algorithm>
#include <asio_uring/ring/process.hpp>
#include <asio_uring/ring/worker_threads.hpp>
#include <cassert>
#include <chrono>
#include <csignal>
#include <memory>
#include <new>
#include <thread>

namespace asio_uring::detail {

ASIO_URING_DECL worker_threads::worker_threads() noexcept
    : process_(process::id()), usual_(std::clamp(2 * std::thread::hardware_concurrency(), 4u, 32u))
{
  std::construct_at(&wanted_);
  std::construct_at(&call_ended_);
}

ASIO_URING_DECL worker_threads::~worker_threads()
{
  if (process::id() != process_) return;
  lock_type lock(mutex_);
  assert(!queued_.first && !at_work_.first);
  stopped_ = true;
  wanted_.notify_all();
  while (!threads_.empty()) {
    const pthread_t thread = threads_.back();
    threads_.pop_back();
    lock.unlock();
    ::pthread_join(thread, nullptr);
    lock.lock();
  }
  join_last_left(lock);
  lock.unlock();
  std::destroy_at(&wanted_);
  std::destroy_at(&call_ended_);
}

ASIO_URING_DECL bool worker_threads::start(job& j, bool waits) noexcept
{
  constexpr unsigned most_waits = 512;
  lock_type lock(mutex_);
  if (waits && waits_ == most_waits) return false;
  queued_.append(j);
  see_to_number();
  // Each that waits for others may occupy a thread for ever: none is left for this one.
  if (threads_.size() <= waits_) start_thread();
  const bool queued = j.queued_ = threads_.size() > waits_;
  j.waits_ = queued && waits;
  waits_ += j.waits_;
  if (!queued) queued_.remove(j);
  const bool wakes = queued && idle_;
  lock.unlock(); // the thread that wakes needs it at once
  if (wakes) wanted_.notify_one();
  return queued;
}

ASIO_URING_DECL bool worker_threads::cancel(job& j) noexcept
{
  const lock_type lock(mutex_);
  if (!j.queued_) {
    if (j.waits_) j.asked_to_end_.request();
    return false;
  }
  j.queued_ = false;
  queued_.remove(j);
  waits_ -= j.waits_;
  return true;
}

/// Wakes or starts a thread for the queued calls: to make them, or to watch those in progress.
ASIO_URING_DECL void worker_threads::see_to_threads() noexcept
{
  if (queued_.first && idle_) wanted_.notify_one();
  see_to_number();
}

ASIO_URING_DECL void worker_threads::see_to_number() noexcept
{
  constexpr std::size_t most = 1024;
  const std::size_t stuck = at_work_.size - counted_;
  if (queued_.size > idle_ && threads_.size() <= std::min(stuck + usual_, most)) start_thread();
}

/// Starts a thread. On failure, nothing changes.
ASIO_URING_DECL void worker_threads::start_thread() noexcept
{
  try {
    threads_.reserve(threads_.size() + 1);
  } catch (const std::bad_alloc&) {
    return;
  }
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, &worker_threads::run, this) == 0) threads_.push_back(thread);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ASIO_URING_DECL void* worker_threads::run(void* self) noexcept
{
  static_cast<worker_threads*>(self)->work();
  return nullptr;
}

/// The main function of each thread.
ASIO_URING_DECL void worker_threads::work() noexcept
{
  lock_type lock(mutex_);
  while (!stopped_)
    if (queued_.first && counted_ < usual_)
      perform_first(lock);
    else if (queued_.first && !watched_)
      watch(lock);
    else if (is_superfluous()) {
      if (leave(lock)) return;
    } else {
      ++idle_;
      wanted_.wait(lock);
      --idle_;
    }
}

ASIO_URING_DECL void worker_threads::perform_first(lock_type& lock) noexcept
{
  job& j = *queued_.first;
  queued_.remove(j);
  j.queued_ = false;
  j.period_ = period_;
  at_work_.append(j);
  counted_ += !j.waits_;
  see_to_threads();
  lock.unlock();
  j.perform();
  lock.lock();
  at_work_.remove(j);
  if (j.waits_)
    --waits_;
  else {
    if (j.period_ == period_) --counted_;
    ++ended_calls_;
  }
  call_ended_.notify_all();
  ++idle_; // performed() may lead to the next job at once, and this thread can take it
  lock.unlock();
  j.performed();
  lock.lock();
  --idle_;
}

/// All usual calls are in progress and others wait: after 10 ms in which none ends, begins a new period.
ASIO_URING_DECL void worker_threads::watch(lock_type& lock) noexcept
{
  using clock = std::chrono::steady_clock;
  const clock::time_point limit = clock::now() + std::chrono::milliseconds(10);
  const unsigned ended = ended_calls_;
  const auto nothing_ends = [&] { return !stopped_ && queued_.first && ended == ended_calls_; };
  watched_ = true;
  ++idle_;
  while (nothing_ends() && clock::now() < limit)
    wanted_.wait_until(lock, limit);
  --idle_;
  watched_ = false;
  if (!nothing_ends()) return;
  ++period_;
  counted_ = 0;
}

/// Whether one thread may end: enough others are idle, and none is missing for what waits.
ASIO_URING_DECL bool worker_threads::is_superfluous() const noexcept
{
  return idle_ >= usual_ && threads_.size() > waits_ + usual_;
}

/// True: this thread is to end. False: it is needed after all.
ASIO_URING_DECL bool worker_threads::leave(lock_type& lock) noexcept
{
  join_last_left(lock);
  if (!stopped_ && !is_superfluous()) return false;
  const auto self = std::find_if(threads_.begin(), threads_.end(),
                                 [](pthread_t t) { return ::pthread_equal(t, ::pthread_self()); });
  if (self == threads_.end()) return true; // the destructor joins this thread
  last_left_ = *self;
  has_left_ = true;
  threads_.erase(self);
  return true;
}

ASIO_URING_DECL void worker_threads::join_last_left(lock_type& lock) noexcept
{
  while (has_left_) {
    const pthread_t thread = last_left_;
    has_left_ = false;
    lock.unlock();
    ::pthread_join(thread, nullptr);
    lock.lock();
  }
}

} // namespace asio_uring::detail

#endif // ASIO_URING_RING_WORKER_THREADS_IPP
