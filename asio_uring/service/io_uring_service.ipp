// asio_uring/service/io_uring_service.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_IO_URING_SERVICE_IPP
#define ASIO_URING_SERVICE_IO_URING_SERVICE_IPP

#include <algorithm>
#include <asio_uring/ring/epoll_kernel.hpp>
#include <asio_uring/ring/result.hpp>
#include <asio_uring/service/call_cost.hpp>
#include <asio_uring/service/guest_pump.hpp>
#include <asio_uring/service/io_uring_service.hpp>
#include <asio_uring/service/pause.hpp>
#include <asio_uring/service/ring_pump.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <sys/eventfd.h>
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

template <typename Duration>
void check_duration(const char* name, Duration value, const char* unit, std::chrono::nanoseconds highest,
                    const char* limit)
{
  if (value < Duration(0) || value > highest)
    throw std::invalid_argument("asio_uring: options." + std::string(name) + " = " +
                                std::to_string(value.count()) + ' ' + unit + ": allowed is 0 to " + limit);
}

/// "5.13": two numbers with a point between them, and nothing else.
inline bool parse(const char* text, linux_version& version) noexcept
{
  const char* const end = text + std::strlen(text);
  const auto [point, major_error] = std::from_chars(text, end, version.major);
  if (major_error != std::errc() || point == end || *point != '.') return false;
  const auto [last, minor_error] = std::from_chars(point + 1, end, version.minor);
  return minor_error == std::errc() && last == end;
}

inline linux_version checked_version(linux_version chosen)
{
  std::string given = "options.newest = " + std::to_string(chosen.major) + "." + std::to_string(chosen.minor);
  bool understood = true;
  const char* value = std::getenv("ASIO_URING_NEWEST");
  if (chosen == linux_version() && value && *value) {
    given = std::string("ASIO_URING_NEWEST=") + value;
    understood = parse(value, chosen);
  }
  if (understood && chosen >= linux_version{5, 11}) return chosen;
  throw std::invalid_argument("asio_uring: " + given + ": allowed are versions from 5.11 on");
}

ASIO_URING_DECL options checked(options o)
{
  o.newest = checked_version(o.newest);
  check_range("entries", o.entries, 2, 32768);
  check_range("completions", o.completions, 2 * o.entries, 65536);
  check_range("read_ahead", o.read_ahead, 0, 64);
  check_duration("spin", o.spin, "ns", std::chrono::seconds(1), "1 s");
  check_duration("min_wait", o.min_wait, "us", std::chrono::milliseconds(100), "100 ms");
  check_duration("busy_poll", o.busy_poll, "us", std::chrono::seconds(1), "1 s");
  // The words are in the order of the enumerators.
  if (o.path == path::automatic)
    o.path = path{chosen_word("ASIO_URING_PATH", {"automatic", "completion", "readiness"})};
  if (o.pump == pump_kind::automatic)
    o.pump = pump_kind{chosen_word("ASIO_URING_PUMP", {"automatic", "ring", "guest"})};
  if (o.fallback == fallback::automatic)
    o.fallback = fallback{chosen_word("ASIO_URING_BACKEND", {"automatic", "io_uring", "reactor"})};
  return o;
}

/// Whether an enter is to be made again: a signal, no memory at the moment, or completions that are to be
/// collected first.
inline bool is_momentary(int result) noexcept
{
  return result == -EAGAIN || result == -EINTR || result == -EBUSY || result == -ETIME;
}

/// What a person can do about a ring that cannot be had.
ASIO_URING_DECL std::string setup_advice(const std::system_error& e)
{
  switch (e.code().value()) {
  case EPERM:
    if (std::strstr(e.what(), "io_uring_enter"))
      return "io_uring: seccomp forbids io_uring_enter, though not io_uring_setup";
    return "io_uring: seccomp or kernel.io_uring_disabled forbids io_uring_setup";
  case ENOSYS:
    return "io_uring: the kernel has no io_uring, or is older than Linux 5.11";
  case ENOMEM:
    return "io_uring: no memory for the ring; raise RLIMIT_MEMLOCK (ulimit -l) or options.entries is too "
           "large";
  case EMFILE:
  case ENFILE:
    return "io_uring: no file descriptor left for the ring (ulimit -n)";
  default: // of a security module, for instance
    return std::string("io_uring: the kernel gives no ring: ") + e.what();
  }
}

