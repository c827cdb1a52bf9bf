// asio_uring/detail/engine/file_state.hpp: the operations of one file descriptor.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_FILE_STATE_HPP
#define ASIO_URING_DETAIL_ENGINE_FILE_STATE_HPP

#include <asio_uring/detail/engine/datagrams_ahead.hpp>
#include <asio_uring/detail/engine/lane.hpp>
#include <asio_uring/detail/engine/lock.hpp>
#include <asio_uring/detail/engine/operation.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/detail/engine/source.hpp>
#include <asio_uring/detail/engine/submitted_message.hpp>
#include <asio_uring/detail/engine/zero_copy_use.hpp>
#include <cerrno>
#include <memory>
#include <optional>
#include <poll.h>

namespace asio_uring::detail {

/// Outlives the socket object that opened it until the kernel and the loop have let go of everything of it.
/**
 * Reads and writes form two lanes. In each only the first operation is active: on the completion path it is
 * in the kernel, on the readiness path it waits for the lane's poll and is performed by a plain call when the
 * loop runs it. So the data of a read leaves the socket in the moment its handler is about to run, and a
 * cancelled read has touched nothing. On the completion path, what a cancelled read had received is kept here
 * for the next.
 */
class file_state final : private lane_of_file<lane_kind::in>, private lane_of_file<lane_kind::out>
{
public:
  ASIO_URING_DECL file_state(ring_service& service, bool locking) noexcept;
  file_state(const file_state&) = delete;
  file_state& operator=(const file_state&) = delete;

  /// Starts life for an open file descriptor.
  ASIO_URING_DECL void open(int fd, const file_kind& kind) noexcept;
  /// From now on each read is worth a plain call: there may be data that no event tells of.
  void try_reads_at_once() noexcept
  {
    const locked guard(lock_);
    lane& l = lane_of(lane_kind::in);
    eager_ = l.eager = l.ready = true;
  }
  int fd() const noexcept { return fd_; }
  ring_service& service() const noexcept { return service_; }

  /// Names the open file by a place in the ring's table until it is closed. 0, or a negative errno.
  ASIO_URING_DECL int register_file();
  int registered() const noexcept { return registered_.load(std::memory_order_relaxed); }

  /// The usual read waits for the standing poll, or is run at once; or read and write are submitted: that is
  /// all there is to do.
  [[gnu::always_inline]] void start(operation& op, lane_kind kind, preference preferred,
                                    const void* cancellation_key) noexcept;

  /// What only the ring performs, and in no order, is submitted: that is all there is to do.
  [[gnu::always_inline]] void start_unordered(operation& op, const void* cancellation_key) noexcept;
  /// The loop delivers such an operation: it leaves.
  [[gnu::always_inline]] void settle_unordered(operation& op) noexcept;

  /// The loop delivers an operation of a lane that went to the kernel: the usual one leaves alone.
  [[gnu::always_inline]] void settle_submitted(operation& op, lane_kind kind) noexcept;

  /// The usual send is tried at once, by plain call: true if it is this thread's turn. end_send must follow,
  /// with the call's result.
  [[gnu::always_inline]] bool begin_send(preference preferred) noexcept;
  [[gnu::always_inline]] void end_send(operation& op, const void* cancellation_key, int result) noexcept;

  /// The loop runs a due operation: true if its call is to be made now. end_call must follow, with the call's
  /// result. False: the operation has ended without.
  [[gnu::always_inline]] bool begin_call(operation& op, lane_kind kind) noexcept;
  /// False: the operation waits again, and may be gone already. `more`: whether more is likely to be there at
  /// once; `retry`: whether the result is to be hidden and the operation tried again.
  [[gnu::always_inline]] bool end_call(operation& op, lane_kind kind, int result, bool more,
                                       bool retry) noexcept;

  /// Instead: what came of the call is to be hidden. The loop runs the operation once more.
  ASIO_URING_COLD void run_again(operation& op) noexcept;

  /// The loop delivers an operation that went to the kernel, or gives up one that is here still: it leaves.
  ASIO_URING_DECL void settle(operation& op) noexcept;

  /// Before a synchronous function: submits what was started before it. What a cancelled operation of the
  /// lane has done nevertheless is waited for, as long as a kernel takes to end it at once, and what it has
  /// read is left for the next read.
  ASIO_URING_DECL void catch_up(lane_kind kind) noexcept;

  ASIO_URING_DECL void cancel_all() noexcept;
  /// Cancels what was started with this key, if it is still here.
  ASIO_URING_DECL void cancel(const void* cancellation_key) noexcept;

  /// Ends all operations and polls; afterwards the file descriptor may be closed at once. The owner's last
  /// call. Returns whether nothing was in flight.
  ASIO_URING_DECL bool close() noexcept;

