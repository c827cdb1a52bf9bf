// asio_uring/detail/engine/ring_service.hpp: the ring of an execution context.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RING_SERVICE_HPP
#define ASIO_URING_DETAIL_ENGINE_RING_SERVICE_HPP

#include <asio_uring/detail/engine/buffer_group.hpp>
#include <asio_uring/detail/engine/counters.hpp>
#include <asio_uring/detail/engine/deadlines.hpp>
#include <asio_uring/detail/engine/doorbell.hpp>
#include <asio_uring/detail/engine/file_kind.hpp>
#include <asio_uring/detail/engine/late_numbers.hpp>
#include <asio_uring/detail/engine/operation.hpp>
#include <asio_uring/detail/engine/path_policy.hpp>
#include <asio_uring/detail/engine/pump.hpp>
#include <asio_uring/detail/engine/ready_list.hpp>
#include <asio_uring/detail/engine/record_memory.hpp>
#include <asio_uring/detail/engine/registered_buffers.hpp>
#include <asio_uring/detail/engine/registered_files.hpp>
#include <asio_uring/detail/engine/runner_threads.hpp>
#include <asio_uring/detail/engine/second_looks.hpp>
#include <asio_uring/detail/engine/shared_work.hpp>
#include <asio_uring/detail/engine/spinner.hpp>
#include <asio_uring/detail/engine/submitter.hpp>
#include <asio_uring/detail/engine/thread_identity.hpp>
#include <asio_uring/options.hpp>
#include <asio_uring/ring/process.hpp>
#include <asio_uring/ring/ring.hpp>
#include <asio_uring/unique_descriptor.hpp>
#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace asio_uring::detail {

class file_state;

/// One per execution context, found with use_service: the ring, what submits to it and collects from it, and
/// the pump that turns it.
class ring_service : public asio::execution_context::service
{
public:
  using key_type = ring_service;
  inline static asio::execution_context::id id;

  ASIO_URING_DECL explicit ring_service(asio::execution_context& context, const options& = {});
  ASIO_URING_DECL ~ring_service() override;

  // For the operations.
  void push(request& r) noexcept { submitter_.push(r); }
  void cancel(request& r) noexcept { submitter_.cancel(r); }
  void forget(request& r) noexcept { submitter_.forget(r); }

  /// Called after push() or cancel(), outside of all locks. What a handler starts is submitted with the next
  /// turn; all else, and what a guest starts, at once, because the loop may be asleep or not running at all.
  void notify() noexcept
  {
    if (!here() || loop_.idle()) submit_soon();
  }

  /// Counts an operation as work of the context, until its completion has run.
  [[gnu::always_inline]] void work_started() noexcept
  {
    scheduler_->work_started();
    paths_.begun();
  }
  /// The same for operations that come in numbers. All of them, with their running handlers, are one piece of
  /// the scheduler's work: to count each would take a locked instruction at its start and at its end.
  [[gnu::always_inline]] void shared_work_started() noexcept { shared_work_.started(*scheduler_); }
  /// Called when the handler of such an operation has returned, within the scheduler's upcall.
  [[gnu::always_inline]] void shared_work_finished() noexcept { shared_work_.finished(*scheduler_); }

  /// Called when a queued completion ran and completed no operation.
  void nothing_completed() noexcept { scheduler_->compensating_work_started(); }

  /// Queues to the loop a completion that does not come from the ring.
  [[gnu::always_inline]] void post(completion& op) noexcept
  {
    if (has_keeper()) [[unlikely]]
      return post_past_keeper(op);
    if (ready_.push(op) && loop_.idle()) wake_if_idle();
  }

  /// Completes an operation instead of starting it.
  void complete(operation& op, int result, bool shared_work) noexcept
  {
    op.set_result(result);
    if (shared_work)
      shared_work_started();
    else
      work_started();
    post(op);
  }

  /// Called before linked requests are pushed: has each chain submitted as a whole. On a bound ring it is
  /// anyway, because one thread enters.
  void expect_links()
  {
    if (!bound_.load(std::memory_order_acquire) && !links_expected_.load(std::memory_order_acquire))
      keep_links_whole();
  }

