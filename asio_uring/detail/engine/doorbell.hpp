// asio_uring/detail/engine/doorbell.hpp: how the loop sleeps, and who wakes it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_DOORBELL_HPP
#define ASIO_URING_DETAIL_ENGINE_DOORBELL_HPP

#include <asio_uring/detail/engine/request.hpp>
#include <asio_uring/detail/engine/submitter.hpp>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

// The protocol. One thread, the loop, turns the ring: a thread of the context's, or the keeper. Before it
// sleeps in the ring it says so, and then looks once more at everything that others may have left for it:
//
//   the loop                                    others
//   1 lie_down(): idle                          1 leave something:
//   2 look: ready_list::empty(),                  ready_list::push() (the first of a list says so),
//     submitter::has_backlog(),                   submitter::push() that finds no room,
//     must_stay_awake()                           interrupt(), set_interrupted(), ask(), stop_keeper()
//   3 found nothing: sleep in the ring          2 look: idle()
//   4 get_up()                                  3 idle: take_idle(), and if that was true: wake
//
// Each side first writes, then looks, all sequentially consistent: one of the two sees the other. take_idle()
// gives the wake-up to one of many threads. The pump wakes the loop. The keeper is woken by its doorbell: an
// eventfd that the ring polls, whose completion ends the sleep. The loop's own entries are submitted when its
// handlers have run. For those of others, notify() enters the ring if any thread may; the owner of a bound
// ring is woken as above, and its enter takes all that was published until then. As a guest the ring is idle
// between turns: no thread will enter it without being woken. A thread that needs the kernel now takes a
// number, ask(), and waits until it is answered (ring_ownership.ipp).

namespace asio_uring::detail {

/// The words through which the loop and the threads that may have to wake it talk to each other.
class sleeper
{
public:
  // The loop.
  void lie_down() noexcept
  {
    lies_down_.store(true, std::memory_order_relaxed);
    set_idle(true);
  }
  void get_up() noexcept
  {
    idle_.store(false, std::memory_order_relaxed);
    lies_down_.store(false, std::memory_order_relaxed);
  }
  void set_idle(bool idle) noexcept { idle_.store(idle, std::memory_order_seq_cst); }
  bool must_stay_awake(bool is_keeper) const noexcept
  {
    return (is_keeper ? keeper_stops_ : interrupted_).load(std::memory_order_seq_cst) || unanswered();
  }
  void forget_interrupt() noexcept { interrupted_.store(false, std::memory_order_relaxed); }

  // Any thread.
  bool idle() const noexcept { return idle_.load(std::memory_order_seq_cst); }
  /// True for exactly one of the threads that have seen it idle: that one wakes it.
  bool take_idle() noexcept { return idle_.exchange(false, std::memory_order_seq_cst); }
  /// Keeps the loop from sleeping in its next turn. True if it sleeps already and has to be woken.
  bool interrupt() noexcept
  {
    set_interrupted();
    return take_idle();
  }
  void set_interrupted() noexcept { interrupted_.store(true, std::memory_order_seq_cst); }
  /// Whether it was interrupted since the last turn; resets that.
  bool take_interrupt() noexcept { return interrupted_.exchange(false, std::memory_order_seq_cst); }
  /// Whether it sleeps, or is about to.
  bool lies_down() const noexcept { return lies_down_.load(std::memory_order_seq_cst); }

  // Questions of threads that need the kernel now.
  unsigned ask() noexcept { return asked_.fetch_add(1, std::memory_order_seq_cst) + 1; }
  unsigned asked() const noexcept { return asked_.load(std::memory_order_seq_cst); }
  void answer(unsigned all_until) noexcept { answered_.store(all_until, std::memory_order_seq_cst); }
  bool answered(unsigned question) const noexcept
  {
    return static_cast<int>(answered_.load(std::memory_order_seq_cst) - question) >= 0;
  }
  bool unanswered() const noexcept { return asked() != answered_.load(std::memory_order_relaxed); }