[[noreturn]] inline void refuse_setup(const std::system_error& e)
{
  throw boost::system::system_error(error_code(e.code().value(), boost::system::system_category()),
                                    setup_advice(e));
}

ASIO_URING_DECL io_uring_service::io_uring_service(asio::execution_context& context, const options& o)
    : asio::execution_context::service(context),
      options_(checked(o)),
      locking_(!asio::has_service<scheduler>(context) || wants_locks(asio::use_service<scheduler>(context))),
      submitter_(locking_),
      descriptors_lock_(locking_)
{
  make_pump();
  controlled_ = options_.path == path::automatic;
  if (controlled_ && available_ && call_is_dear()) controller_ = path_controller(strategy::submitted);
  strategy_.store(controller_.now(), std::memory_order_relaxed);
  choose_paths();
  if (chosen_word("ASIO_URING_REPORT", {"0", "1"}) == 1) report();
}

ASIO_URING_DECL std::string io_uring_service::path_reason() const
{
  if (options_.path != path::automatic) return "as asked for";
  if (!available_.load(std::memory_order_relaxed)) return "without io_uring";
  char text[128];
  int n = std::snprintf(text, sizeof(text), "a system call costs %.2f us here",
                        static_cast<double>(call_cost().count()) / 1000);
  if (const unsigned other = other_path_costs())
    std::snprintf(
        text + n, sizeof(text) - static_cast<std::size_t>(n), ", %s would cost %.2f times as much",
        name(path_for(preference::reading) == path::completion ? path::readiness : path::completion),
        other / 1000.);
  return text;
}

ASIO_URING_DECL std::string io_uring_service::pump_reason() const
{
  if (pump_->kind() == pump_kind::ring) return "the context's reactor is the ring";
  return options_.pump == pump_kind::guest
             ? "guest pump, as asked for"
             : "guest pump: the context had a reactor already, or is not run by Asio's scheduler";
}

ASIO_URING_DECL void io_uring_service::report() noexcept
try {
  const std::string why_not = unavailable();
  const std::string line =
      "asio_uring: " + (why_not.empty() ? "io_uring: " + pump_reason() : "no io_uring: " + why_not) +
      "; path " + name(path_for(preference::reading)) + " (" + path_reason() + ")\n";
  std::fputs(line.c_str(), stderr);
} catch (const std::bad_alloc&) {
}

/// Another ring, or what stands in for one.
ASIO_URING_DECL void io_uring_service::set_up_ring()
{
  std::string reason = "the options or ASIO_URING_BACKEND=reactor ask for it";
  if (options_.fallback != fallback::force) try {
      if (options_.kernel) return use_ring(ring(options_.kernel()));
      return use_ring(ring(ring_parameters{.entries = options_.entries,
                                           .completions = options_.completions,
                                           .newest = options_.newest,
                                           .bound = true,
                                           .min_wait = guest_ ? options_.min_wait.zero() : options_.min_wait,
                                           .busy_poll = options_.busy_poll}));
    } catch (const std::system_error& e) {
      const int error = e.code().value();
      // Epoll needs descriptors, too.
      if (options_.fallback == fallback::forbid || error == EMFILE || error == ENFILE) refuse_setup(e);
      reason = setup_advice(e);
    }
  try {
    use_ring(ring(std::make_unique<epoll_kernel>(options_.entries, options_.completions)), std::move(reason));
  } catch (const std::system_error& e) {
    refuse_setup(e);
  }
}

