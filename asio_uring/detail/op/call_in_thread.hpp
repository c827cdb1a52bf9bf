// asio_uring/detail/op/call_in_thread.hpp: for an opcode that the kernel lacks, or never had: its system
// call, made by a thread.
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

/// One call, which ends whatever becomes of it. The ring waits for its pipe.
/**
 * Not for an eventfd: Linux 6.18 tells the eventfd that is registered with a ring, the one that a guest pump
 * watches, only the first time of what a write to another eventfd has completed.
 */
class call_in_thread final : worker_threads::job
{
public:
  /// The call, with an entry as its arguments. Returns its result or a negative errno.
  using function = int (*)(const io_uring_sqe&) noexcept;

  ASIO_URING_DECL explicit call_in_thread(calls_in_threads& all) noexcept;

  /// Readable when it has ended; or for nothing.
  int fd() const noexcept { return readable_.get(); }
  bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }
  /// The same for who has found fd() readable; if it has not, fd() can be waited for again.
  ASIO_URING_DECL bool ended_now() noexcept;
  int result() const noexcept { return result_; }
  /// True: it has not been made and is not going to be.
  ASIO_URING_DECL bool take_back() noexcept;

  /// Waits until no thread is at it.
  struct give_back
  {
    ASIO_URING_DECL void operator()(call_in_thread* call) const noexcept;
  };

private:
  friend class calls_in_threads;
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
  function function_ = nullptr;
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

  /// Whether a thread can do what the entry says.
  ASIO_URING_DECL static bool possible(const io_uring_sqe& entry) noexcept;
  /// Begins with it, and sets `call`: 0; or a negative errno. What the entry points to must stay as long as
  /// the call.
  ASIO_URING_DECL int start(const io_uring_sqe& entry, call_pointer& call) noexcept;
  /// The same with a call that is no opcode's.
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
  std::vector<call_in_thread*> unused_; // with room for all
  std::optional<worker_threads> threads_;
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/op/call_in_thread.ipp>
#endif

#endif // ASIO_URING_DETAIL_OP_CALL_IN_THREAD_HPP
