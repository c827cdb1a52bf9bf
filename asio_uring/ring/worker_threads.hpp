// asio_uring/ring/worker_threads.hpp: threads for calls that block.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_WORKER_THREADS_HPP
#define ASIO_URING_RING_WORKER_THREADS_HPP

#include <asio_uring/ring/config.hpp>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <sys/types.h>
#include <vector>

namespace asio_uring::detail {

/// Makes calls in threads of its own, which are started one by one as there is work for them, and which take
/// no signals.
/**
 * It makes as many side by side as keep disk and processors busy: more would only be in each other's way. If
 * others wait and none of those at work comes back for a while, those are taken to be stuck, and as many more
 * are made beside them: what hangs stops nobody else.
 *
 * Nothing interrupts a call at work: a signal would do so only with a handler that the program had to share.
 */
class worker_threads
{
public:
  /// One call. It is the threads' from start() on, until performed() is called, or cancel() says true.
  class job
  {
  public:
    job() = default;
    job(const job&) = delete;
    job& operator=(const job&) = delete;

  protected:
    ~job() = default;

  private:
    friend class worker_threads;
    virtual void perform() noexcept = 0;
    virtual void performed() noexcept = 0; // the last that a thread does with it

    job* previous_ = nullptr;
    job* next_ = nullptr;
    unsigned period_ = 0;
    bool queued_ = false;
  };

  ASIO_URING_DECL worker_threads() noexcept;
  /// No job may be left; but in a forked child, which has none of the threads.
  ASIO_URING_DECL ~worker_threads();
  worker_threads(const worker_threads&) = delete;
  worker_threads& operator=(const worker_threads&) = delete;

  /// False: there is no thread to be had.
  ASIO_URING_DECL bool start(job& j) noexcept;
  /// True: no thread has begun with it, and none will.
  ASIO_URING_DECL bool cancel(job& j) noexcept;

  /// Returns when uses(const job&) holds for none of the calls at work.
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
  ASIO_URING_DECL void leave(lock_type& lock) noexcept;
  ASIO_URING_DECL void join_last_left(lock_type& lock) noexcept;

  const pid_t process_;
  const unsigned usual_; // calls side by side
  std::mutex mutex_;
  list queued_;
  list at_work_;
  unsigned period_ = 0;  // ends when those at work are taken to be stuck
  unsigned counted_ = 0; // of those at work: begun in this period
  unsigned ended_calls_ = 0;
  unsigned idle_ = 0;    // threads that wait for a job
  bool watched_ = false; // one of them looks whether anything goes on
  bool stopped_ = false;
  bool has_left_ = false;
  pthread_t last_left_{}; // ends, or has ended; to be joined
  std::vector<pthread_t> threads_;
  // Not destroyed in a forked child, where glibc would wait for threads that are not there.
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
