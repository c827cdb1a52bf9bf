// asio_uring/ring/fallback_kernel.hpp: a ring's entries performed with epoll and a few threads.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FALLBACK_KERNEL_HPP
#define ASIO_URING_RING_FALLBACK_KERNEL_HPP

#include <asio_uring/ring/emulated_kernel.hpp>
#include <asio_uring/ring/fifo_open.hpp>
#include <asio_uring/ring/intrusive_table.hpp>
#include <asio_uring/ring/kept_entry.hpp>
#include <asio_uring/ring/timer_heap.hpp>
#include <asio_uring/ring/worker_threads.hpp>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <sys/epoll.h>
#include <sys/types.h>
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
 *
 * Memory is needed when an entry is taken, then for all that may become of it. Where there is none, entries
 * stay in the queue: enter() says EAGAIN, as a kernel does.
 *
 * In a forked child it touches nothing that the parent has, too: what is cancelled there ends there alone.
 */
class fallback_kernel final : public emulated_kernel
{
public:
  /// Throws std::system_error where there is no file descriptor left.
  ASIO_URING_DECL fallback_kernel(unsigned entries, unsigned completions);
  ASIO_URING_DECL ~fallback_kernel() override;

  ASIO_URING_DECL int enter(unsigned wait, const __kernel_timespec* timeout) noexcept override;
  ASIO_URING_DECL int fd() noexcept override;
  ASIO_URING_DECL void let_go(int fd) noexcept override;

private:
  using clock = std::chrono::steady_clock;
  /// A UNIX socket whose listener has no room gives no event when there is some.
  static constexpr std::chrono::milliseconds connect_interval{1};
  /// Nor does a FIFO whose other end is opened. From time to time, less and less often.
  static constexpr std::chrono::milliseconds first_fifo_interval{1}, last_fifo_interval{50};

  enum class waiting : unsigned char
  {
    for_nothing,
    for_event,
    for_time,
    for_thread
  };

  struct operation;
  /// Where an operation stands.
  struct progress
  {
    operation* linked = nullptr; // behind it in a chain
    operation* next = nullptr;   // in the list where it is: of the unused, the performed, or of kept_
    int result = 0;
    waiting waits = waiting::for_nothing;
    bool found = false;     // by its user_data
    bool cancelled = false; // while a thread was at it
    bool ended = false;     // with `result`
    bool kept = false;      // in kept_
    unsigned more = 0;      // events of a multishot poll that found no room
    // What it waits for:
    int fd = -1;
    unsigned events = 0;
    unsigned registered = 0;  // with epoll, for all that wait for the descriptor
    std::uint64_t number = 0; // in the order of those that wait for an event
    clock::time_point time{};
    std::size_t place = 0; // among those that wait for a time
    std::chrono::milliseconds interval = first_fifo_interval;
  };

  /// An entry, from when it is taken until its last completion has found room.
  struct operation final : progress, detail::worker_threads::job
  {
    ASIO_URING_DECL void perform() noexcept override;
    ASIO_URING_DECL void performed() noexcept override;
    /// Whether a thread has found that it cannot be done yet.
    ASIO_URING_DECL bool too_early() const noexcept;

    fallback_kernel* kernel = nullptr;
    detail::fifo_open opening;
    operation* previous_by[2];
    operation* next_by[2];
    kept_entry entry;
  };

  struct by_user_data
  {
    using key_type = std::uint64_t;
    static key_type key(const operation& op) noexcept { return op.entry.get().user_data; }
    static operation*& previous(operation& op) noexcept { return op.previous_by[0]; }
    static operation*& next(operation& op) noexcept { return op.next_by[0]; }
  };
  struct by_descriptor
  {
    using key_type = int;
    static key_type key(const operation& op) noexcept { return op.fd; }
    static operation*& previous(operation& op) noexcept { return op.previous_by[1]; }
    static operation*& next(operation& op) noexcept { return op.next_by[1]; }
  };