  /// The message header of a lane's submitted operation; to be reserved before the operation is started.
  void reserve_message(lane_kind which)
  {
    auto& message = messages_[which == lane_kind::out];
    if (!message) message = std::make_unique<submitted_message>();
  }
  submitted_message& message(lane_kind which) noexcept { return *messages_[which == lane_kind::out]; }

  /// Whether nobody wants the operation any longer.
  bool is_given_up(const operation& op) noexcept
  {
    const locked guard(lock_);
    return op.cancelled_ || closed_ || service_.stopped();
  }

  /// Bytes kept from cancelled reads.
  std::size_t kept_size() noexcept
  {
    locked guard(lock_);
    return kept_.empty() ? 0 : kept_.size();
  }
  /// Runs f(kept_bytes&) under the lock.
  template <typename F>
  auto with_kept(F&& f)
  {
    locked guard(lock_);
    return f(kept_);
  }

  // What a source receives before anybody has asked for it: source.ipp.
  /// The file's source; where it has none, `make()` makes it.
  template <typename Source, typename Make>
  Source& use_source(Make&& make);
  /// Starts an operation that the source serves.
  ASIO_URING_DECL void start_from_source(operation& op, const void* cancellation_key) noexcept;
  /// The loop runs it. False: it waits again.
  ASIO_URING_DECL bool end_from_source(operation& op) noexcept;
  /// Nobody is going to ask the source: it receives no more. What it has is left to ordinary operations.
  ASIO_URING_DECL void stop_source() noexcept;
  bool has_source() noexcept
  {
    return with_kept([](kept_bytes& bytes) { return bytes.has_source(); });
  }
  /// Without waiting: runs f(source&), which returns whether it took something, if the source has something
  /// that no operation waits for.
  template <typename F>
  bool take_next(F&& f);
  /// For a synchronous function: runs f(source&) if the source has something.
  template <typename F>
  auto take_ahead(F&& f) -> std::optional<decltype(f(std::declval<source&>()))>;

  // Datagrams: read_ahead.ipp.
  /// Receives one by a call that does not block, or one that was received ahead. Between begin_call and
  /// end_call.
  ASIO_URING_DECL int receive_datagram(msghdr& message, int flags) noexcept;
  /// The first one that was received ahead, or that the source has, if there is any.
  ASIO_URING_DECL std::optional<int> take_datagram(msghdr& message, int flags) noexcept;
  /// Its size.
  ASIO_URING_DECL std::optional<std::size_t> next_datagram() noexcept;
  /// From now on no more is received than was asked for.
  void stop_reading_ahead() noexcept
  {
    const locked guard(lock_);
    may_read_ahead_ = false;
  }

  /// At the end of the context: gives up what waits in user space, asks the kernel for the rest.
  ASIO_URING_DECL void abandon(completion_queue& given_up) noexcept;
  /// One round of doubts: looks at what has been silent for a whole round. True if a doubt is left.
  ASIO_URING_DECL bool doubted(completion_queue& out) noexcept;
  /// Calls f(request&) for each operation and poll that was given to the kernel and has not come back.
  template <typename F>
  void for_each_submitted(F&& f)
  {
    const locked guard(lock_);
    if (references_ == 0) return; // waits to be opened again
    for_each([&](operation& op) {
      if (op.in_kernel()) f(static_cast<request&>(op));
    });
    for (const lane_kind kind : lanes)
      if (lane& l = lane_of(kind); l.poll_armed) f(static_cast<request&>(l));
    if (source_ && source_->in_kernel()) f(static_cast<request&>(*source_));
  }
  /// Whether an operation is on the ring, or was taken from there.
  bool has_submitted() noexcept
  {
    const locked guard(lock_);
    for (const lane_kind kind : kinds)
      for (const operation* op = list_of(kind).first; op; op = op->following_)
        if (op->stage_ == operation::stage::submitted) return true;
    return false;
  }
  /// The context's ring could not get the table of files of the one before it.
  void forget_registration() noexcept { registered_.store(-1, std::memory_order_relaxed); }

private:
  friend class doubts;
  friend class operation;
  friend class ring_service;
  friend class source;
  friend class zero_copy_sends;

  static constexpr lane_kind lanes[] = {lane_kind::in, lane_kind::out};
  static constexpr lane_kind kinds[] = {lane_kind::in, lane_kind::out, lane_kind::none};
  lane& in() noexcept { return static_cast<lane_of_file<lane_kind::in>&>(*this); }
  lane& out() noexcept { return static_cast<lane_of_file<lane_kind::out>&>(*this); }
  /// Not of those without order.
  lane& lane_of(lane_kind kind) noexcept { return kind == lane_kind::in ? in() : out(); }
  operation_list& list_of(lane_kind kind) noexcept
  {
    return kind == lane_kind::none ? unordered_ : lane_of(kind);
  }