  // Stopping the keeper.
  void let_keeper_run() noexcept { keeper_stops_.store(false, std::memory_order_relaxed); }
  void stop_keeper() noexcept { keeper_stops_.store(true, std::memory_order_seq_cst); }
  bool keeper_stops() const noexcept { return keeper_stops_.load(std::memory_order_seq_cst); }

private:
  std::atomic<bool> idle_{false};        // sleeps, or no thread will enter the ring without being woken
  std::atomic<bool> interrupted_{false}; // must not sleep
  std::atomic<bool> lies_down_{false};   // sleeps, or is about to
  std::atomic<bool> keeper_stops_{false};
  std::atomic<unsigned> asked_{0};    // the last question asked
  std::atomic<unsigned> answered_{0}; // all questions up to this one are answered
};

/// A poll of one descriptor for the loop's own use.
class watch final : public request
{
public:
  watch(submitter& s, bool standing) noexcept : request(functions()), submitter_(s), standing_(standing) {}

  void arm(int fd) noexcept
  {
    fd_ = fd;
    armed_.store(true, std::memory_order_relaxed);
    submitter_.push(*this);
  }
  void cancel() noexcept
  {
    if (armed()) submitter_.cancel(*this);
  }
  /// To be called when the ring that had it is gone.
  void reset() noexcept
  {
    submitter_.forget(*this); // it may still wait for room
    armed_.store(false, std::memory_order_relaxed);
  }
  /// False once it has fired for the last time.
  bool armed() const noexcept { return armed_.load(std::memory_order_relaxed); }
  /// False if its descriptor turned out to be closed.
  bool usable() const noexcept { return !failed_.load(std::memory_order_relaxed); }

private:
  static const request::type& functions() noexcept
  {
    static constexpr request::type type = {
        [](request& r, io_uring_sqe& sqe) noexcept {
          auto& self = static_cast<watch&>(r);
          io_uring_prep_poll_add(&sqe, self.fd_, POLLIN);
          if (self.standing_) sqe.len = IORING_POLL_ADD_MULTI;
        },
        [](request& r, int result, unsigned flags, completion_queue&) noexcept {
          auto& self = static_cast<watch&>(r);
          if (flags & IORING_CQE_F_MORE) return;
          self.submitter_.forget(self);
          self.armed_.store(false, std::memory_order_relaxed);
          if (result == -EBADF)
            self.failed_.store(true, std::memory_order_relaxed); // armed again, it would only fail again
        }};
    return type;
  }

  submitter& submitter_;
  const bool standing_;
  std::atomic<bool> armed_{false}; // a synchronous function may collect at the same time
  std::atomic<bool> failed_{false};
  int fd_ = -1;
};

/// An eventfd that the ring polls. It is written and hardly ever read, for each write is an edge.
class doorbell
{
public:
  doorbell(submitter& s, bool standing) : watch_(s, standing) { open(); }
  doorbell(const doorbell&) = delete;
  doorbell& operator=(const doorbell&) = delete;
  ~doorbell() { ::close(fd_); }

  /// Wakes the loop. Any thread.
  void ring() noexcept
  {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof(one));
  }

  /// Arms the poll if necessary; to be called before each turn of the ring. A multishot poll ends when the
  /// thread or the ring that it was armed on ends, or when the completion queue is full.
  void listen() noexcept
  {
    if (watch_.armed() || !watch_.usable()) return;
    std::uint64_t count;
    [[maybe_unused]] const auto drained = ::read(fd_, &count, sizeof(count));
    watch_.arm(fd_);
  }

  void withdraw() noexcept { watch_.cancel(); }
  template <typename F>
  void for_each_submitted(F&& f)
  {
    if (watch_.armed()) f(static_cast<request&>(watch_));
  }

  /// Makes a new eventfd in a forked child: the old one is shared with the parent.
  void renew()
  {
    ::close(fd_);
    open();
    watch_.reset();
  }

private:
  void open()
  {
    fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd_ < 0) throw_error(error_code(errno, system_category()), "eventfd");
  }

  int fd_ = -1;
  watch watch_;
};

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_DOORBELL_HPP
