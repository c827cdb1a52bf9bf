// asio_uring/ring/worker_threads.hpp: threads for calls that block.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_WORKER_THREADS_HPP
#define ASIO_URING_RING_WORKER_THREADS_HPP

#include <asio_uring/ring/config.hpp>
#include <asio_uring/ring/futex_wait.hpp>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <sys/types.h>
#include <vector>

namespace asio_uring::detail {

/// Performs blocking calls in threads of its own, which it starts as needed and which block all signals.
/**
 * It makes as many calls at a time as keep disk and processors busy. If others wait while none of those ends
 * for 10 ms, the calls in progress count as stuck and as many more are allowed beside them: a call that hangs
 * holds up no other.
 *
 * Nothing interrupts a call in progress: that would take a signal with a handler that the program has to
 * share. Except one that waits for other threads or processes, and itself looks for an interruption. It
 * counts as stuck from the beginning.
 */
class worker_threads
{
public:
  /// One call. The threads own it from start() until they call performed() or cancel() returns true.
  class job
  {
  public:
    job() = default;
    job(const job&) = delete;
    job& operator=(const job&) = delete;

  protected:
    ~job() = default;

    interruption asked_to_end_; // to be reset for the next call

  private:
    friend class worker_threads;
    virtual void perform() noexcept = 0;
    virtual void performed() noexcept = 0; // the thread does not touch the job afterwards

    job* previous_ = nullptr;
    job* next_ = nullptr;
    unsigned period_ = 0;
    bool queued_ = false;
    bool waits_ = false; // for others
  };

  ASIO_URING_DECL worker_threads() noexcept;
  /// No job may be left, except in a forked child, which has none of the threads.
  ASIO_URING_DECL ~worker_threads();
  worker_threads(const worker_threads&) = delete;
  worker_threads& operator=(const worker_threads&) = delete;

  /// Queues a job; returns false if there is no thread for it and none can be started. `waits`: for other
  /// threads or processes, until it is interrupted; 512 at a time at most.
  ASIO_URING_DECL bool start(job& j, bool waits = false) noexcept;
  /// Takes back a job; returns false if a thread has begun it, and interrupts it if it waits.
  ASIO_URING_DECL bool cancel(job& j) noexcept;

  /// Waits until uses(const job&) is false for all calls in progress.
  template <typename Uses>
  void wait_until_unused(Uses&& uses)
  {
    std::unique_lock lock(mutex_);
    call_ended_.wait(lock, [&] {
      for (const job* j = at_work_.first; j; j = j->next_)
        if (uses(*j)) return false;
      return true;
    });
  }

private:
  struct list
  {
    job* first = nullptr;
    job* last = nullptr;
    unsigned size = 0;

    void append(job& j) noexcept
    {
      j.previous_ = last;
      j.next_ = nullptr;
      (last ? last->next_ : first) = &j;
      last = &j;
      ++size;
    }
    void remove(job& j) noexcept
    {
      (j.previous_ ? j.previous_->next_ : first) = j.next_;
      (j.next_ ? j.next_->previous_ : last) = j.previous_;
      --size;
    }
  };
  using lock_type = std::unique_lock<std::mutex>;

  ASIO_URING_DECL static void* run(void* self) noexcept;
  ASIO_URING_DECL void work() noexcept;
  ASIO_URING_DECL void perform_first(lock_type& lock) noexcept;
  ASIO_URING_DECL void watch(lock_type& lock) noexcept;
  ASIO_URING_DECL void see_to_threads() noexcept;
  ASIO_URING_DECL void see_to_number() noexcept;
  ASIO_URING_DECL void start_thread() noexcept;
  ASIO_URING_DECL bool is_superfluous() const noexcept;
  ASIO_URING_DECL bool leave(lock_type& lock) noexcept;
  ASIO_URING_DECL void join_last_left(lock_type& lock) noexcept;

  const pid_t process_;
  const unsigned usual_; // calls at a time, unless some are stuck
  std::mutex mutex_;
  list queued_;
  list at_work_;
  unsigned period_ = 0;  // a new one begins when the calls in progress count as stuck
  unsigned counted_ = 0; // calls in progress that began in this period
  unsigned ended_calls_ = 0;
  unsigned idle_ = 0;    // threads that wait for a job
  unsigned waits_ = 0;   // jobs, also queued ones, that wait for others
  bool watched_ = false; // one of them watches whether calls end
  bool stopped_ = false;
  bool has_left_ = false;
  pthread_t last_left_{}; // has left work() or is about to; must be joined
  std::vector<pthread_t> threads_;
  // Not destroyed in a forked child: glibc would wait there for threads that do not exist.
  union
  {
    std::condition_variable wanted_;
  };
  union
  {
    std::condition_variable call_ended_;
  };
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/worker_threads.ipp>
#endif

#endif // ASIO_URING_RING_WORKER_THREADS_HPP