  /// A stretch under the lock. What it decides (completions to queue, entries to submit, the end of the
  /// file state's life) happens after the lock is released: no system call, no upcall under it.
  class section
  {
  public:
    enum already_held
    {
      held
    };
    explicit section(file_state& d) noexcept : file_(d)
    {
      d.lock_.acquire();
      in_use_ = d.references_ != 0;
    }
    section(file_state& d, already_held) noexcept : file_(d), in_use_(true) {}
    ~section() { leave(); }
    ASIO_URING_DECL void leave() noexcept;
    void unlock() noexcept { file_.lock_.release(); }
    void relock() noexcept { file_.lock_.acquire(); }

    completion_queue ready; // to be posted
    bool submitted = false; // something was pushed: notify
  private:
    file_state& file_;
    bool in_use_; // not recycled already: a slot's signal may be emitted long after
    bool left_ = false;
  };

  /// Whether a second look is to come: raised since the last round, or before.
  enum class doubt : unsigned char
  {
    none,
    raised,
    silent
  };

  /// What a result says of the next attempt. True: notify() is to be called once the lock is open.
  [[gnu::always_inline]] bool settle_lane(lane& l, bool more) noexcept;
  ASIO_URING_COLD bool raise_doubt() noexcept;
  ASIO_URING_COLD void look(section& s) noexcept;
  ASIO_URING_COLD void go_on(section& s, completion_queue& out) noexcept;

