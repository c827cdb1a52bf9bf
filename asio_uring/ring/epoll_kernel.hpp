// asio_uring/ring/epoll_kernel.hpp: a ring's entries performed with epoll and a few threads.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_EPOLL_KERNEL_HPP
#define ASIO_URING_RING_EPOLL_KERNEL_HPP

#include <asio_uring/ring/emulated_kernel.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <sys/epoll.h>
#include <sys/types.h>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace asio_uring {

/// For where io_uring is forbidden or missing: the same entries, the same completions.
/**
 * What would block waits in an epoll set and is tried again, as a reactor does it; what epoll cannot watch
 * (files, and the rest of the file system) is left to threads. A stream that an entry works on is set to
 * O_NONBLOCK, as Asio's reactor sets it.
 *
 * Links, cancelling by user_data and multishot poll are supported; an opcode or a flag that is not is
 * answered with EINVAL, as by a kernel that does not know it.
 */
class epoll_kernel final : public emulated_kernel
{
public:
  /// Throws std::system_error where there is no file descriptor left.
  ASIO_URING_DECL epoll_kernel(unsigned entries, unsigned completions);
  ASIO_URING_DECL ~epoll_kernel() override;

  ASIO_URING_DECL int enter(unsigned wait, const __kernel_timespec* timeout) noexcept override;
  ASIO_URING_DECL int fd() noexcept override;
  ASIO_URING_DECL void let_go(int fd) noexcept override;

private:
  using clock = std::chrono::steady_clock;
  /// A UNIX socket whose listener has no room gives no event when there is some.
  static constexpr std::chrono::milliseconds connect_interval{1};
  using chain = std::vector<io_uring_sqe>; // what is linked behind an entry

  /// An entry that waits. It is in one list, or is being performed by a thread.
  struct operation
  {
    operation(const io_uring_sqe& e, chain&& l) : entry(e), linked(std::move(l)) {}

    const io_uring_sqe entry;
    chain linked;
    enum
    {
      for_nothing,
      for_event,
      for_time,
      for_thread
    } waits = for_nothing;
    unsigned events = 0;      // waited for
    std::uint64_t number = 0; // in the order of those that wait for an event
    clock::time_point time{}; // waited for
    operation* previous = nullptr;
    operation* next = nullptr;
  };

  struct list
  {
    operation* first = nullptr;
    operation* last = nullptr;

    void insert_after(operation* previous, operation& op) noexcept // null: at the front
    {
      op.previous = previous;
      op.next = std::exchange(previous ? previous->next : first, &op);
      (op.next ? op.next->previous : last) = &op;
    }
    void append(operation& op) noexcept { insert_after(last, op); }
    void remove(operation& op) noexcept
    {
      (op.previous ? op.previous->next : first) = op.next;
      (op.next ? op.next->previous : last) = op.previous;
    }
  };

  /// The operations that wait for a file descriptor; there is one registration with epoll for all of them.
  struct watch
  {
    unsigned registered = 0;
    list waiting;
  };

  /// The threads that perform what blocks, started one by one as there is work for them.
  struct workers
  {
    std::vector<std::thread> threads;
    std::condition_variable wanted;
    unsigned idle = 0;
    bool stopped = false;
  };

  ASIO_URING_DECL void start(const io_uring_sqe& entry, chain&& linked);
  ASIO_URING_DECL void start_operation(const io_uring_sqe& entry, chain&& linked, int result = 0);
  ASIO_URING_DECL void finish(operation& op, int result);
  ASIO_URING_DECL void ended(const io_uring_sqe& entry, chain&& linked, int result);
  ASIO_URING_DECL void post_result(const io_uring_sqe& entry, int result);

  ASIO_URING_DECL int cancel(std::uint64_t user_data);
  ASIO_URING_DECL void wait_for_event(operation& op, unsigned events);
  ASIO_URING_DECL void wait_for_time(operation& op);
  ASIO_URING_DECL void wait_for_thread(operation& op);
  ASIO_URING_DECL void stop_waiting(operation& op);
  ASIO_URING_DECL operation* waiting_for(int fd, std::uint64_t after);
  ASIO_URING_DECL int register_events(int fd, bool renew = false);
  ASIO_URING_DECL long control(int operation, int fd, epoll_event& event) noexcept;

  ASIO_URING_DECL bool retry(operation& op, unsigned events);
  ASIO_URING_DECL bool look(clock::time_point until);
  ASIO_URING_DECL void expire();
  ASIO_URING_DECL void set_timer(operation& op, clock::time_point time);
  ASIO_URING_DECL void arm_timer();
  ASIO_URING_DECL void work();
  ASIO_URING_DECL void close_descriptors() noexcept;
  ASIO_URING_DECL void wake();

  std::mutex mutex_;
  int epoll_ = -1;
  int timer_ = -1;        // a timerfd in the set, at the first of timers_
  int wake_ = -1;         // an eventfd in the set: completions that nobody collects yet
  bool woken_ = false;    // it is signalled
  bool observed_ = false; // somebody polls fd()
  unsigned waiting_ = 0;  // threads within epoll_wait
  std::unordered_multimap<std::uint64_t, std::unique_ptr<operation>> by_user_data_; // all that wait
  std::vector<watch> watches_;                                                      // by file descriptor
  std::uint64_t numbers_ = 0;                          // given to those that wait for an event
  list timers_;                                        // the earliest first
  clock::time_point armed_ = clock::time_point::max(); // what the timerfd is set to
  list jobs_;                                          // for the threads
  list performed_;                                     // by them, just now
  std::condition_variable no_longer_performed_;
  unsigned queued_ = 0; // in jobs_
  std::unique_ptr<workers> workers_;
  const pid_t process_;
};

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/epoll_kernel.ipp>
#endif

#endif // ASIO_URING_RING_EPOLL_KERNEL_HPP
