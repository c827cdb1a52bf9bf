// asio_uring/detail/engine/source.hpp: what receives for a file before it is asked to.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SOURCE_HPP
#define ASIO_URING_DETAIL_ENGINE_SOURCE_HPP

#include <asio_uring/detail/engine/datagrams_ahead.hpp>
#include <asio_uring/detail/engine/request.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>

namespace asio_uring::detail {

class file_state;
class kept_bytes;

/// A request that delivers again and again (a multishot accept or receive), and what it has delivered and
/// nobody has taken yet.
/**
 * It belongs to a file. What it has is taken by operations of the lane `in`, when their handlers are about to
 * run: so one that is cancelled has taken nothing. An operation that is made for it (from_source) has it
 * begin; it goes on until it is full, and again when enough has been taken. An ordinary operation ends it,
 * and gets first what is left.
 *
 * Where the kernel has no multishot request, derived classes describe one that delivers once; it is submitted
 * again and again.
 */
class source : public request
{
public:
  source(const source&) = delete;
  source& operator=(const source&) = delete;
  virtual ~source() = default;

protected:
  ASIO_URING_DECL explicit source(file_state& file) noexcept;

  /// What a completion has brought.
  enum class outcome : unsigned char
  {
    result,    ///< something to be taken
    nothing,   ///< it begins anew
    exhausted, ///< the same, after a pause: descriptors or memory are used up, by others as well
    starved,   ///< it begins anew when there is memory
    end        ///< the end of the stream, or an error: whoever asks next is told
  };

  // All under the lock of the file, but for perform().

  virtual void describe(io_uring_sqe& sqe, int fd) noexcept = 0;
  /// Takes in a completion that is neither ECANCELED nor EINTR.
  virtual outcome receive(int result, unsigned flags) noexcept = 0;
  /// Of any other: what it has used up nevertheless, as when a thread of the kernel's was told to end.
  virtual void leave(unsigned /*flags*/) noexcept {}
  virtual bool has_result() const noexcept = 0;
  /// Whether it is to pause; or, if it does, to go on pausing.
  virtual bool full(bool paused) const noexcept = 0;
  /// Leaves all results to ordinary reads of the file. False: there is no memory.
  virtual bool leave_to(kept_bytes&) noexcept { return true; }
  /// And takes over what such reads have left; it has nothing else then. False: there is no memory.
  virtual bool take_over(kept_bytes&) noexcept { return true; }
  /// Of datagrams: the first result, which ordinary receives get; it is theirs until it is removed.
  virtual std::optional<datagram> first_datagram() noexcept { return std::nullopt; }
  virtual void remove_first_datagram() noexcept {}
  /// And takes over those that were read ahead; they come first.
  virtual void take_over_datagrams(std::unique_ptr<datagrams_ahead>) noexcept {}
  /// It is a poll: makes the call when that tells of something. Returns what a completion would.
  virtual bool polls() const noexcept { return false; }
  virtual int perform(int /*fd*/, unsigned& /*flags*/) noexcept { return -EAGAIN; }
  /// Whether after this result more is likely to be there at once.
  virtual bool more(int /*result*/) const noexcept { return true; }
  /// Where one waits for memory.
  enum class place : unsigned char
  {
    first, ///< what was there for it another has taken
    last,
    behind_others ///< if others wait
  };
  /// From now on it waits there, in place of being with the kernel; who gets some pushes it. False: there is
  /// some.
  virtual bool wait_for_memory(place) noexcept { return false; }
  virtual bool waits_for_memory() const noexcept { return false; }
  /// Takes it back from there. False: it does not wait.
  virtual bool withdraw() noexcept { return false; }
  /// Something has come of it, perhaps without using the memory that was there for it: before it may wait
  /// again. True: there was some.
  virtual bool settle_promise() noexcept { return false; }
  /// And afterwards: others may have it.
  virtual void pass_on() noexcept {}

  /// Of the last completion that was an end: the result for whoever asks; -EAGAIN: there was none.
  int take_end() noexcept
  {
    if (!ended_) return -EAGAIN;
    ended_ = false;
    return end_;
  }
  file_state& file() const noexcept { return file_; }
  /// Of a poll that was in vain: it is to tell of changes alone.
  bool tells_changes() const noexcept { return in_vain_; }

private:
  friend class buffer_group;
  friend class file_state;

  ASIO_URING_DECL static const request::type& functions() noexcept;
  ASIO_URING_DECL void completed(int result, unsigned flags, completion_queue& out) noexcept;
  ASIO_URING_DECL outcome take_in(int result, unsigned flags) noexcept;
  bool empty() const noexcept { return !ended_ && !has_result(); }
  bool in_kernel() const noexcept { return armed_ && !waits_for_memory(); }

  static constexpr std::chrono::milliseconds first_pause{1}, last_pause{250};

  file_state& file_;
  source* next_waiting_;  // for memory
  bool promised_ = false; // some is there for it
  int end_ = 0;
  bool ended_ = false;        // with end_, which nobody has been told yet
  bool running_ = false;      // to go on without being asked
  bool armed_ = false;        // with the kernel, or waiting for memory
  bool cancelled_ = false;    // asked to end
  unsigned char unheard_ = 0; // what has come since
  bool waiting_ = false;      // the entry is a timeout
  bool paused_ = false;       // as long as it is full
  bool in_vain_ = false;
  std::chrono::milliseconds pause_ = first_pause;
  __kernel_timespec time_{};
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_SOURCE_HPP