  ASIO_URING_COLD bool ends_without_call(operation& op) noexcept;
  ASIO_URING_COLD bool end_call_slowly(operation& op, int result) noexcept;
  ASIO_URING_COLD void run_again(operation& op, section& s) noexcept;
  ASIO_URING_COLD void start_slowly(operation& op) noexcept;
  ASIO_URING_COLD void end_send_slowly(operation& op, const void* cancellation_key) noexcept;
  void polled(lane& l, int events, completion_queue& out) noexcept
  {
    l.ready = true;
    l.eager = eager_ | ((events & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
    if (runnable(l)) enqueue(*l.first, out);
  }
  ASIO_URING_COLD void polled_slowly(lane_kind kind, int result, unsigned flags,
                                     completion_queue& out) noexcept;
  template <lane_kind Kind>
  static const request::type poll;
  static constexpr unsigned polled_events(lane_kind kind) noexcept
  {
    return kind == lane_kind::in ? POLLIN | POLLRDHUP : POLLOUT;
  }
  ASIO_URING_DECL bool resume(operation& op, int result) noexcept;
  ASIO_URING_DECL bool again(operation& op, int& result, bool retry, completion_queue& out) noexcept;

  ASIO_URING_DECL void advance(lane_kind kind, section& s) noexcept;
  ASIO_URING_DECL bool perform_first(lane_kind kind, section& s) noexcept;
  /// What has become of an operation after a call: done, to be tried at once, or armed and waiting.
  enum class attempt
  {
    ended,
    again,
    waits
  };
  ASIO_URING_DECL attempt settle_attempt(lane_kind kind, operation& op, int result, section& s) noexcept;
  /// What a source still receives comes first.
  bool runnable(const lane& l) noexcept
  {
    return l.first && l.ready && !l.busy && l.first->stage_ == operation::stage::waiting &&
           !(source_ && source_->armed_ && &l == &in());
  }
  [[gnu::always_inline]] bool is_ready(lane_kind kind) noexcept
  {
    return lane_of(kind).ready || (kind == lane_kind::in && has_datagrams());
  }
  bool completes(const operation& op) const noexcept;
  /// Of an operation that is alone in its lane and is not to be a call.
  [[gnu::always_inline]] bool may_submit_at_once(lane_kind kind) noexcept;
  [[gnu::always_inline]] void set_submitted(operation& op, lane_kind kind, preference preferred) noexcept;
  ASIO_URING_DECL void submit(operation& op, section& s) noexcept;
  ASIO_URING_DECL bool has_to_wait(operation& op) noexcept;
  ASIO_URING_DECL void passes(const operation& ends) noexcept;
  ASIO_URING_DECL void submit_drained(section& s) noexcept;
  ASIO_URING_DECL void arm(lane& l, section& s) noexcept;
  ASIO_URING_COLD void end_wait(operation& op, int result) noexcept;
  static void enqueue(operation& op, completion_queue& out) noexcept
  {
    op.stage_ = operation::stage::due;
    out.push(&op);
  }

  [[gnu::always_inline]] void append(operation& op) noexcept;
  [[gnu::always_inline]] void link(operation& op, operation_list& l) noexcept;
  ASIO_URING_DECL void prepend(operation& op) noexcept;
  [[gnu::always_inline]] void unlink(operation& op, operation_list& l) noexcept;
  [[gnu::always_inline]] void remove(operation& op) noexcept;
  ASIO_URING_DECL void give_back(operation& op, int result, section& s) noexcept;
  ASIO_URING_DECL bool keep_bytes(operation& op, section& s) noexcept;
  ASIO_URING_DECL operation::stage let_go(operation& op, section& s) noexcept;
  ASIO_URING_DECL bool has_caught_up(lane_kind kind) noexcept;
  bool has_datagrams() const noexcept { return ahead_ && !ahead_->empty(); }
  ASIO_URING_COLD int receive_ahead(msghdr& message) noexcept;
  ASIO_URING_COLD void more_datagrams_wait() noexcept;
  ASIO_URING_DECL std::unique_ptr<datagrams_ahead> stop_ahead() noexcept;
  ASIO_URING_DECL void cancel(operation& op, section& s) noexcept;
  ASIO_URING_DECL bool is_behind_submitted(const operation& op) noexcept;
  ASIO_URING_DECL void give_back_cancelled(lane_kind kind, section& s) noexcept;
  ASIO_URING_DECL void go_on(source& from, section& s) noexcept;
  ASIO_URING_DECL void serve(completion_queue& out, section& s) noexcept;
  ASIO_URING_DECL void end_source(source& from, section& s) noexcept;
  ASIO_URING_DECL void ask_again_to_end(source& from, section& s) noexcept;
  ASIO_URING_DECL bool ends_by_now(source& from, section& s) noexcept;
  ASIO_URING_DECL bool source_makes_way(operation& op, section& s) noexcept;
  ASIO_URING_DECL bool source_has_caught_up(section& s) noexcept;
  ASIO_URING_DECL void follow_cancelled(section& s) noexcept;
  ASIO_URING_DECL void drop_source() noexcept;
  ASIO_URING_DECL void set_source(std::unique_ptr<source> s) noexcept;
  ASIO_URING_DECL void end_polls(section& s) noexcept;
  ASIO_URING_DECL void end_poll(lane& l, section& s) noexcept;
  template <typename F>
  void for_each(F&& f)
  {
    for (const lane_kind kind : kinds)
      for (operation* op = list_of(kind).first; op;) {
        operation* following = op->following_;
        f(*op);
        op = following;
      }
  }

  // In an order that leaves no gaps: malloc has blocks of 184 bytes. Bits are read under the lock alone.
  bool closed_ : 1 = false;
  bool borrowed_ : 1 = false;
  bool sends_by_calls_ : 1 = false;
  bool eager_ : 1 = false;   // of the lanes when nothing is about
  bool looking_ : 1 = false; // a second look is being taken
  bool drains_ : 1 = false;  // an operation has waited for those before it
  doubt doubt_ : 2 = doubt::none;
  ring_service& service_;
  operation_list unordered_;
  std::unique_ptr<source> source_;
  std::unique_ptr<datagrams_ahead> ahead_; // while another datagram waits usually
  std::unique_ptr<submitted_message> messages_[2];
  file_state* next_in_doubt_; // unless there is none
  file_state* next_free_ = nullptr;
  [[no_unique_address]] kept_bytes kept_;
  zero_copy_use zero_copy_;
  int fd_ = -1;
  std::atomic<int> registered_{-1}; // its place among the ring's files
  unsigned references_ = 0;         // owner, operations, armed polls
  lock lock_;
  std::atomic<bool> may_read_ahead_{false};
  unsigned char crowd_ = 0; // how often in a row another datagram was waiting, about
};

} // namespace asio_uring::detail

#include <asio_uring/detail/engine/fast_paths.hpp>
#include <asio_uring/detail/engine/file_source.hpp>

// The functions of the ring's service, too: the two classes know each other.
#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/buffer_group.ipp>
#include <asio_uring/detail/engine/deadlines.ipp>
#include <asio_uring/detail/engine/file_state.ipp>
#include <asio_uring/detail/engine/read_ahead.ipp>
#include <asio_uring/detail/engine/readiness.ipp>
#include <asio_uring/detail/engine/ring_ownership.ipp>
#include <asio_uring/detail/engine/ring_rest.ipp>
#include <asio_uring/detail/engine/ring_service.ipp>
#include <asio_uring/detail/engine/second_looks.ipp>
#include <asio_uring/detail/engine/shutdown.ipp>
#include <asio_uring/detail/engine/source.ipp>
#include <asio_uring/detail/engine/submitted.ipp>
#include <asio_uring/detail/engine/turn.ipp>
#include <asio_uring/detail/engine/zero_copy_sends.ipp>
#endif

#endif // ASIO_URING_DETAIL_ENGINE_FILE_STATE_HPP