ASIO_URING_DECL void io_uring_service::use_ring(ring&& r, std::string unavailable)
{
  signal_completions(r);
  if (const ring* const before = ring_.load(std::memory_order_relaxed)) {
    counters_.enters.add(before->enters());
    counters_.waits.add(before->waits());
    counters_.overflows.add(before->overflows());
  }
  ring& now = rings_.emplace_back(std::move(r));
  links_expected_.store(false, std::memory_order_relaxed);
  // Of files, the places stay as they are; of buffers, the numbers.
  if (!files_.move_to(now))
    for (const auto& d : descriptors_)
      d->forget_registration();
  buffers_.move_to(now);
  owner_.store(0, std::memory_order_relaxed);
  bound_.store(now.bound(), std::memory_order_relaxed);
  auto& features = now.kernels() ? kernel_features_ : stand_in_features_;
  if (!features) features = now.features();
  features_.store(&*features, std::memory_order_release);
  stand_in_.store(now.kernels() ? nullptr : &now, std::memory_order_release);
  ring_.store(&now, std::memory_order_release);
  look_for_former();
  available_.store(unavailable.empty(), std::memory_order_relaxed);
  submitter_.use(now);
  submitter_.with_ring([&](ring&) { unavailable_.swap(unavailable); });
}

/// A guest's reactor waits for an eventfd, which is never read: each signal is an edge. One for all its
/// rings, for what a ring that was given up still completes.
ASIO_URING_DECL void io_uring_service::signal_completions(ring& r)
{
  if (!guest_ || !r.bound() || !r.kernels()) return;
  if (!event_fd_) event_fd_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int fd = event_fd_.get();
  const int result =
      fd < 0 ? -errno : io_uring_register(static_cast<unsigned>(r.fd()), IORING_REGISTER_EVENTFD, &fd, 1);
  if (result < 0) throw std::system_error(-result, std::system_category(), "eventfd");
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
    set_up_ring();
    hang_up_doorbell();
    pump_ = &asio::make_service<ring_pump>(context, *this, submitter_); // under its base's key
  } else {
    guest_ = std::make_unique<guest_pump>(context, *this, locking_);
    pump_ = guest_.get();
    set_up_ring();
    set_idle(true);
  }
  scheduler_ = &asio::use_service<scheduler>(context);
  native_ = !has_own_thread(*scheduler_);
  pump_->restart();
  // No stock service may ever do so. A thread pool's threads turn the ring from here on, and may sleep in it:
  // not before the wake-up poll is there.
  scheduler_->init_task();
}

// A loop that is on its way to sleep may have counted already what it is going to submit.
ASIO_URING_DECL void io_uring_service::keep_links_whole()
{
  get_ring().keep_whole();
  for (unsigned times = 0; entering_.load(std::memory_order_seq_cst); pause(times++))
    if (interrupt()) wake();
  links_expected_.store(true, std::memory_order_release);
}

ASIO_URING_DECL bool io_uring_service::is_with_kernel(const descriptor* d) noexcept
{
  return d && d->has_submitted();
}

ASIO_URING_DECL bool io_uring_service::submit_now() noexcept
{
  const bool all = reach_kernel();
  // What found no room on the ring needs the loop: it may be asleep.
  if (submitter_.has_backlog()) wake_if_idle();
  return all;
}

// The kernel may refuse for a moment (EAGAIN: no memory) or take only some. The loop may be asleep, and the
// file descriptor of an entry is about to be closed: hardly anything may be left. EBUSY, before 5.19, is for
// the collector to end, which may be this very thread.
ASIO_URING_DECL bool io_uring_service::submit_all() noexcept
{
  // Most often the kernel only had more to do than it does in one go, or another thread has published
  // meanwhile.
  constexpr unsigned at_once = 16, patience = 1000;
  const auto done = [this] {
    const ring& r = get_ring();
    return !r.unsubmitted() && !(r.bound() && r.wants_enter());
  };
  for (unsigned times = 0; !done();) {
    ring& r = get_ring();
    const int result = r.submit();
    if (result > 0 || done()) continue;
    if (result < 0 && !is_momentary(result))
      failed(r, -result);
    else if (++times < at_once)
      continue;
    else if (times == patience)
      break;
    std::this_thread::yield();
  }
  return !get_ring().unsubmitted();
}

