// asio_uring/ring/epoll_kernel.hpp: a ring's entries performed with epoll and a few threads.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_EPOLL_KERNEL_HPP
#define ASIO_URING_RING_EPOLL_KERNEL_HPP

#include <asio_uring/ring/emulated_kernel.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <list>
#include <map>
#include <mutex>
#include <sys/types.h>
#include <unordered_map>

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

private:
  using clock = std::chrono::steady_clock;
  /// A UNIX socket whose listener has no room gives no event when there is some.
  static constexpr std::chrono::milliseconds connect_interval{1};
  using chain = std::list<io_uring_sqe>; // an entry and those linked behind it

  /// An entry that waits: for an event, for a time, or for a thread.
  struct operation
  {
    explicit operation(chain&& entries) : entries(std::move(entries)) {}
    const io_uring_sqe& entry() const noexcept { return entries.front(); }

    chain entries;
    unsigned events = 0;   // waited for
    std::uint64_t job = 0; // for a thread
    std::multimap<clock::time_point, operation*>::iterator timer{};
    enum
    {
      for_event,
      for_time,
      for_thread,
      in_thread
    } waits = for_event;
    std::list<operation>::iterator self{};
  };

  /// The operations that wait for a file descriptor; there is one registration with epoll for all of them.
  struct watch
  {
    unsigned registered = 0;
    std::list<operation*> waiting;
  };

  ASIO_URING_DECL void start(chain&& entries);
  ASIO_URING_DECL void start_operation(chain&& entries, int result = 0);
  ASIO_URING_DECL void finish(operation& op, int result);
  ASIO_URING_DECL void ended(chain&& entries, int result);
  ASIO_URING_DECL void post_result(const io_uring_sqe& entry, int result);

  ASIO_URING_DECL int cancel(std::uint64_t user_data);
  ASIO_URING_DECL void wait_for_event(operation& op, unsigned events);
  ASIO_URING_DECL void wait_for_time(operation& op);
  ASIO_URING_DECL void wait_for_thread(operation& op);
  ASIO_URING_DECL void stop_waiting(operation& op);
  ASIO_URING_DECL int register_events(int fd, watch& w);

  ASIO_URING_DECL bool retry(operation& op, unsigned events);
  ASIO_URING_DECL void look(clock::time_point until);
  ASIO_URING_DECL void expire();
  ASIO_URING_DECL void set_timer(operation& op, clock::time_point time);
  ASIO_URING_DECL void arm_timer();
  ASIO_URING_DECL void close_descriptors() noexcept;
  ASIO_URING_DECL void wake();

  std::mutex mutex_;
  int epoll_ = -1;
  int timer_ = -1;        // a timerfd in the set, at the first of timers_
  int wake_ = -1;         // an eventfd in the set: completions that nobody collects yet
  bool woken_ = false;    // it is signalled
  bool observed_ = false; // somebody polls fd()
  unsigned waiting_ = 0;  // threads within epoll_wait
  std::list<operation> operations_;
  std::unordered_multimap<std::uint64_t, operation*> by_user_data_;
  std::unordered_map<int, watch> watches_;
  std::multimap<clock::time_point, operation*> timers_;
  clock::time_point armed_ = clock::time_point::max(); // what the timerfd is set to
  std::unordered_map<std::uint64_t, operation*> in_threads_;
  std::uint64_t jobs_ = 0;
  std::unique_ptr<boost::asio::thread_pool> threads_;
  const pid_t process_;
};

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/epoll_kernel.ipp>
#endif

#endif // ASIO_URING_RING_EPOLL_KERNEL_HPP
