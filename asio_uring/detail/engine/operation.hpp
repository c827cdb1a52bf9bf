// asio_uring/detail/engine/operation.hpp: the record of one operation on a file.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_OPERATION_HPP
#define ASIO_URING_DETAIL_ENGINE_OPERATION_HPP

#include <asio_uring/detail/engine/request.hpp>
#include <asio_uring/options.hpp>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

namespace asio_uring::detail {

class file_state;
class source;
class zero_copy_sends;

/// Bytes that a cancelled read had already taken from the kernel; the next read gets them first.
class kept_bytes
{
public:
  bool empty() const noexcept { return size() == 0; }
  /// Whether reads have to look for something that is theirs before they ask the kernel: for bytes, or for
  /// what a source has.
  bool first_to_be_asked() const noexcept { return first_; }
  bool has_source() const noexcept { return source_; }
  void set_source(bool has) noexcept
  {
    source_ = has;
    first_ = source_ || !empty();
  }
  std::size_t size() const noexcept { return kept_ ? kept_->bytes.size() - kept_->taken : 0; }
  const std::byte* data() const noexcept { return kept_ ? kept_->bytes.data() + kept_->taken : nullptr; }
  /// False: there is no memory.
  bool reserve(std::size_t size) noexcept
  try {
    if (!kept_) kept_ = std::make_unique<storage>();
    kept_->bytes.reserve(kept_->bytes.size() + size);
    return true;
  } catch (...) {
    return false;
  }
  /// Of what was reserved.
  void append(const void* data, std::size_t size)
  {
    const auto* first = static_cast<const std::byte*>(data);
    kept_->bytes.insert(kept_->bytes.end(), first, first + size);
    first_ = source_ || !empty();
  }
  void consume(std::size_t size) noexcept
  {
    if (kept_) kept_->taken += size;
    if (!empty()) return;
    kept_.reset();
    first_ = source_;
  }

private:
  struct storage
  {
    std::vector<std::byte> bytes;
    std::size_t taken = 0;
  };
  std::unique_ptr<storage> kept_; // hardly ever there
  bool source_ = false;
  bool first_ = false; // asked before every read
};

/// Where an operation waits for its turn.
enum class lane_kind : unsigned char
{
  in,  ///< reads and accepts, and a stream file's writes, too: one after the other
  out, ///< other writes: one after the other, so bytes never interleave
  none ///< waits, connects, and what has no order: side by side
};

/// The path of an operation where neither the program nor the environment forces one.
enum class preference : unsigned char
{
  by_completion,
  by_calls,        ///< readiness
  reading,         ///< as the strategy in use has it
  sending,         ///< likewise
  always_called,   ///< readiness, whatever is forced: no opcode does what the call does
  always_submitted ///< completion, whatever is forced: a file is always ready, and a plain call would block
};

/// Which executors a record holds at work: handler_work.hpp.
enum class held_executors : unsigned char
{
  none, ///< the loop that completes the operation calls the handler
  io,
  handlers,
  both
};

/// Owns all that the kernel may touch, and the handler. The same record serves both paths: it can be
/// submitted (prepare), or performed by a plain call that does not block (perform). Both leave a result as
/// the kernel gives it: a count, a descriptor, or a negative errno.
/**
 * It is no larger than Asio's reactor_op, for programs have memory of a fixed size for Asio's operations. The
 * bases are in an order that leaves the small members the end of the second.
 */
class operation : public request, public completion
{
public:
  struct type : request::type
  {
    lane_kind lane;
    preference preferred;
    /// Tries without blocking; -EAGAIN: not now.
    int (*perform)(operation&, int fd) noexcept;
    /// Whether after this result more is likely to be there at once.
    bool (*more)(const operation&, int result) noexcept;
    /// Whether this result is to be hidden and the operation tried again.
    bool (*retry)(const operation&, int result) noexcept;
    /// Of a stream read that was cancelled too late: leaves its bytes for the next one. False: cannot, and
    /// the program gets them.
    bool (*keep)(operation&, kept_bytes&) noexcept;
    /// The same where they can be left in the file: not under the lock of its file state.
    bool (*undo)(operation&, int fd) noexcept;
    /// Takes bytes that an earlier read left.
    int (*take)(operation&, kept_bytes&);
    /// Takes what the file's source has received before it was asked for; -EAGAIN: there is nothing.
    int (*take_ahead)(operation&, source&) noexcept;
    /// Whether it is for a source to serve it. What can take from one, and is not, ends the source.
    bool from_source;
    /// Null unless it begins when what was started before it has ended: where the last in the lane is kept.
    const operation** (*drains)(operation&) noexcept;
    /// Whether the kernel may need a thread of its own for it.
    bool may_need_worker;
  };