  /// Submits all that is published, cancellations included, so that the kernel lets go of what was cancelled.
  /// False if something is left.
  ASIO_URING_DECL bool submit_now() noexcept;

  /// Called before a synchronous function on a file: submits what was started before it, if some of that is
  /// on the same file, or has an effect that others may notice.
  void flush(file_state* d) noexcept
  {
    if (!submitter_.has_unsubmitted()) return;
    if (effects_.load(std::memory_order_relaxed) || is_with_kernel(d)) submit_now();
  }
  /// Notes that an operation is pushed that others may notice.
  void has_effect() noexcept { effects_.store(true, std::memory_order_relaxed); }

  /// Has the kernel close a connection with the next enter, if the options ask for it; until then the context
  /// has work. For close(), if nothing was in flight. False: it is to be closed at once.
  ASIO_URING_DECL bool close_with_next_enter(int fd) noexcept;
  /// Has call(ring&) made, usually a registration, by a thread that may enter the ring. Returns its result.
  template <typename Call>
  int register_with_ring(Call&& call)
  {
    ring_call c{
        [](void* f, ring& r) noexcept { return (*static_cast<std::remove_reference_t<Call>*>(f))(r); },
        &call};
    reach_kernel(&c);
    return c.result;
  }

  /// Called after cancelling what uses a file descriptor and before closing it.
  void let_go(int fd) noexcept
  {
    if (ring* const r = emulated_.load(std::memory_order_acquire); r && own_process()) r->let_go(fd);
  }

  /// Expires when the context ends; for objects that may outlive it.
  std::weak_ptr<void> life() const noexcept { return life_; }
  late_numbers& numbers() noexcept { return numbers_; }
  /// Notes that an entry which may name any descriptor was pushed: close() submits it before it closes one.
  void names_strangers() noexcept
  {
    strangers_.store(true, std::memory_order_relaxed);
    polls_eventfds_.store(true, std::memory_order_relaxed);
  }
  bool has_strangers() noexcept { return strangers_ && submitter_.has_unsubmitted(); }
  /// Called before the ring polls a descriptor that may be an eventfd.
  ASIO_URING_DECL void will_poll(int fd) noexcept;

  /// Whether the ring is being given up: what the kernel ends unperformed is submitted to the next one.
  bool resting() const noexcept { return resting_; }
  /// Whether the ring has a thread of its own, the keeper, which alone enters.
  bool has_keeper() const noexcept { return has_keeper_.load(std::memory_order_relaxed); }

  /// For a synchronous function: submits, and collects what has completed. Handlers run in the loop.
  ASIO_URING_DECL void collect_now() noexcept;

  /// Which path operations take, and what they cost.
  path_policy& paths() noexcept { return paths_; }
  const path_policy& paths() const noexcept { return paths_; }
  ASIO_URING_DECL std::string path_reason() const;
  const char* pump_reason() const noexcept { return pump_reason_; }
  counters& counts() noexcept { return counters_; }
  std::uint64_t submissions() const noexcept { return submitter_.submitted(); }
  ASIO_URING_DECL file_state& open_file_state(int fd, const file_kind& kind);
  ASIO_URING_DECL void recycle(file_state& d) noexcept;

  /// Whether one more socket may read datagrams ahead. If so, end_reading_ahead() must follow.
  bool begin_reading_ahead() noexcept
  {
    if (readers_ahead_.fetch_add(1, std::memory_order_relaxed) < most_readers_ahead) return true;
    end_reading_ahead();
    return false;
  }
  void end_reading_ahead() noexcept { readers_ahead_.fetch_sub(1, std::memory_order_relaxed); }
  registered_files& files() noexcept { return files_; }
  registered_buffers& buffers() noexcept { return buffers_; }
  detail::buffer_groups& buffer_groups() noexcept { return buffer_groups_; }
  detail::doubts& doubts() noexcept { return doubts_; }
  record_memory& records() noexcept { return records_; }
  detail::deadlines& deadlines() noexcept { return *deadlines_; }
  detail::pump& pump() noexcept { return *pump_; }
  /// Whether the program's threads run the scheduler, not an internal thread of Asio's.
  bool native() const noexcept { return native_; }
  bool stopped() const noexcept { return stopped_; }
  /// The features of the kernel, or of what emulates it.
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

