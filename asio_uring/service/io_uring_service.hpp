// asio_uring/service/io_uring_service.hpp: the ring of an execution context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_IO_URING_SERVICE_HPP
#define ASIO_URING_SERVICE_IO_URING_SERVICE_HPP

#include <asio_uring/options.hpp>
#include <asio_uring/ring/ring.hpp>
#include <asio_uring/service/doubts.hpp>
#include <asio_uring/service/operation.hpp>
#include <asio_uring/service/pump.hpp>
#include <asio_uring/service/ready_list.hpp>
#include <asio_uring/service/registered_files.hpp>
#include <asio_uring/service/submitter.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace asio_uring::detail {

class descriptor;
class guest_pump;

/// What is known of a new descriptor.
struct descriptor_kind
{
  bool readable = false; ///< its first read is worth a plain call: a pipe, or a file, which cannot be polled
  bool emptied_by_short_reads = false; ///< what a read left room for was all there is
  bool borrowed = false; ///< a stock object's, which may close it without a word: nothing but one-shot polls
                         ///< is submitted, and none of them outlives its operation
};

/// One per execution context, found with use_service: ring, submitter, collector, and the pump that turns
/// them.
class io_uring_service : public asio::execution_context::service
{
public:
  using key_type = io_uring_service;
  inline static asio::execution_context::id id;

  ASIO_URING_DECL explicit io_uring_service(asio::execution_context& context, const options& = {});
  ASIO_URING_DECL ~io_uring_service() override;

  // For the operations.
  void push(request& r) noexcept { submitter_.push(r); }
  void cancel(request& r) noexcept { submitter_.cancel(r); }
  void forget(request& r) noexcept { submitter_.forget(r); }

  /// To be called after push or cancel, outside of all locks. The loop's own thread submits when its handler
  /// returns; anybody else submits now, for the loop may be asleep, or not running at all.
  void notify() noexcept
  {
    const bool here = scheduler_ ? scheduler_->can_dispatch() : pump_->here();
    if (!here || idle_.load(std::memory_order_seq_cst)) submit_now();
  }

  /// Counts an operation as work of the context, until its completion has run.
  [[gnu::always_inline]] void work_started() noexcept
  {
    if (scheduler_)
      scheduler_->work_started();
    else
      pump_->work_started();
  }
  /// The same for operations that come in numbers: with the ring pump all of them, and their handlers as long
  /// as they run, are one piece of the scheduler's work, whose own count is a locked instruction at each
  /// start and each end.
  [[gnu::always_inline]] void shared_work_started() noexcept
  {
    if (!scheduler_)
      pump_->work_started();
    else if (!count_another_operation())
      count_first_operation();
  }
  /// To be called when the handler of such an operation has returned, within the scheduler's upcall.
  [[gnu::always_inline]] void shared_work_finished() noexcept
  {
    if (scheduler_ && count_ended_operation() != 0)
      scheduler_->compensating_work_started(); // which takes one off when we return
  }

  /// Queues a completion that needs no kernel.
  [[gnu::always_inline]] void post(completion& op) noexcept
  {
    if (ready_.push(op) && idle_.load(std::memory_order_seq_cst) && idle_.exchange(false)) pump_->wake();
  }

  /// Completes an operation that is not to be started.
  void complete(operation& op, int result, bool shared_work) noexcept
  {
    op.result_ = result;
    shared_work ? shared_work_started() : work_started();
    post(op);
  }

  /// To be called before the first linked requests are pushed: from then on they are submitted whole.
  void expect_links()
  {
    if (!links_expected_.load(std::memory_order_acquire)) keep_links_whole();
  }

  /// Enters the kernel with what is published, before a file descriptor is closed for instance.
  ASIO_URING_DECL void submit_now() noexcept;

  /// Lets what was started come before a synchronous call.
  void flush() noexcept
  {
    if (ring_->unsubmitted()) submit_now();
  }

  asio_uring::path path_for(preference preferred) const noexcept
  {
    if (preferred == preference::always_submitted) return path::completion;
    if (options_.path != path::automatic) return options_.path;
    if (preferred == preference::by_load && !busy_.load(std::memory_order_relaxed)) return path::readiness;
    return preferred == preference::readiness ? path::readiness : path::completion;
  }
  /// Whether operations of this preference take the readiness path and the service is not stopped.
  bool readiness(preference preferred) const noexcept
  {
    return readiness_[static_cast<unsigned>(preferred)].load(std::memory_order_relaxed);
  }
  ASIO_URING_DECL descriptor& open_descriptor(int fd, const descriptor_kind& kind);
  ASIO_URING_DECL void recycle(descriptor& d) noexcept;

  /// To be called with an executor of the context before each operation.
  template <typename Executor>
  void use_executor(const Executor& ex);

  registered_files& files() noexcept { return files_; }
  detail::doubts& doubts() noexcept { return doubts_; }

  detail::pump& pump() noexcept { return *pump_; }
  bool native() const noexcept { return native_; }
  bool stopped() const noexcept { return stopped_; }
  ring& get_ring() noexcept { return *ring_; }
  const options& get_options() const noexcept { return options_; }
  /// Why there is no io_uring; empty if there is.
  const std::string& unavailable() const noexcept { return unavailable_; }