/// An enter was refused, and not just for a moment. Who turns a ring that others enter, too, may be let in
/// where they are not.
ASIO_URING_DECL void io_uring_service::failed(ring& r, int error) noexcept
{
  const bool held =
      bound_.load(std::memory_order_relaxed) || owner_.load(std::memory_order_relaxed) == thread_name();
  if (!held && !ring_lock_.try_acquire()) {
    wake_if_idle();
    return std::this_thread::yield();
  }
  if (&r == &get_ring()) replace_ring(error);
  if (!held) ring_lock_.release();
}

ASIO_URING_DECL descriptor& io_uring_service::open_descriptor(int fd, const descriptor_kind& kind)
{
  descriptor* d;
  {
    locked guard(descriptors_lock_);
    open_descriptors_.fetch_add(1, std::memory_order_relaxed);
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
  open_descriptors_.fetch_sub(1, std::memory_order_relaxed);
  d.next_free_ = free_descriptors_;
  free_descriptors_ = &d;
}

ASIO_URING_DECL void io_uring_service::collect_now() noexcept
{
  submit_now();
  if (bound_.load(std::memory_order_relaxed)) return; // whoever submitted has collected, too
  const auto enter = [this] {
    ring& r = get_ring();
    const int result = r.submit();
    if (result < 0 && !is_momentary(result)) failed(r, -result);
  };
  completion_queue found;
  enter();
  collect(found);
  while (submitter_.refill(found)) {
    enter();
    collect(found);
  }
  while (completion* op = found.front()) {
    found.pop();
    post(*op);
  }
  submit_now(); // what a completion has submitted itself
}

ASIO_URING_DECL void io_uring_service::collect(completion_queue& out) noexcept
{
  const auto completed = [&](const io_uring_cqe& cqe) {
    submitter_.submitted(); // acquires what the submitting thread wrote
    if (!(cqe.flags & IORING_CQE_F_MORE)) ++retired_;
    // What the kernel would have begun, or tried again, on a ring that is given up ends with EFAULT.
    const int result = resting_ && cqe.res == -EFAULT ? -ECANCELED : result_of_call(cqe.res);
    if (cqe.user_data != submitter::cancel_mark)
      reinterpret_cast<request*>(static_cast<std::uintptr_t>(cqe.user_data))
          ->completed(result, cqe.flags, out);
  };
  // Where no thread owns the ring, a synchronous function may collect beside the loop.
  const bool locks = !bound_.load(std::memory_order_relaxed);
  if (locks) collecting_.acquire();
  const unsigned found = get_ring().consume_completions(completed);
  counters_.completions.add(found);
  counters_.largest_batch.raise_to(found);
  if (rings_.size() > 1) [[unlikely]]
    collect_former(completed);
  if (locks) collecting_.release();
}

/// What rings that were given up still bring.
template <typename F>
void io_uring_service::collect_former(F&& completed) noexcept
{
  const bool before = std::exchange(resting_, true);
  for (auto r = rings_.begin(); r != rings_.end();) {
    const bool former = &*r != &get_ring() && r->can_retire();
    if (former)
      r->consume_completions([&](const io_uring_cqe& cqe) {
        if (!is_disowned(*r, cqe)) completed(cqe);
      });
    r = former && r->left() == 0 ? rings_.erase(r) : std::next(r);
  }
  resting_ = before;
  look_for_former();
}

inline bool io_uring_service::is_disowned(const ring& former, const io_uring_cqe& completion) noexcept
{
  const auto found = std::find_if(disowned_.begin(), disowned_.end(), [&](const disowned& d) {
    return d.former == &former && d.user_data == completion.user_data;
  });
  if (found == disowned_.end()) return false;
  if (!(completion.flags & IORING_CQE_F_MORE)) disowned_.erase(found);
  return true;
}

ASIO_URING_DECL void io_uring_service::look_for_former() noexcept
{
  const auto is_waited_for = [this](const ring& r) {
    const auto of_it = [&r](const disowned& d) { return d.former == &r; };
    return &r != &get_ring() && r.can_retire() &&
           r.left() > std::count_if(disowned_.begin(), disowned_.end(), of_it);
  };
  former_.store(std::any_of(rings_.begin(), rings_.end(), is_waited_for), std::memory_order_relaxed);
}

inline void io_uring_service::follow_costs() noexcept
{
  if (begun_.load(std::memory_order_relaxed) - epoch_begun_ >= controller_.epoch()) [[unlikely]]
    end_epoch();
}

void io_uring_service::end_epoch() noexcept
{
  const std::uint64_t begun = begun_.load(std::memory_order_relaxed);
  if (controlled_ && available_.load(std::memory_order_relaxed)) {
    // Handlers may run in other threads than the one that turns the ring.
    const bool elsewhere = kept() || (!bound_.load(std::memory_order_relaxed) && !one_thread());
    const auto cpu = options_.processor_time ? options_.processor_time()
                     : elsewhere             ? runners_.processor_time()
                                             : runner_threads::time_of_this();
    const auto now = options_.processor_time ? *cpu : std::chrono::steady_clock::now().time_since_epoch();
    const std::uint64_t clock = cpu ? thread_name() * 2 + elsewhere : 0;
    if (cpu && epoch_clock_ == clock)
      controller_.ended(static_cast<unsigned>(begun - epoch_begun_), *cpu - epoch_cpu_, now);
    else
      controller_.discard();
    epoch_clock_ = clock;
    epoch_cpu_ = cpu.value_or(epoch_cpu_);
    controller_.serves(open_descriptors_.load(std::memory_order_relaxed));
    use(controller_.now());
    const strategy other = controller_.used() == strategy::submitted ? strategy::calls : strategy::submitted;
    other_path_costs_.store(static_cast<unsigned>(controller_.ratio(other) * 1000),
                            std::memory_order_relaxed);
  }
  epoch_begun_ = begun;
}

ASIO_URING_DECL void io_uring_service::use(strategy s) noexcept
{
  if (strategy_.exchange(s, std::memory_order_relaxed) == s) return;
  counters_.switches.count();
  choose_paths();
}

inline void io_uring_service::choose_paths() noexcept
{
  for (unsigned p = 0; p != std::size(readiness_); ++p)
    readiness_[p].store(path_for(preference(p)) == path::readiness, std::memory_order_relaxed);
}

ASIO_URING_DECL bool io_uring_service::turn(std::chrono::nanoseconds timeout, completion_queue& out) noexcept
{
  ready_.move_to(out);
  if (!bound_.load(std::memory_order_relaxed)) {
    // Others enter beside it, but do not replace it. A keeper goes on with what has replaced its ring.
    const bool locks = own_process();
    if (locks && !lock_ring()) return false;
    owner_.store(thread_name(), std::memory_order_relaxed);
    turn_ring(timeout, out);
    owner_.store(0, std::memory_order_relaxed);
    if (locks) ring_lock_.release();
    return true;
  }
  if (!own_process()) [[unlikely]] { // the parent's ring is not ours to enter
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(timeout, std::chrono::milliseconds(1)));
    return true;
  }
  if (kept() || !lock_ring()) return false;
  const ring* const before = &get_ring();
  const bool mine = own_ring(true);
  // A ring that has just been taken over: the pump arms its polls first.
  if (mine) turn_ring(before == &get_ring() ? timeout : std::chrono::nanoseconds(0), out);
  // Who has been seen meanwhile must not have to wait for the end of the handlers that follow.
  if (mine && shared_.load(std::memory_order_relaxed)) own_ring(true);
  ready_.move_to(out);
  if (!kept()) leave_ring();
  return mine;
}