  // An operation on its way. No outcome: it waits.
  using outcome = std::optional<int>;
  ASIO_URING_DECL bool take(const io_uring_sqe& entry) noexcept;
  ASIO_URING_DECL void start_taken() noexcept;
  ASIO_URING_DECL void start(operation* op) noexcept;
  ASIO_URING_DECL outcome begin(operation& op) noexcept;
  ASIO_URING_DECL void finish(operation& op, int with) noexcept;
  ASIO_URING_DECL operation* end(operation& op, int with) noexcept;
  ASIO_URING_DECL void wait(operation& op, waiting kind) noexcept;
  ASIO_URING_DECL void stop_waiting(operation& op) noexcept;
  ASIO_URING_DECL int cancel(std::uint64_t user_data) noexcept;

  ASIO_URING_DECL operation* unused() noexcept;
  ASIO_URING_DECL bool make_more() noexcept;
  ASIO_URING_DECL void recycle(operation& op) noexcept;
  ASIO_URING_DECL void complete(operation& op, int with) noexcept;
  ASIO_URING_DECL void report(operation& op, unsigned events) noexcept;
  ASIO_URING_DECL void keep(operation& op) noexcept;
  ASIO_URING_DECL void deliver() noexcept;

  ASIO_URING_DECL outcome wait_for_time(operation& op) noexcept;
  ASIO_URING_DECL outcome wait_until(operation& op, clock::time_point time) noexcept;
  ASIO_URING_DECL void expire() noexcept;
  ASIO_URING_DECL void arm_timer() noexcept;

  ASIO_URING_DECL outcome poll(operation& op) noexcept;
  ASIO_URING_DECL outcome wait_for_event(operation& op, int fd, unsigned events) noexcept;
  ASIO_URING_DECL outcome retry(operation& op, unsigned events) noexcept;
  ASIO_URING_DECL operation* waiting_for(int fd, std::uint64_t after) noexcept;
  ASIO_URING_DECL int register_events(int fd, unsigned registered) noexcept;
  ASIO_URING_DECL long control(int call, int fd, epoll_event& event) noexcept;
  ASIO_URING_DECL bool look(clock::time_point until) noexcept;

  ASIO_URING_DECL outcome wait_for_thread(operation& op) noexcept;
  ASIO_URING_DECL outcome go_on(operation& op) noexcept;
  ASIO_URING_DECL void collect_performed() noexcept;

  ASIO_URING_DECL int enter_in_a_child(unsigned wait) noexcept;
  ASIO_URING_DECL bool is_ours() const noexcept;
  ASIO_URING_DECL void wake() noexcept;
  ASIO_URING_DECL void drain_wake() noexcept;

  struct descriptors
  {
    int epoll = -1;
    int timer = -1; // a timerfd in the set, at the first of timers_
    int wake = -1;  // an eventfd in the set: completions, or results of threads
    ASIO_URING_DECL ~descriptors();
  };

  const pid_t process_;
  std::mutex mutex_;
  descriptors descriptors_;
  std::atomic<bool> woken_{false}; // descriptors_.wake is signalled
  bool observed_ = false;          // somebody polls fd()
  unsigned waiting_ = 0;           // threads within epoll_wait
  operation* taken_ = nullptr;     // a chain whose end has not been taken yet
  operation* last_taken_ = nullptr;
  operation* kept_ = nullptr; // with completions that find no room
  operation* last_kept_ = nullptr;
  std::uint64_t numbers_ = 0;                          // given to those that wait for an event
  clock::time_point armed_ = clock::time_point::max(); // what the timerfd is set to
  std::atomic<operation*> performed_{nullptr};         // by threads; the last one first

  std::vector<std::unique_ptr<operation[]>> operations_;
  std::size_t made_ = 0;
  operation* unused_ = nullptr;
  // With room for all operations:
  detail::intrusive_table<operation, by_user_data> found_; // all that wait
  detail::intrusive_table<operation, by_descriptor> watches_;
  detail::timer_heap<operation> timers_;

  detail::worker_threads threads_; // ends before all that its jobs use
};

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/fallback_kernel.ipp>
#endif

#endif // ASIO_URING_RING_FALLBACK_KERNEL_HPP