  // For the pumps.
  /// Submits what handlers left, waits for at most `timeout` if there is nothing to run, collects.
  ASIO_URING_DECL void turn(std::chrono::nanoseconds timeout, completion_queue& out) noexcept;
  /// The loop must not sleep in its next turn. True if it sleeps already and has to be woken.
  bool interrupt() noexcept
  {
    interrupted_.store(true, std::memory_order_seq_cst);
    return idle_.exchange(false, std::memory_order_seq_cst);
  }
  /// To be called by the thread that runs the context, with each turn.
  void runs_here() noexcept { runner_.store(this_thread(), std::memory_order_relaxed); }
  /// What is known of the thread that ran the context last: whether it is another one than this, and lives.
  enum class runner : unsigned char
  {
    unknown,
    gone,
    alive
  };
  ASIO_URING_DECL runner last_runner() const noexcept;

  void set_idle(bool idle) noexcept { idle_.store(idle, std::memory_order_seq_cst); }
  bool in_flight() const noexcept { return submitter_.submitted() != retired_ || submitter_.has_backlog(); }

private:
  /// False: there was none before, and nothing is counted.
  [[gnu::always_inline]] bool count_another_operation() noexcept
  {
    long before = operations_.load(std::memory_order_relaxed);
    if (one_thread() && before != 0) {
      operations_.store(before + 1, std::memory_order_relaxed);
      return true;
    }
    while (before != 0)
      if (operations_.compare_exchange_weak(before, before + 1, std::memory_order_acq_rel)) return true;
    return false;
  }
  /// The scheduler's work comes first: whoever counts on another's operation finds it there.
  [[gnu::noinline]] void count_first_operation() noexcept
  {
    scheduler_->work_started();
    if (operations_.fetch_add(1, std::memory_order_acq_rel) != 0)
      scheduler_->work_finished(); // another thread was first
  }
  /// Returns how many are left.
  [[gnu::always_inline]] long count_ended_operation() noexcept
  {
    if (!one_thread()) return operations_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    const long left = operations_.load(std::memory_order_relaxed) - 1;
    operations_.store(left, std::memory_order_relaxed);
    return left;
  }
  ASIO_URING_DECL void shutdown() override;
  ASIO_URING_DECL void notify_fork(asio::execution_context::fork_event event) override;
  ASIO_URING_DECL void collect(completion_queue& out) noexcept;
  void follow_load(bool busy) noexcept;
  void choose_paths() noexcept;
  static pid_t this_thread() noexcept
  {
    if (!this_thread_) [[unlikely]]
      this_thread_ = ::gettid();
    return this_thread_;
  }
  ASIO_URING_DECL void keep_links_whole();
  ASIO_URING_DECL void set_up_ring();
  ASIO_URING_DECL void make_pump();

  options options_;
  const bool locking_;
  std::optional<ring> ring_;
  std::string unavailable_;
  submitter submitter_;
  ready_list ready_{locking_};
  detail::doubts doubts_{*this, locking_};
  registered_files files_;
  std::atomic<bool> idle_{false};        // the loop sleeps, or nobody is going to turn the ring by himself
  std::atomic<bool> interrupted_{false}; // the loop must not sleep
  std::atomic<bool> entering_{false};    // the loop sleeps, or is about to
  std::atomic<bool> links_expected_{false};
  std::atomic<pid_t> runner_{0}; // the thread that last turned the ring in its loop
  inline static thread_local pid_t this_thread_ = 0;
  std::uint64_t retired_ = 0;           // terminal completions seen
  std::atomic<bool> readiness_[4] = {}; // by preference
  std::atomic<bool> busy_{false};       // completions come while handlers run
  int load_ = 0;                        // turns that found completions, less those that had to wait
  bool stopped_ = false;
  bool native_ = false;

  lock descriptors_lock_;
  std::vector<std::unique_ptr<descriptor>> descriptors_;
  descriptor* free_descriptors_ = nullptr;
  scheduler* scheduler_ = nullptr;  // counts the work, with the ring pump
  std::atomic<long> operations_{0}; // for it: started, their handlers not yet returned
  detail::pump* pump_ = nullptr;    // owned by the context (ring pump) or by guest_
  std::unique_ptr<guest_pump> guest_;
};

/// The context's service, constructed if need be. Asio lets several threads construct a service and keeps
/// one; ours puts itself in the reactor's place, so no second one must begin.
inline io_uring_service& ring_service(asio::execution_context& context)
{
  static std::mutex constructing;
  const std::lock_guard guard(constructing);
  return asio::use_service<io_uring_service>(context);
}

} // namespace asio_uring::detail

#include <asio_uring/service/descriptor.hpp>
#include <asio_uring/service/guest_pump.hpp>

namespace asio_uring::detail {

template <typename Executor>
void io_uring_service::use_executor(const Executor& ex)
{
  if (guest_) guest_->use_executor(ex);
}

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/service/descriptor.ipp>
#include <asio_uring/service/doubts.ipp>
#include <asio_uring/service/io_uring_service.ipp>
#include <asio_uring/service/registered_files.ipp>
#endif

#endif // ASIO_URING_SERVICE_IO_URING_SERVICE_HPP