ASIO_URING_DECL void io_uring_service::turn_ring(std::chrono::nanoseconds timeout,
                                                 completion_queue& out) noexcept
{
  ring& r = get_ring();
  if (doorbell_) doorbell_->listen();
  follow_costs();
  ready_.move_to(out);
  int result = 0;
  // A bound ring's completions come about when it is entered.
  const unsigned found = r.completions_present() + (r.bound() && r.wants_enter() ? 1 : 0);
  if (timeout.count() > 0 && out.empty() && !found && !submitter_.has_backlog()) {
    timeout = sleep_at_most(timeout);
    const bool waits = !spinner_.wanted() || !spin(r, timeout);
    // Whoever posts, submits, interrupts or asks from here on sees the loop idle and wakes it, or is seen
    // here.
    entering_.store(true, std::memory_order_relaxed);
    idle_.store(true, std::memory_order_seq_cst);
    if (waits && ready_.empty() && !submitter_.has_backlog() && !must_not_sleep())
      result = r.submit_and_wait(timeout);
    else if (r.unsubmitted() || r.wants_enter())
      result = r.submit();
    idle_.store(false, std::memory_order_relaxed);
    entering_.store(false, std::memory_order_relaxed);
  } else {
    if (r.unsubmitted() || r.wants_enter()) result = r.submit();
  }
  if (!kept()) interrupted_.store(false, std::memory_order_relaxed);
  if (!r.unsubmitted() && !submitter_.has_backlog()) {
    strangers_.store(false, std::memory_order_relaxed);
    numbers_.submitted();
    effects_.store(false, std::memory_order_relaxed);
  }
  if (result < 0 && !is_momentary(result)) [[unlikely]]
    failed(r, -result);
  collect(out);
  // Requests that begin anew each time they end do not hold up the loop: the next turn goes on.
  constexpr unsigned most = 16;
  for (unsigned times = 0; times < most && submitter_.refill(out); ++times) {
    get_ring().submit();
    collect(out);
  }
  ready_.move_to(out);
}

