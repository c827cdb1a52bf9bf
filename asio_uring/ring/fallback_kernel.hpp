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

/// An emulated kernel for systems where io_uring is forbidden or missing.
/**
 * An entry that would block waits in an epoll set and is tried again, as a reactor does it. What epoll cannot
 * watch (files and other file system calls) goes to threads. Descriptors of streams are set to O_NONBLOCK, as
 * Asio's reactor does.
 *
 * It supports links, cancellation by user_data and multishot poll. It answers any other opcode or flag with
 * EINVAL, like a kernel that does not know it.
 *
 * It allocates only when it takes an entry, enough for everything that follows. When that fails, the entry
 * stays in the queue and enter() returns EAGAIN, as the kernel does.
 *
 * In a forked child it leaves alone what it shares with the parent: a cancellation there affects the child
 * only.
 */
class fallback_kernel final : public emulated_kernel
{
public:
  /// Throws std::system_error when no file descriptor is left.
  ASIO_URING_DECL fallback_kernel(unsigned entries, unsigned completions);
  ASIO_URING_DECL ~fallback_kernel() override;

  ASIO_URING_DECL int enter(unsigned wait, const __kernel_timespec* timeout) noexcept override;
  ASIO_URING_DECL int fd() noexcept override;
  ASIO_URING_DECL void let_go(int fd) noexcept override;

private:
  using clock = std::chrono::steady_clock;
  /// The interval at which to retry connecting a UNIX socket whose listener's queue is full: no event tells
  /// when there is room.
  static constexpr std::chrono::milliseconds connect_interval{1};
  /// The interval at which to retry opening a FIFO: no event tells that its other end was opened. It doubles
  /// up to the last.
  static constexpr std::chrono::milliseconds first_fifo_interval{1}, last_fifo_interval{50};

  enum class waiting : unsigned char
  {
    for_nothing,
    for_event,
    for_time,
    for_thread
  };

  struct operation;
  /// The state of an operation.
  struct progress
  {
    operation* linked = nullptr; // the next in its chain
    operation* next = nullptr;   // in unused_, performed_ or kept_
    int result = 0;
    waiting waits = waiting::for_nothing;
    bool found = false;     // is in found_, by its user_data
    bool cancelled = false; // while a thread performed it
    bool ended = false;     // `result` is final
    bool kept = false;      // in kept_
    unsigned more = 0;      // events of a multishot poll for which the queue had no room
    // What it waits for:
    int fd = -1;
    unsigned events = 0;
    unsigned registered = 0;  // events registered with epoll, of all operations on the descriptor
    std::uint64_t number = 0; // increases with each wait for an event
    clock::time_point time{};
    std::size_t place = 0; // in timers_
    std::chrono::milliseconds interval = first_fifo_interval;
  };

  /// An entry, from when it is taken until its last completion is in the queue.
  struct operation final : progress, detail::worker_threads::job
  {
    ASIO_URING_DECL void perform() noexcept override;
    ASIO_URING_DECL void performed() noexcept override;
    void begin_anew() noexcept
    {
      opening.give_up();
      asked_to_end_.reset();
    }
    /// Whether a thread performed it and found that it must wait.
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

  // The life of an operation. An empty outcome means that it waits.
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
    int timer = -1; // a timerfd in the set, armed for the first of timers_
    int wake = -1;  // an eventfd in the set: signals completions and results of threads
    ASIO_URING_DECL ~descriptors();
  };

  const pid_t process_;
  std::mutex mutex_;
  descriptors descriptors_;
  std::atomic<bool> woken_{false}; // descriptors_.wake is signalled
  bool observed_ = false;          // fd() was called, so it may be polled
  unsigned waiting_ = 0;           // threads within epoll_wait
  operation* taken_ = nullptr;     // a chain of which the last entry has not been taken yet
  operation* last_taken_ = nullptr;
  operation* kept_ = nullptr; // have completions for which the queue has no room
  operation* last_kept_ = nullptr;
  std::uint64_t numbers_ = 0; // the last one given to an operation that waits for an event
  clock::time_point armed_ = clock::time_point::max(); // what the timerfd is set to
  std::atomic<operation*> performed_{nullptr};         // by threads; newest first

  std::vector<std::unique_ptr<operation[]>> operations_;
  std::size_t made_ = 0;
  operation* unused_ = nullptr;
  // These have room for all operations:
  detail::intrusive_table<operation, by_user_data> found_; // everything that waits
  detail::intrusive_table<operation, by_descriptor> watches_;
  detail::timer_heap<operation> timers_;

  detail::worker_threads threads_; // last member: destroyed before what its jobs use
};

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/fallback_kernel.ipp>
#endif

#endif // ASIO_URING_RING_FALLBACK_KERNEL_HPP