  /// How many services of all contexts have ended.
  static std::uint64_t services_ended() noexcept { return services_ended_.load(std::memory_order_acquire); }

  // For the pumps.
  /// Submits what handlers started, waits at most `timeout` if there is nothing to run, and collects. False
  /// if another thread has the ring at the moment.
  ASIO_URING_DECL bool turn(std::chrono::nanoseconds timeout, completion_queue& out) noexcept;
  /// Whether there is something to do that no completion will announce.
  bool unfinished() noexcept { return !ready_.empty() || (!has_keeper() && submitter_.has_unfinished()); }
  bool has_unsubmitted() noexcept { return submitter_.has_unsubmitted(); }
  /// Whether completions will come that no event announces to a guest: those of a ring that an emulated one
  /// has replaced.
  bool has_untold() const noexcept { return emulated_.load(std::memory_order_relaxed) && has_former(); }
  /// The descriptor that a guest's reactor watches; each completion is an edge. For a bound ring it is an
  /// eventfd: the ring's own descriptor does not announce work that waits for an enter.
  int watch_fd() const noexcept
  {
    return get_ring().bound() && get_ring().kernels() ? event_fd_.get() : get_ring().fd();
  }
  /// False in a forked child that was not told of the fork (notify_fork).
  bool own_process() const noexcept { return process_ == process::id(); }
  /// Whether the loop sleeps, and what must wake it.
  sleeper& loop() noexcept { return loop_; }
  /// Called with each turn by the thread that runs the context.
  ASIO_URING_DECL void runs_here() noexcept;
  ASIO_URING_DECL runner last_runner() const noexcept;