/// Looks for completions, and for whatever would wake a thread that sleeps. False: there are none, and what
/// is left of the time may be slept.
bool io_uring_service::spin(ring& r, std::chrono::nanoseconds& timeout) noexcept
{
  if (r.unsubmitted() && r.submit() < 0) return true;
  std::chrono::nanoseconds spent{0};
  const bool found = spinner_.spin(
      timeout,
      [&] {
        return r.has_completions() || r.wants_enter() || r.unsubmitted() || !ready_.empty() ||
               submitter_.has_backlog() || must_not_sleep();
      },
      spent);
  epoch_cpu_ += spent; // is not the operations'
  if (timeout != std::chrono::nanoseconds::max()) timeout -= std::min(timeout, spent);
  return found || timeout.count() == 0;
}

ASIO_URING_DECL io_uring_service::runner io_uring_service::last_runner() const noexcept
{
  const pid_t last = runner_.load(std::memory_order_relaxed);
  if (!last) return runner::unknown;
  if (last == this_thread()) return runner::gone;
  return lives(last) ? runner::alive : runner::gone;
}

ASIO_URING_DECL bool io_uring_service::lives(pid_t thread) noexcept
{
  return thread == this_thread() || ::syscall(SYS_tgkill, ::getpid(), thread, 0) == 0;
}

ASIO_URING_DECL void io_uring_service::shutdown()
{
  life_.reset();
  const bool ours = own_process();
  if (kept()) ours ? stop_keeper() : keeper_.detach(); // a forked child has no such thread
  // Where Asio runs the context in a thread of its own, that may be in the ring.
  if (ours && has_own_thread(*scheduler_)) scheduler_->shutdown();
  stopped_ = true;
  for (auto& r : readiness_)
    r = false;
  completion_queue given_up;
  pump_->withdraw();
  if (doorbell_) doorbell_->withdraw();
  if (doubts_.armed()) submitter_.cancel(doubts_);
  for (const auto& d : descriptors_)
    d->abandon(given_up);
  if (ours) {
    end_requests(given_up);
    // From here on the kernel knows none of our memory.
    assert(!in_kernel() && !get_ring().unsubmitted());
  } else
    submitter_.forget_all();
  ready_.move_to(given_up);
  while (completion* op = given_up.front()) {
    given_up.pop();
    op->destroy();
    ready_.move_to(given_up);
  }
}

