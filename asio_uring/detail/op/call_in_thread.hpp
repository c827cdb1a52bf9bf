// asio_uring/detail/op/call_in_thread.hpp: makes a system call in a thread, where the kernel has no opcode
// for it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OP_CALL_IN_THREAD_HPP
#define ASIO_URING_DETAIL_OP_CALL_IN_THREAD_HPP

#include <asio_uring/detail/asio/names.hpp>
#include <asio_uring/ring/kept_entry.hpp>
#include <asio_uring/ring/worker_threads.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <sys/types.h>
#include <vector>

namespace asio_uring::detail {

class calls_in_threads;

/// One call that a thread makes. When it has ended, the thread writes to a pipe, which the ring polls.
/**
 * Why no eventfd: when a write to one eventfd completes a poll, Linux 6.18 signals the eventfd registered
 * with the ring, which a guest pump watches, only the first time.
 */
class call_in_thread final : worker_threads::job
{
public:
  /// The function to call, with an entry as its arguments. Returns its result or a negative errno.
  using function = int (*)(const io_uring_sqe&) noexcept;

  ASIO_URING_DECL explicit call_in_thread(calls_in_threads& all) noexcept;

  /// Readable when the call has ended, and sometimes spuriously.
  int fd() const noexcept { return readable_.get(); }
  bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }
  /// Whether the call has ended, to be asked when fd() was readable. If not, drains the pipe, so that fd()
  /// can be polled again.
  ASIO_URING_DECL bool ended_now() noexcept;
  int result() const noexcept { return result_; }
  /// Takes the call back. True if it has not begun and will not be made. Interrupts one that waits for other
  /// threads or processes.
  ASIO_URING_DECL bool take_back() noexcept;

  /// Takes the call back, or waits until its thread is done with it, then recycles it.
  struct give_back
  {
    ASIO_URING_DECL void operator()(call_in_thread* call) const noexcept;
  };

private:
  friend class calls_in_threads;
  ASIO_URING_DECL bool waits() const noexcept;
  ASIO_URING_DECL void start() noexcept;
  ASIO_URING_DECL void renew_pipe() noexcept;
  ASIO_URING_DECL void tell() noexcept;
  ASIO_URING_DECL void drain() noexcept;
  ASIO_URING_DECL void perform() noexcept override;
  ASIO_URING_DECL void performed() noexcept override;

  calls_in_threads& all_;
  unique_descriptor readable_, writable_;
  bool used_ = false;
  int result_ = 0;
  std::atomic<bool> ended_{false};
  function function_ = nullptr; // null: what the entry's opcode does
  kept_entry entry_;
};

using call_pointer = std::unique_ptr<call_in_thread, call_in_thread::give_back>;

/// The calls of a context, and their threads.
class calls_in_threads : public asio::execution_context::service
{
public:
  using key_type = calls_in_threads;
  inline static asio::execution_context::id id;

  ASIO_URING_DECL explicit calls_in_threads(asio::execution_context& context);

  /// Whether a thread can perform the entry.
  ASIO_URING_DECL static bool possible(const io_uring_sqe& entry) noexcept;
  /// Starts the entry's call and sets `call`. Returns 0 or a negative errno. What the entry points to must
  /// live as long as the call.
  ASIO_URING_DECL int start(const io_uring_sqe& entry, call_pointer& call) noexcept;
  /// Starts a call that corresponds to no opcode.
  ASIO_URING_DECL int start(call_in_thread::function function, const io_uring_sqe& arguments,
                            call_pointer& call) noexcept;

private:
  friend class call_in_thread;
  void shutdown() override {} // the ring's service waits for all operations
  ASIO_URING_DECL void notify_fork(asio::execution_context::fork_event event) override;
  ASIO_URING_DECL call_in_thread& unused();

  pid_t process_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<call_in_thread>> calls_;
  std::vector<call_in_thread*> unused_; // has room for all
  std::optional<worker_threads> threads_;
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/op/call_in_thread.ipp>
#endif

#endif // ASIO_URING_DETAIL_OP_CALL_IN_THREAD_HPP