  /// Called before threads sleep in the ring.
  void hang_up_doorbell()
  {
    if (!doorbell_) doorbell_.emplace(submitter_, features().multishot_poll());
  }
  void ring_doorbell() noexcept { doorbell_->ring(); }
  /// Notes that more than one thread runs the context.
  void seen_shared() noexcept { shared_.store(true, std::memory_order_relaxed); }
  bool in_flight() const noexcept { return in_kernel() || submitter_.has_backlog(); }
  bool in_kernel() const noexcept { return submitter_.submitted() != retired_; }
  /// The same, without zero-copy sends for which only a notification is to come.
  bool performs() const noexcept { return submitter_.submitted() - retired_ != counters_.outstanding(); }

private:
  ASIO_URING_DECL void shutdown() override;
  ASIO_URING_DECL void notify_fork(asio::execution_context::fork_event event) override;
  ASIO_URING_DECL void collect(completion_queue& out) noexcept;
  template <typename F>
  void collect_former(F&& completed) noexcept;
  ASIO_URING_COLD void end_epoch() noexcept;
  ASIO_URING_COLD bool spin(ring& r, std::chrono::nanoseconds& timeout) noexcept;
  bool here() const noexcept { return scheduler_->can_dispatch(); }
  ASIO_URING_DECL void keep_links_whole();
  /// Wakes the thread that turns the ring, the keeper or the loop.
  ASIO_URING_DECL void wake() noexcept;
  void wake_if_idle() noexcept
  {
    if (loop_.take_idle()) wake();
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
  ASIO_URING_DECL static bool is_with_kernel(file_state* d) noexcept;
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
  ASIO_URING_DECL void await_notifications(completion_queue& found) noexcept;
  ASIO_URING_DECL void disown_waits(const ring& former, completion_queue& found) noexcept;
  bool is_disowned(const ring& former, const io_uring_cqe& cqe) noexcept;
  ASIO_URING_DECL void end_requests(completion_queue& given_up) noexcept;
  ASIO_URING_DECL void failed(ring& r, int error) noexcept;
  ASIO_URING_DECL void replace_ring(int error) noexcept;
  ASIO_URING_DECL void use_ring(ring&& r, std::string unavailable = {});
  /// For a thread that turns the ring, or keeps it from being replaced.
  ring& get_ring() const noexcept { return *ring_.load(std::memory_order_acquire); }
  ASIO_URING_DECL void signal_completions(ring& r);
  ASIO_URING_COLD void signal_anew() noexcept;
  ASIO_URING_DECL void go_on(bool rested, bool in_child);
  bool must_not_sleep() const noexcept { return loop_.must_stay_awake(has_keeper()); }
  ASIO_URING_DECL void look_for_former() noexcept;
  bool has_former() const noexcept { return former_.load(std::memory_order_relaxed); }
  /// Limits a sleep in the ring if a former ring still delivers completions, because they wake nobody.
  ASIO_URING_DECL std::chrono::nanoseconds sleep_at_most(std::chrono::nanoseconds limit) const noexcept;

  inline static std::atomic<std::uint64_t> services_ended_{0};
  std::shared_ptr<void> life_ = std::make_shared<bool>();
  counters counters_;
  options options_;
  path_policy paths_{options_, counters_.switches};
  const bool locking_;
  record_memory records_{locking_};
  spinner spinner_{options_.spin};
  std::list<ring> rings_;           // the last is in use; the former ones still deliver completions
  std::atomic<bool> former_{false}; // whether a former ring has completions that are waited for
  struct disowned
  {
    const ring* former;
    std::uint64_t user_data;
  };
  std::vector<disowned> disowned_;       // completions of former rings that nobody waits for
  std::atomic<ring*> ring_{nullptr};     // the one in use
  std::atomic<ring*> emulated_{nullptr}; // the same, unless it is the kernel's
  std::optional<asio_uring::features> kernel_features_, emulated_features_;
  std::atomic<const asio_uring::features*> features_{nullptr};
  std::atomic<bool> available_{true};
  std::string unavailable_; // guarded by the submitter's lock
  submitter submitter_;
  unique_descriptor event_fd_;       // signalled by the bound rings of a guest
  std::optional<doorbell> doorbell_; // if threads sleep in the ring
  late_numbers numbers_;
  std::atomic<bool> strangers_{false}; // entries on the ring may name any descriptor
  std::atomic<bool> polls_eventfds_{false};
  std::atomic<bool> effects_{false}; // entries on the ring have effects that others may notice
  ready_list ready_{locking_};
  detail::doubts doubts_{*this, locking_};
  owned_deadlines deadlines_{new detail::deadlines(*this)};
  registered_files files_;
  registered_buffers buffers_;
  detail::buffer_groups buffer_groups_;
  static constexpr unsigned most_readers_ahead = 64;
  std::atomic<unsigned> readers_ahead_{0};
  sleeper loop_;
  std::atomic<bool> links_expected_{false};
  std::atomic<pid_t> runner_{0};           // the thread that ran the context last
  runner_threads runners_;                 // all that have run it, and the keeper
  lock ring_lock_{locking_};               // held to enter a bound ring, to turn any, or to replace it
  std::atomic<bool> bound_{false};         // only one thread enters
  std::atomic<bool> has_keeper_{false};    // it is the keeper
  std::atomic<std::uint64_t> owner_{0};    // that thread, or the one that turns an unbound ring; 0: none
  std::atomic<pid_t> owner_tid_{0};        // the same, as the kernel numbers threads
  std::atomic<bool> shared_{false};        // several threads run the context
  bool moved_ = false;                     // the ring was taken over from a thread that lives
  std::atomic<ring_call*> calls_{nullptr}; // that the owner is to make
  std::thread keeper_;
  bool resting_ = false;
  bool broken_ = false;             // no thread can enter
  bool before_fork_ = false;        // within fork_prepare
  std::atomic<bool> rested_{false}; // between fork_prepare and fork_parent or fork_child
  bool has_keeper_before_fork_ = false;
  pid_t process_ = process::id();
  std::uint64_t retired_ = 0; // terminal completions seen
  lock collecting_{locking_};
  bool stopped_ = false;
  bool native_ = false;

  lock file_states_lock_;
  std::deque<std::unique_ptr<file_state>> file_states_;
  file_state* free_file_states_ = nullptr;
  std::atomic<std::size_t> open_file_states_{0};
  scheduler* scheduler_ = nullptr; // counts the work
  shared_work shared_work_;
  bool guest_ = false; // whether pump_ is a guest pump
  const char* pump_reason_ = "the context's reactor is the ring";
  std::unique_ptr<detail::pump> pump_;
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/file_state.hpp> // and then the functions of both
#endif

#endif // ASIO_URING_DETAIL_ENGINE_RING_SERVICE_HPP