// The kernel may write into buffers until the last terminal completion: wait for it, however long.
ASIO_URING_DECL void io_uring_service::end_requests(completion_queue& given_up) noexcept
{
  const std::uint64_t owner = owner_.load(std::memory_order_relaxed);
  if (bound_.load(std::memory_order_relaxed) && owner != thread_name()) {
    // No other thread may enter. What has never reached the kernel is given up by cancelling it.
    submitter_.hold(submitter::holding::everything);
    submitter_.refill(given_up);
    rest(true);
    return submitter_.forget_all();
  }
  while (in_flight()) {
    ring& r = get_ring();
    // What would end the wait may itself wait for room.
    const int result = submitter_.has_backlog()
                           ? r.submit()
                           : r.submit_and_wait(sleep_at_most(std::chrono::nanoseconds::max()));
    if (result < 0 && !is_momentary(result)) {
      rest(true);
      if (in_kernel()) end_in_flight(given_up);
      submitter_.refill(given_up); // what has never reached it
      return submitter_.forget_all();
    }
    collect(given_up);
    while (submitter_.refill(given_up)) {
    }
  }
}

// Before a fork, what is in flight comes to rest, in this process; what was not performed is submitted
// afterwards by both, as Asio's reactor does it with what waits. A child gets a ring of its own.
ASIO_URING_DECL void io_uring_service::notify_fork(asio::execution_context::fork_event event)
{
  switch (event) {
  case asio::execution_context::fork_prepare:
    before_fork_ = true;
    if ((kept_before_fork_ = kept())) {
      stop_keeper();
    } else {
      register_with_ring([this](ring&) noexcept { return rest(true), 0; });
      for (unsigned times = 0; bound_.load(std::memory_order_relaxed) && !ring_lock_.try_acquire();)
        pause(times++);
    }
    before_fork_ = false;
    rested_ = true;
    return;
  case asio::execution_context::fork_parent:
    go_on(rested_.exchange(false), false);
    return;
  case asio::execution_context::fork_child:
    process_ = process::id();
    submitter_.renew();
    this_thread_ = 0;
    runner_.store(0, std::memory_order_relaxed);
    moved_ = false;
    if (kept()) keeper_.detach();
    kept_ = kept_before_fork_ = false;
    if (doorbell_) doorbell_->renew();
    go_on(rested_.exchange(false), true);
    return;
  }
}

/// After a fork. Without fork_prepare nobody knows what was performed: it is submitted again.
ASIO_URING_DECL void io_uring_service::go_on(bool rested, bool in_child)
{
  if (!rested) {
    pump_->stop_watching();
    completion_queue found;
    resting_ = true;
    submitter_.hold(submitter::holding::everything);
    end_in_flight(found);
    resting_ = false;
    ready_.push_all(found);
  }
  if (in_child) event_fd_.reset(); // the parent's ring signals it
  const bool locked = rested && bound_.load(std::memory_order_relaxed);
  set_up_ring();
  if (kept_before_fork_ && start_keeper()) return; // which keeps the lock
  pump_->restart();
  if (locked || in_child) ring_lock_.release();
}

} // namespace detail

ASIO_URING_DECL const char* name(pump_kind k) noexcept
{
  return k == pump_kind::ring ? "ring" : k == pump_kind::guest ? "guest" : "automatic";
}

ASIO_URING_DECL const char* name(path p) noexcept
{
  return p == path::completion ? "completion" : p == path::readiness ? "readiness" : "automatic";
}

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
