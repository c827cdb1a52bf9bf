// asio_uring/detail/engine/source.hpp: receives for a file before the program asks.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SOURCE_HPP
#define ASIO_URING_DETAIL_ENGINE_SOURCE_HPP

#include <asio_uring/detail/engine/datagrams_ahead.hpp>
#include <asio_uring/detail/engine/request.hpp>
#include <cerrno>
#include <memory>
#include <optional>

namespace asio_uring::detail {

class file_state;
class kept_bytes;

/// A request that delivers again and again (a multishot accept or receive), and those of its results that
/// have not been taken yet.
/**
 * It belongs to a file. Operations of the lane `in` take its results when their handlers are about to run, so
 * a cancelled one has taken nothing. An operation made for it (from_source) starts it. It goes on until it is
 * full, and again when enough has been taken. An ordinary operation ends it, and gets first what is left.
 *
 * Where the kernel has no multishot request, derived classes describe one that delivers once, which is
 * submitted again and again.
 */
class source : public request
{
public:
  source(const source&) = delete;
  source& operator=(const source&) = delete;
  virtual ~source() = default;

protected:
  ASIO_URING_DECL explicit source(file_state& file) noexcept;

  /// What a completion means.
  enum class outcome : unsigned char
  {
    result,    ///< there is a result to take
    nothing,   ///< nothing to take; it begins anew
    exhausted, ///< it begins anew after a pause: descriptors or memory are used up, perhaps by others
    starved,   ///< it begins anew when there is a buffer
    end        ///< the end of the stream, or an error: the next operation gets it
  };

  // All but perform() are called with the file locked.

  virtual void describe(io_uring_sqe& sqe, int fd) noexcept = 0;
  /// Handles a completion other than ECANCELED and EINTR.
  virtual outcome receive(int result, unsigned flags) noexcept = 0;
  /// Handles those: they may have used a buffer nevertheless, for instance when a kernel thread was
  /// interrupted.
  virtual void leave(unsigned /*flags*/) noexcept {}
  virtual bool has_result() const noexcept = 0;
  /// Whether it should pause or, if it is paused, stay so.
  virtual bool full(bool paused) const noexcept = 0;
  /// Leaves all results to ordinary reads of the file. False if there is no memory.
  virtual bool leave_to(kept_bytes&) noexcept { return true; }
  /// Takes over what such reads have left; it has nothing else then. False if there is no memory.
  virtual bool take_over(kept_bytes&) noexcept { return true; }
  /// The first datagram, for an ordinary receive. It stays valid until it is removed.
  virtual std::optional<datagram> first_datagram() noexcept { return std::nullopt; }
  virtual void remove_first_datagram() noexcept {}
  /// Takes over datagrams that were read ahead; they come first.
  virtual void take_over_datagrams(std::unique_ptr<datagrams_ahead>) noexcept {}
  /// Whether it is a poll. If so, perform() makes the call when the poll fires, and returns what a completion
  /// would.
  virtual bool polls() const noexcept { return false; }
  virtual int perform(int /*fd*/, unsigned& /*flags*/) noexcept { return -EAGAIN; }
  /// Whether more is likely to be available at once after this result.
  virtual bool more(int /*result*/) const noexcept { return true; }
  /// The place of a source among those that wait for memory.
  enum class place : unsigned char
  {
    first, ///< another source took what was promised to it
    last,
    behind_others ///< the last, but only if others wait
  };
  /// Has it wait for memory instead of being submitted; whoever frees some pushes it. False if it need not
  /// wait.
  virtual bool wait_for_memory(place) noexcept { return false; }
  virtual bool waits_for_memory() const noexcept { return false; }
  /// Ends that wait. False if it was not waiting.
  virtual bool withdraw() noexcept { return false; }
  /// Withdraws the promise of memory after a completion, whether or not that used it, and before it may wait
  /// again. True if there was one.
  virtual bool settle_promise() noexcept { return false; }
  /// Afterwards: gives the memory to others.
  virtual void pass_on() noexcept {}

  /// Takes the result of the last completion that was an end; -EAGAIN if there was none.
  int take_end() noexcept
  {
    if (!ended_) return -EAGAIN;
    ended_ = false;
    return end_;
  }
  file_state& file() const noexcept { return file_; }
  /// Whether the poll should report changes only, because there was nothing when it fired last.
  bool tells_changes() const noexcept { return in_vain_; }

private:
  friend class buffer_group;
  friend class file_state;

  ASIO_URING_DECL static const request::type& functions() noexcept;
  ASIO_URING_DECL void completed(int result, unsigned flags, completion_queue& out) noexcept;
  ASIO_URING_DECL outcome take_in(int result, unsigned flags) noexcept;
  bool empty() const noexcept { return !ended_ && !has_result(); }
  bool in_kernel() const noexcept { return armed_ && !waits_for_memory(); }

  static constexpr unsigned char most_pauses = 9;
  /// How long one lasts; where the kernel reads it.
  ASIO_URING_DECL static __kernel_timespec& pause(unsigned char times_in_a_row) noexcept;

  file_state& file_;
  source* next_waiting_; // in the list of those that wait for memory
  int end_ = 0;
  bool promised_ = false;     // memory is promised to it
  bool waiting_ = false;      // the entry is a timeout
  bool in_vain_ = false;      // the poll was
  unsigned char pauses_ = 0;  // in a row
  unsigned char unheard_ = 0; // completions while cancelled
  // Read under the lock alone.
  bool ended_ : 1 = false;     // with end_, which has not been taken yet
  bool running_ : 1 = false;   // begins anew by itself
  bool armed_ : 1 = false;     // in the kernel, or waiting for memory
  bool cancelled_ : 1 = false; // asked to end
  bool paused_ : 1 = false;    // while it is full
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SOURCE_HPP