  int result() const noexcept { return stage_ == stage::left ? -ECANCELED : static_cast<int>(task_result_); }

protected:
  operation(const type& t, completion::func_type run, file_state* d) noexcept
      : request(t), completion(run), home_(d)
  {}
  ~operation() = default;

  /// Where it stands on its way.
  enum class stage : unsigned char
  {
    ended,    ///< the result is there, the file state has let go
    left,     ///< the same, but what it has read is left for the next read: it was cancelled
    waiting,  ///< in its lane: for its turn, or for the lane's poll
    due,      ///< in its lane, first: the loop runs it, and it performs itself; or it is doing so
    submitted ///< in the kernel, or its completion is on the way to the loop
  };
  /// What is submitted as a poll, one shot at first: what ended that in vain would end the next at once.
  enum class polling : unsigned char
  {
    once,
    standing, ///< from then on it tells changes alone
    over      ///< has brought what was waited for, result_, and was asked to end
  };
  bool stands() const noexcept { return polling_ == polling::standing; }
  stage where() const noexcept
  {
    return std::atomic_ref<stage>(const_cast<stage&>(stage_)).load(std::memory_order_acquire);
  }
  bool has_ended() const noexcept { return where() <= stage::left; }
  file_state* home() const noexcept { return home_; }

  const type& get_type() const noexcept { return static_cast<const type&>(request::get_type()); }

  /// request::type::completed of every operation.
  ASIO_URING_DECL static void on_completion(request& r, int result, unsigned flags,
                                            completion_queue& out) noexcept;

  /// Whether the ring that ended it is being given up: then it goes to the next one.
  ASIO_URING_DECL static bool came_to_rest(request& r, int result) noexcept;

  /// What it does with a result that is final.
  static void deliver(request& r, int result, completion_queue& out) noexcept
  {
    auto& self = static_cast<operation&>(r);
    assert(self.stage_ == stage::submitted); // exactly one completion is the last
    std::atomic_ref<unsigned>(self.task_result_)
        .store(static_cast<unsigned>(result), std::memory_order_release);
    out.push(&self);
  }

  /// The file descriptor, -1 if the socket has been closed since. Not under the lock of its file state.
  ASIO_URING_DECL int open_fd() const noexcept;

private:
  friend class file_state;
  friend class ring_service;
  friend class zero_copy_sends;

  void set_result(int result) noexcept { task_result_ = static_cast<unsigned>(result); }
  bool refused() noexcept;
  bool waits_for_data() noexcept;
  const operation** last_before() noexcept { return get_type().drains ? get_type().drains(*this) : nullptr; }

  /// A submitted operation has no result yet. A synchronous function may ask before the loop gets to it.
  bool pending() const noexcept
  {
    return static_cast<int>(std::atomic_ref<unsigned>(const_cast<unsigned&>(task_result_))
                                .load(std::memory_order_acquire)) <= no_result + highest_thread;
  }
  /// The file state has let go of it before the loop gets to it.
  void leave_stage(stage how) noexcept
  {
    std::atomic_ref<stage>(stage_).store(how, std::memory_order_release);
  }
  /// Submitted, and its last completion has not been collected.
  bool in_kernel() const noexcept
  {
    return stage_ == stage::submitted && (pending() || polling_ == polling::over);
  }
  void set_pending() noexcept
  {
    if (!pending()) set_result(no_result);
  }
  // Results are not below -4095. Down there is, of one that the kernel has refused, who submitted it.
  static constexpr int no_result = std::numeric_limits<int>::min(), highest_thread = 1 << 23;

  // There is room for four bytes here.
  stage stage_ = stage::ended;
  bool cancelled_ : 1 = false;
  bool aside_ : 1 = false;              // among those of no order, though its type says otherwise
  unsigned char notifications_ : 6 = 0; // of a zero-copy send, to come
  unsigned char : 0; // those above are written under the lock, the others by whoever collects
  polling polling_ : 2 = polling::once;
  unsigned char refusals_ : 4 = 0; // in a row, by the kernel's own decision
protected:
  held_executors held_ : 2 = held_executors::none; // in the record
  std::byte small_;                                // the whole description, if that is no larger

private:
  file_state* const home_; // null: never came to one
  operation* previous_;    // in the lane
  operation* following_;
  const void* cancellation_key_; // who may cancel it by slot
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_OPERATION_HPP
