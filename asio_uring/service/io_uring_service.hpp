// asio_uring/service/io_uring_service.hpp: the ring of an execution context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_IO_URING_SERVICE_HPP
#define ASIO_URING_SERVICE_IO_URING_SERVICE_HPP

#include <algorithm>
#include <asio_uring/options.hpp>
#include <asio_uring/ring/process.hpp>
#include <asio_uring/ring/ring.hpp>
#include <asio_uring/service/counters.hpp>
#include <asio_uring/service/doorbell.hpp>
#include <asio_uring/service/doubts.hpp>
#include <asio_uring/service/late_numbers.hpp>
#include <asio_uring/service/operation.hpp>
#include <asio_uring/service/path_controller.hpp>
#include <asio_uring/service/pump.hpp>
#include <asio_uring/service/ready_list.hpp>
#include <asio_uring/service/registered_buffers.hpp>
#include <asio_uring/service/registered_files.hpp>
#include <asio_uring/service/runner_threads.hpp>
#include <asio_uring/service/spinner.hpp>
#include <asio_uring/service/submitter.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
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
  bool datagrams = false;              ///< several may be received by one call
  bool sends_by_calls = false; ///< whatever the path: the kernel would not repeat a submitted one rightly
  bool borrowed = false;       ///< a stock object's, which may close it without a word: nothing but polls
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
    if (!here() || idle_.load(std::memory_order_seq_cst)) submit_soon();
  }

  /// Counts an operation as work of the context, until its completion has run.
  [[gnu::always_inline]] void work_started() noexcept
  {
    scheduler_->work_started();
    begun_.store(begun_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); // about
  }
  /// The same for operations that come in numbers: all of them, and their handlers as long as they run, are
  /// one piece of the scheduler's work, whose own count is a locked instruction at each start and each end.
  [[gnu::always_inline]] void shared_work_started() noexcept
  {
    if (!count_another_operation()) count_first_operation();
  }
  /// To be called when the handler of such an operation has returned, within the scheduler's upcall.
  [[gnu::always_inline]] void shared_work_finished() noexcept
  {
    if (count_ended_operation() != 0)
      scheduler_->compensating_work_started(); // which takes one off when we return
  }

  /// A queued completion ran and found nothing to complete.
  void nothing_completed() noexcept { scheduler_->compensating_work_started(); }

  /// Queues a completion that needs no kernel.
  [[gnu::always_inline]] void post(completion& op) noexcept
  {
    if (kept()) [[unlikely]]
      return post_past_keeper(op);
    if (ready_.push(op) && idle_.load(std::memory_order_seq_cst)) wake_if_idle();
  }

  /// Completes an operation that is not to be started.
  void complete(operation& op, int result, bool shared_work) noexcept
  {
    op.set_result(result);
    shared_work ? shared_work_started() : work_started();
    post(op);
  }

  /// To be called before the first linked requests are pushed: from then on they are submitted whole. Who
  /// alone enters does nothing else anyway.
  void expect_links()
  {
    if (!bound_.load(std::memory_order_acquire) && !links_expected_.load(std::memory_order_acquire))
      keep_links_whole();
  }

  /// Returns when the kernel has taken what was published, and has let go of what was cancelled: before a
  /// file descriptor is closed for instance. False: some is left, for the kernel refuses it at the moment.
  ASIO_URING_DECL bool submit_now() noexcept;

  /// Lets what was started come before a synchronous call of that descriptor's, or of another one's if it has
  /// an effect.
  void flush(const descriptor* d) noexcept
  {
    if (!submitter_.has_unsubmitted()) return;
    if (effects_.load(std::memory_order_relaxed) || is_with_kernel(d)) submit_now();
  }
  /// An operation that others may notice is on its way: a write, a connect, any that was submitted as such.
  void has_effect() noexcept { effects_.store(true, std::memory_order_relaxed); }

  /// Makes a call that registers something with the ring, in a thread that may. Returns its result.
  template <typename Call>
  int register_with_ring(Call&& call)
  {
    ring_call c{
        [](void* f, ring& r) noexcept { return (*static_cast<std::remove_reference_t<Call>*>(f))(r); },
        &call};
    reach_kernel(&c);
    return c.result;
  }

  /// To be called between cancelling what uses a file descriptor and closing it.
  void let_go(int fd) noexcept
  {
    if (ring* const r = stand_in_.load(std::memory_order_acquire); r && own_process()) r->let_go(fd);
  }

  /// Expires when the context ends: for what may outlive it.
  std::weak_ptr<void> life() const noexcept { return life_; }

  late_numbers& numbers() noexcept { return numbers_; }
  /// An operation that belongs to no descriptor of ours names one: closing any waits until it is submitted.
  void names_strangers() noexcept { strangers_.store(true, std::memory_order_relaxed); }
  bool has_strangers() noexcept
  {
    return strangers_.load(std::memory_order_relaxed) && submitter_.has_unsubmitted();
  }

  /// Whether the ring is being given up: what the kernel has ended was not performed, and is going to be
  /// submitted to the next.
  bool resting() const noexcept { return resting_; }
  /// Whether a thread of the service's own enters the ring.
  bool kept() const noexcept { return kept_.load(std::memory_order_relaxed); }

  /// For a synchronous function that has to know what became of an operation: submits, and collects what is
  /// there. Handlers run in the loop.
  ASIO_URING_DECL void collect_now() noexcept;

  asio_uring::path path_for(preference preferred) const noexcept
  {
    if (preferred == preference::always_submitted) return path::completion;
    if (options_.path != path::automatic) return options_.path;
    const strategy s = strategy_.load(std::memory_order_relaxed);
    const bool calls = preferred == preference::by_calls ||
                       (preferred == preference::reading && s != strategy::submitted) ||
                       (preferred == preference::sending && s == strategy::calls);
    return calls ? path::readiness : path::completion;
  }
  /// Whether one that begins now may be submitted before it ends.
  bool may_submit(preference preferred) const noexcept
  {
    return preferred == preference::always_submitted || options_.path == path::completion ||
           (options_.path == path::automatic && preferred != preference::by_calls);
  }
  /// Whether operations of this preference take the readiness path and the service is not stopped.
  bool readiness(preference preferred) const noexcept
  {
    return readiness_[static_cast<unsigned>(preferred)].load(std::memory_order_relaxed);
  }
  /// From now on operations begin in this way, where no path is forced.
  ASIO_URING_DECL void use(strategy s) noexcept;
  /// Why it is this path, and this pump.
  ASIO_URING_DECL std::string path_reason() const;
  ASIO_URING_DECL std::string pump_reason() const;
  counters& counts() noexcept { return counters_; }
  std::uint64_t begun() const noexcept { return begun_.load(std::memory_order_relaxed); }
  std::uint64_t submissions() const noexcept { return submitter_.submitted(); }
  /// What the other path costs, in thousandths of the one in use; 0: it was not tried yet.
  unsigned other_path_costs() const noexcept { return other_path_costs_.load(std::memory_order_relaxed); }
  ASIO_URING_DECL descriptor& open_descriptor(int fd, const descriptor_kind& kind);
  ASIO_URING_DECL void recycle(descriptor& d) noexcept;

  /// Whether one more socket may keep memory for datagrams that nobody has asked for.
  bool begin_reading_ahead() noexcept
  {
    if (readers_ahead_.fetch_add(1, std::memory_order_relaxed) < most_readers_ahead) return true;
    end_reading_ahead();
    return false;
  }
  void end_reading_ahead() noexcept { readers_ahead_.fetch_sub(1, std::memory_order_relaxed); }

  registered_files& files() noexcept { return files_; }
  registered_buffers& buffers() noexcept { return buffers_; }
  detail::doubts& doubts() noexcept { return doubts_; }

  detail::pump& pump() noexcept { return *pump_; }
  /// Whether handlers run in the scheduler's threads: no executor needs to be asked.
  bool native() const noexcept { return native_; }
  bool stopped() const noexcept { return stopped_; }
  /// Of the kernel, or of what stands in for it.
  const asio_uring::features& features() const noexcept { return *features_.load(std::memory_order_acquire); }
  /// Calls f(const ring&) for the ring in use. Any thread.
  template <typename F>
  auto with_ring(F&& f)
  {
    return submitter_.with_ring(std::forward<F>(f));
  }
  const options& get_options() const noexcept { return options_; }
  /// Why there is no io_uring; empty if there is. Any thread.
  std::string unavailable()
  {
    return with_ring([this](const ring&) { return unavailable_; });
  }

  // For the pumps.
  /// Submits what handlers left, waits for at most `timeout` if there is nothing to run, collects.
  /// False: the ring is another thread's at the moment.
  ASIO_URING_DECL bool turn(std::chrono::nanoseconds timeout, completion_queue& out) noexcept;
  /// Whether there is something to do that no completion will tell of.
  bool unfinished() noexcept { return !ready_.empty() || (!kept() && submitter_.has_unfinished()); }
  bool has_unsubmitted() noexcept { return submitter_.has_unsubmitted(); }
  /// Whether completions are to come that no event tells a guest of: those of a ring that a stand-in has
  /// replaced.
  bool has_untold() const noexcept { return stand_in_.load(std::memory_order_relaxed) && has_former(); }
  /// Becomes readable anew with each new completion. A bound ring's own descriptor tells nothing of work that
  /// waits for an enter.
  int watch_fd() const noexcept
  {
    return get_ring().bound() && get_ring().kernels() ? event_fd_.get() : get_ring().fd();
  }
  /// Whether this is not a forked child that was never told of it.
  bool own_process() const noexcept { return process_ == process::id(); }
  /// The loop must not sleep in its next turn. True if it sleeps already and has to be woken.
  bool interrupt() noexcept
  {
    interrupted_.store(true, std::memory_order_seq_cst);
    return idle_.exchange(false, std::memory_order_seq_cst);
  }
  /// To be called by the thread that runs the context, with each turn.
  void runs_here() noexcept
  {
    const pid_t thread = this_thread();
    if (runner_.load(std::memory_order_relaxed) == thread) return;
    runner_.store(thread, std::memory_order_relaxed);
    runners_.add(thread);
  }
  /// What is known of the thread that ran the context last: whether it is another one than this, and lives.
  enum class runner : unsigned char
  {
    unknown,
    gone,
    alive
  };
  ASIO_URING_DECL runner last_runner() const noexcept;
  /// The calling thread, and whether a thread of the process has not exited.
  static pid_t this_thread() noexcept
  {
    if (!this_thread_) [[unlikely]]
      this_thread_ = ::gettid();
    return this_thread_;
  }
  ASIO_URING_DECL static bool lives(pid_t thread) noexcept;

  /// To be called before a pump's threads sleep in the ring.
  void hang_up_doorbell()
  {
    if (!doorbell_) doorbell_.emplace(submitter_, features().multishot_poll());
  }
  void ring_doorbell() noexcept { doorbell_->ring(); }
  /// A thread that runs the context interrupts another one.
  void seen_shared() noexcept { shared_.store(true, std::memory_order_relaxed); }
  void set_interrupted() noexcept { interrupted_.store(true, std::memory_order_seq_cst); }
  /// Whether interrupt() was called since the last turn.
  bool take_interrupt() noexcept { return interrupted_.exchange(false, std::memory_order_seq_cst); }

  void set_idle(bool idle) noexcept { idle_.store(idle, std::memory_order_seq_cst); }
  bool in_flight() const noexcept { return in_kernel() || submitter_.has_backlog(); }
  bool in_kernel() const noexcept { return submitter_.submitted() != retired_; }

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
  template <typename F>
  void collect_former(F&& completed) noexcept;
  void follow_costs() noexcept;
  ASIO_URING_COLD void end_epoch() noexcept;
  ASIO_URING_COLD bool spin(ring& r, std::chrono::nanoseconds& timeout) noexcept;
  void choose_paths() noexcept;
  bool here() const noexcept { return scheduler_->can_dispatch(); }
  /// A name of the thread that no other ever has.
  static std::uint64_t thread_name() noexcept
  {
    if (!thread_name_) [[unlikely]]
      thread_name_ = ++thread_names_;
    return thread_name_;
  }
  ASIO_URING_DECL void keep_links_whole();
  /// Wakes whoever turns the ring, the keeper or the loop.
  void wake() noexcept
  {
    counters_.wake_ups.count();
    kept() ? ring_doorbell() : pump_->wake();
  }
  void wake_if_idle() noexcept
  {
    if (idle_.exchange(false, std::memory_order_seq_cst)) wake();
  }
  ASIO_URING_DECL void report() noexcept;
  ASIO_URING_DECL void set_up_ring();
  ASIO_URING_DECL void make_pump();
  ASIO_URING_DECL void turn_ring(std::chrono::nanoseconds timeout, completion_queue& out) noexcept;
  ASIO_URING_DECL bool submit_all() noexcept;

  // Who enters the ring: ring_ownership.ipp.
  struct ring_call
  {
    int (*function)(void*, ring&) noexcept;
    void* argument;
    int result = 0;
    ring_call* next = nullptr;
  };
  ASIO_URING_DECL static bool is_with_kernel(const descriptor* d) noexcept;
  ASIO_URING_DECL bool lock_ring() noexcept;
  ASIO_URING_DECL bool own_ring(bool in_loop) noexcept;
  ASIO_URING_DECL void submit_soon() noexcept;
  ASIO_URING_DECL bool reach_kernel(ring_call* call = nullptr) noexcept;
  ASIO_URING_DECL void leave_ring() noexcept;
  ASIO_URING_DECL void serve() noexcept;
  ASIO_URING_DECL void submit_and_collect() noexcept;
  ASIO_URING_DECL bool bind_ring() noexcept;
  ASIO_URING_DECL bool start_keeper() noexcept;
  ASIO_URING_DECL void stop_keeper() noexcept;
  ASIO_URING_DECL void keep_ring() noexcept;
  ASIO_URING_DECL void post_past_keeper(completion& op) noexcept;
  ASIO_URING_DECL void rest(bool to_the_end) noexcept;
  ASIO_URING_DECL void recall(completion_queue& found, bool to_the_end) noexcept;
  ASIO_URING_DECL void perform_once(completion_queue& found) noexcept;
  ASIO_URING_DECL bool has_what_ends_by_itself() noexcept;
  template <typename F>
  void for_each_submitted(F&& f);
  template <typename P>
  std::vector<request*> left_in_kernel(P&& which);
  ASIO_URING_DECL void give_up(const std::vector<request*>& all, completion_queue& found) noexcept;
  ASIO_URING_DECL void end_in_flight(completion_queue& found) noexcept;
  ASIO_URING_DECL void disown_waits(const ring& former, completion_queue& found) noexcept;
  bool is_disowned(const ring& former, const io_uring_cqe& completion) noexcept;
  ASIO_URING_DECL void end_requests(completion_queue& given_up) noexcept;
  ASIO_URING_DECL void failed(ring& r, int error) noexcept;
  ASIO_URING_DECL void replace_ring(int error) noexcept;
  ASIO_URING_DECL void use_ring(ring&& r, std::string unavailable = {});
  /// For who turns the ring, or keeps others from it.
  ring& get_ring() const noexcept { return *ring_.load(std::memory_order_acquire); }
  ASIO_URING_DECL void signal_completions(ring& r);
  ASIO_URING_DECL void go_on(bool rested, bool in_child);
  bool must_not_sleep() const noexcept
  {
    return (kept() ? keeper_stops_ : interrupted_).load(std::memory_order_seq_cst) ||
           asked_.load(std::memory_order_seq_cst) != served_.load(std::memory_order_relaxed);
  }
  ASIO_URING_DECL void look_for_former() noexcept;
  bool has_former() const noexcept { return former_.load(std::memory_order_relaxed); }
  /// How long to sleep in the ring, at most as long as asked: what a ring given back still has comes without
  /// a wake-up.
  std::chrono::nanoseconds sleep_at_most(std::chrono::nanoseconds limit) const noexcept
  {
    return has_former() ? std::min<std::chrono::nanoseconds>(limit, std::chrono::milliseconds(5)) : limit;
  }

  std::shared_ptr<void> life_ = std::make_shared<bool>();
  counters counters_;
  options options_;
  const bool locking_;
  spinner spinner_{options_.spin};
  std::list<ring> rings_;           // the last is in use; those before it have not brought everything yet
  std::atomic<bool> former_{false}; // whether there are such, with something that is waited for
  struct disowned
  {
    const ring* former;
    std::uint64_t user_data;
  };
  std::vector<disowned> disowned_;       // what such still bring, but nobody waits for
  std::atomic<ring*> ring_{nullptr};     // the last
  std::atomic<ring*> stand_in_{nullptr}; // the same, if it is none of the kernel's
  std::optional<asio_uring::features> kernel_features_, stand_in_features_;
  std::atomic<const asio_uring::features*> features_{nullptr};
  std::atomic<bool> available_{true};
  std::string unavailable_; // guarded by the submitter's lock
  submitter submitter_;
  unique_descriptor event_fd_;       // signalled by a bound ring that is a guest
  std::optional<doorbell> doorbell_; // where threads sleep in the ring
  late_numbers numbers_;
  std::atomic<bool> strangers_{false}; // entries on the ring may name any descriptor
  std::atomic<bool> effects_{false};   // entries on the ring may be noticed outside
  ready_list ready_{locking_};
  detail::doubts doubts_{*this, locking_};
  registered_files files_;
  registered_buffers buffers_;
  static constexpr unsigned most_readers_ahead = 64;
  std::atomic<unsigned> readers_ahead_{0};
  std::atomic<bool> idle_{false};        // the loop sleeps, or nobody is going to turn the ring by himself
  std::atomic<bool> interrupted_{false}; // the loop must not sleep
  std::atomic<bool> entering_{false};    // the loop sleeps, or is about to
  std::atomic<bool> links_expected_{false};
  std::atomic<pid_t> runner_{0}; // the thread that last turned the ring in its loop
  runner_threads runners_;       // those that did, and the keeper
  inline static thread_local pid_t this_thread_ = 0;
  inline static thread_local std::uint64_t thread_name_ = 0;
  inline static std::atomic<std::uint64_t> thread_names_{0};
  lock ring_lock_{locking_};               // held by who enters a bound ring, turns another, or replaces it
  std::atomic<bool> bound_{false};         // one thread enters
  std::atomic<bool> kept_{false};          // it is the keeper
  std::atomic<std::uint64_t> owner_{0};    // that thread, or who turns another ring; 0: none
  std::atomic<pid_t> owner_tid_{0};        // the same, for the kernel
  std::atomic<bool> shared_{false};        // several threads run the context
  bool moved_ = false;                     // it was another, which lives
  std::atomic<unsigned> asked_{0};         // by threads that need the kernel now
  std::atomic<unsigned> served_{0};        // of these
  std::atomic<ring_call*> calls_{nullptr}; // to be made for them
  std::atomic<bool> keeper_stops_{false};
  std::thread keeper_;
  bool resting_ = false;
  bool broken_ = false;             // nobody can enter
  bool before_fork_ = false;        // within fork_prepare
  std::atomic<bool> rested_{false}; // between fork_prepare and fork_parent or fork_child
  bool kept_before_fork_ = false;
  pid_t process_ = process::id();
  std::uint64_t retired_ = 0;           // terminal completions seen
  std::atomic<bool> readiness_[5] = {}; // by preference
  // Which strategy is used, where none is forced.
  std::atomic<strategy> strategy_{strategy::calls};
  path_controller controller_;
  bool controlled_ = false;
  std::atomic<unsigned> other_path_costs_{0};
  std::atomic<std::uint64_t> begun_{0};   // operations, about
  std::uint64_t epoch_begun_ = 0;         // of these, before the epoch
  std::chrono::nanoseconds epoch_cpu_{0}; // the clock then
  std::uint64_t epoch_clock_ = 0;         // whose
  lock collecting_{locking_};
  bool stopped_ = false;
  bool native_ = false;

  lock descriptors_lock_;
  std::vector<std::unique_ptr<descriptor>> descriptors_;
  descriptor* free_descriptors_ = nullptr;
  std::atomic<std::size_t> open_descriptors_{0};
  scheduler* scheduler_ = nullptr;  // counts the work
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

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/service/descriptor.ipp>
#include <asio_uring/service/doubts.ipp>
#include <asio_uring/service/io_uring_service.ipp>
#include <asio_uring/service/read_ahead.ipp>
#include <asio_uring/service/registered_files.ipp>
#include <asio_uring/service/ring_ownership.ipp>
#endif

#endif // ASIO_URING_SERVICE_IO_URING_SERVICE_HPP
