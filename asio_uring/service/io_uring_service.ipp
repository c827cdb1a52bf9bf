// asio_uring/service/io_uring_service.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_IO_URING_SERVICE_IPP
#define ASIO_URING_SERVICE_IO_URING_SERVICE_IPP

#include <algorithm>
#include <asio_uring/ring/epoll_kernel.hpp>
#include <asio_uring/service/guest_pump.hpp>
#include <asio_uring/service/io_uring_service.hpp>
#include <asio_uring/service/ring_pump.hpp>
#include <boost/asio/detail/throw_error.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace asio_uring {
namespace detail {

/// A choice left open by the program, made in the environment: which of the words, 0 if none is given; an
/// unknown one is refused, naming it.
inline int chosen_word(const char* variable, std::initializer_list<const char*> words)
{
  const char* value = std::getenv(variable);
  if (!value || !*value) return 0;
  std::string allowed;
  int choice = 0;
  for (const char* word : words) {
    if (std::strcmp(word, value) == 0) return choice;
    if (choice++ > 0) allowed += ", ";
    allowed += word;
  }
  throw std::invalid_argument("asio_uring: " + std::string(variable) + "=" + value + ": allowed are " +
                              allowed);
}

inline void check_range(const char* name, unsigned value, unsigned lowest, unsigned highest)
{
  if (value < lowest || value > highest)
    throw std::invalid_argument("asio_uring: options." + std::string(name) + " = " + std::to_string(value) +
                                ": allowed is " + std::to_string(lowest) + " to " + std::to_string(highest));
}

inline linux_version checked_version(linux_version chosen)
{
  std::string given = "options.newest = " + std::to_string(chosen.major) + "." + std::to_string(chosen.minor);
  bool understood = true;
  const char* value = std::getenv("ASIO_URING_NEWEST");
  if (chosen == linux_version() && value && *value) {
    given = std::string("ASIO_URING_NEWEST=") + value;
    int read = 0;
    understood = std::sscanf(value, "%u.%u%n", &chosen.major, &chosen.minor, &read) == 2 && !value[read];
  }
  if (understood && chosen >= linux_version{5, 11}) return chosen;
  throw std::invalid_argument("asio_uring: " + given + ": allowed are versions from 5.11 on");
}

ASIO_URING_DECL options checked(options o)
{
  o.newest = checked_version(o.newest);
  check_range("entries", o.entries, 2, 32768);
  check_range("completions", o.completions, 2 * o.entries, 65536);
  // The words are in the order of the enumerators.
  if (o.path == path::automatic)
    o.path = path{chosen_word("ASIO_URING_PATH", {"automatic", "completion", "readiness"})};
  if (o.pump == pump_kind::automatic)
    o.pump = pump_kind{chosen_word("ASIO_URING_PUMP", {"automatic", "ring", "guest"})};
  if (o.fallback == fallback::automatic)
    o.fallback = fallback{chosen_word("ASIO_URING_BACKEND", {"automatic", "io_uring", "reactor"})};
  return o;
}

/// What a person can do about a ring that cannot be had.
ASIO_URING_DECL std::string setup_advice(int error)
{
  switch (error) {
  case EPERM:
    return "io_uring: seccomp or kernel.io_uring_disabled forbids io_uring_setup";
  case ENOSYS:
    return "io_uring: the kernel has no io_uring, or is older than Linux 5.11";
  case ENOMEM:
    return "io_uring: no memory for the ring; raise RLIMIT_MEMLOCK (ulimit -l) or options.entries is too "
           "large";
  case EMFILE:
  case ENFILE:
    return "io_uring: no file descriptor left for the ring (ulimit -n)";
  default:
    return "io_uring_setup";
  }
}

[[noreturn]] inline void refuse_setup(int error)
{
  throw boost::system::system_error(error_code(error, boost::system::system_category()), setup_advice(error));
}

ASIO_URING_DECL io_uring_service::io_uring_service(asio::execution_context& context, const options& o)
    : asio::execution_context::service(context),
      options_(checked(o)),
      locking_(!asio::has_service<scheduler>(context) || wants_locks(asio::use_service<scheduler>(context))),
      submitter_(locking_),
      descriptors_lock_(locking_)
{
  set_up_ring();
  choose_paths();
  make_pump();
}

ASIO_URING_DECL void io_uring_service::set_up_ring()
{
  ring_.reset();
  links_expected_.store(false, std::memory_order_relaxed);
  files_.reset();
  if (options_.fallback == fallback::force)
    unavailable_ = "the options or ASIO_URING_BACKEND=reactor ask for it";
  else
    try {
      if (options_.kernel)
        ring_.emplace(options_.kernel());
      else
        ring_.emplace(ring_parameters{
            .entries = options_.entries, .completions = options_.completions, .newest = options_.newest});
    } catch (const std::system_error& e) {
      const int error = e.code().value();
      unavailable_ = setup_advice(error);
      const bool permanent = error == EPERM || error == EACCES || error == ENOSYS || error == ENOMEM;
      if (options_.fallback == fallback::forbid || !permanent) refuse_setup(error);
    }
  if (!ring_) try {
      ring_.emplace(std::make_unique<epoll_kernel>(options_.entries, options_.completions));
    } catch (const std::system_error& e) {
      refuse_setup(e.code().value());
    }
  submitter_.use(*ring_);
}

ASIO_URING_DECL io_uring_service::~io_uring_service()
{
  completion_queue left; // what the destruction of handlers has posted; destroyed with the queue
  ready_.move_to(left);
}

ASIO_URING_DECL void io_uring_service::make_pump()
{
  asio::execution_context& context = this->context();
  const bool possible = !asio::has_service<epoll_reactor>(context);
  if (options_.pump == pump_kind::ring && !possible)
    throw std::logic_error(
        "asio_uring: pump_kind::ring: the context has a stock reactor already; construct the first "
        "socket, or call use_io_uring, before any other I/O object");
  const bool wanted = options_.pump == pump_kind::ring ||
                      (options_.pump == pump_kind::automatic && asio::has_service<scheduler>(context));
  if (wanted && possible) {
    auto reactor = std::make_unique<ring_pump>(context, *this);
    asio::add_service<epoll_reactor>(context, reactor.get()); // the context owns it from here on
    pump_ = reactor.release();
    scheduler_ = &asio::use_service<scheduler>(context);
  } else {
    guest_ = std::make_unique<guest_pump>(context, *this);
    pump_ = guest_.get();
    set_idle(true);
  }
  native_ = pump_->native();
  pump_->restart();
  // No stock service may ever do so. A thread pool's threads turn the ring from here on, and may sleep in it:
  // not before the wake-up poll is there.
  if (scheduler_) scheduler_->init_task();
}

// A loop that is on its way to sleep may have counted already what it is going to submit.
ASIO_URING_DECL void io_uring_service::keep_links_whole()
{
  ring_->keep_whole();
  for (; entering_.load(std::memory_order_seq_cst); std::this_thread::yield())
    if (interrupt()) pump_->wake();
  links_expected_.store(true, std::memory_order_release);
}

ASIO_URING_DECL void io_uring_service::submit_now() noexcept
{
  // The kernel may refuse for a moment (EAGAIN: no memory) or take only some. The loop may be asleep, and the
  // file descriptor of an entry is about to be closed: nothing may be left. EBUSY, before 5.19, is
  // for the collector to end, which may be this very thread.
  for (int busy = 0; ring_->unsubmitted(); std::this_thread::yield()) {
    const int result = ring_->submit();
    if (result == -EBUSY ? ++busy == 1000 : result < 0 && result != -EAGAIN && result != -EINTR) break;
  }
  // What found no room on the ring needs the loop: it may be asleep.
  if (submitter_.has_backlog() && idle_.exchange(false)) pump_->wake();
}

ASIO_URING_DECL descriptor& io_uring_service::open_descriptor(int fd, const descriptor_kind& kind)
{
  descriptor* d;
  {
    locked guard(descriptors_lock_);
    if (free_descriptors_)
      free_descriptors_ = std::exchange((d = free_descriptors_)->next_free_, nullptr);
    else
      d = descriptors_.emplace_back(std::make_unique<descriptor>(*this, locking_)).get();
  }
  d->open(fd, kind);
  return *d;
}

ASIO_URING_DECL void io_uring_service::recycle(descriptor& d) noexcept
{
  locked guard(descriptors_lock_);
  d.next_free_ = free_descriptors_;
  free_descriptors_ = &d;
}

ASIO_URING_DECL void io_uring_service::collect(completion_queue& out) noexcept
{
  ring_->consume_completions([&](const io_uring_cqe& cqe) {
    submitter_.submitted(); // acquires what the submitting thread wrote
    if (!(cqe.flags & IORING_CQE_F_MORE)) ++retired_;
    if (cqe.user_data != submitter::cancel_mark)
      reinterpret_cast<request*>(static_cast<std::uintptr_t>(cqe.user_data))
          ->completed(cqe.res, cqe.flags, out);
  });
}

// Completions that come while handlers run tell of peers that run beside us. Then every system call ends with
// the kernel's work for one of them, and fewer calls are cheaper; where all sleep until we do, plain calls
// are.
inline void io_uring_service::follow_load(bool busy) noexcept
{
  constexpr int most = 32;
  if (options_.path != path::automatic || guest_ || !unavailable_.empty()) return;
  load_ = std::clamp(load_ + (busy ? 1 : -1), 0, most);
  if (load_ != (busy ? most : 0) || busy_.load(std::memory_order_relaxed) == busy) return;
  busy_.store(busy, std::memory_order_relaxed);
  choose_paths();
}

inline void io_uring_service::choose_paths() noexcept
{
  for (unsigned p = 0; p != std::size(readiness_); ++p)
    readiness_[p].store(path_for(preference(p)) == path::readiness, std::memory_order_relaxed);
}

ASIO_URING_DECL void io_uring_service::turn(std::chrono::nanoseconds timeout, completion_queue& out) noexcept
{
  ready_.move_to(out);
  const unsigned found = ring_->completions_present();
  if (timeout.count() > 0 && out.empty() && !found && !submitter_.has_backlog()) {
    follow_load(false);
    // Whoever posts, submits or interrupts from here on sees the loop idle and wakes it, or is seen here.
    entering_.store(true, std::memory_order_relaxed);
    idle_.store(true, std::memory_order_seq_cst);
    if (ready_.empty() && !submitter_.has_backlog() && !interrupted_.load(std::memory_order_seq_cst))
      ring_->submit_and_wait(timeout);
    else if (ring_->unsubmitted())
      ring_->submit();
    idle_.store(false, std::memory_order_relaxed);
    entering_.store(false, std::memory_order_relaxed);
  } else {
    // A long row of handlers may have been preempted by the very peers.
    if (found) follow_load(found <= 128);
    if (ring_->unsubmitted() || ring_->wants_enter()) ring_->submit();
  }
  interrupted_.store(false, std::memory_order_relaxed);
  collect(out);
  while (submitter_.refill(out)) {
    ring_->submit();
    collect(out);
  }
  ready_.move_to(out);
}

ASIO_URING_DECL io_uring_service::runner io_uring_service::last_runner() const noexcept
{
  const pid_t last = runner_.load(std::memory_order_relaxed);
  if (!last) return runner::unknown;
  if (last == this_thread()) return runner::gone;
  return ::syscall(SYS_tgkill, ::getpid(), last, 0) == 0 ? runner::alive : runner::gone;
}

ASIO_URING_DECL void io_uring_service::shutdown()
{
  stopped_ = true;
  for (auto& r : readiness_)
    r = false;
  completion_queue given_up;
  pump_->withdraw();
  if (doubts_.armed()) submitter_.cancel(doubts_);
  for (const auto& d : descriptors_)
    d->abandon(given_up);
  // The kernel may write into buffers until the last terminal completion: wait for it, however long.
  while (in_flight()) {
    // What would end the wait may itself wait for room.
    submitter_.has_backlog() ? ring_->submit() : ring_->submit_and_wait(std::chrono::nanoseconds::max());
    collect(given_up);
    while (submitter_.refill(given_up)) {
    }
  }
  // From here on the kernel knows none of our memory.
  assert(submitter_.submitted() == retired_ && !ring_->unsubmitted());
  ready_.move_to(given_up);
  while (completion* op = given_up.front()) {
    given_up.pop();
    op->destroy();
    ready_.move_to(given_up);
  }
}

// A child shares the parent's ring and would eat its completions: it gets one of its own, and what was in the
// kernel for the parent is submitted for the child as well, as Asio's reactor does with its registrations.
ASIO_URING_DECL void io_uring_service::notify_fork(asio::execution_context::fork_event event)
{
  if (event != asio::execution_context::fork_child) return;
  set_up_ring();
  this_thread_ = 0;
  runner_.store(0, std::memory_order_relaxed);
  retired_ = 0;
  doubts_.restart();
  pump_->restart();
  for (const auto& d : descriptors_)
    d->resubmit();
}

} // namespace detail

ASIO_URING_DECL void use_io_uring(boost::asio::execution_context& context, const options& o)
{
  if (boost::asio::has_service<detail::io_uring_service>(context))
    throw std::logic_error(
        "asio_uring: use_io_uring: the context has its ring already; call it before the context's "
        "first I/O object, once");
  boost::asio::make_service<detail::io_uring_service>(context, o);
}

} // namespace asio_uring

#endif // ASIO_URING_SERVICE_IO_URING_SERVICE_IPP
