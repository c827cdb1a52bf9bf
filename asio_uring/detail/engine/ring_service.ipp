// asio_uring/detail/engine/ring_service.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_RING_SERVICE_IPP
#define ASIO_URING_DETAIL_ENGINE_RING_SERVICE_IPP

#include <algorithm>
#include <asio_uring/detail/asio/scheduler.hpp>
#include <asio_uring/detail/engine/call_cost.hpp>
#include <asio_uring/detail/engine/file_state.hpp>
#include <asio_uring/detail/engine/guest_pump.hpp>
#include <asio_uring/detail/engine/pause.hpp>
#include <asio_uring/detail/engine/ring_pump.hpp>
#include <asio_uring/detail/engine/ring_service.hpp>
#include <asio_uring/detail/engine/settings.hpp>
#include <asio_uring/ring/fallback_kernel.hpp>
#include <asio_uring/ring/result.hpp>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <string>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace asio_uring {
namespace detail {

ASIO_URING_DECL ring_service::ring_service(asio::execution_context& context, const options& o)
    : asio::execution_context::service(context),
      options_(checked(o)),
      locking_(!asio::has_service<scheduler>(context) || wants_locks(asio::use_service<scheduler>(context))),
      submitter_(locking_),
      file_states_lock_(locking_)
{
  // Checked before there is a ring, because a wrong value throws.
  const bool reports = chosen_word("ASIO_URING_REPORT", {"0", "1"}) == 2;
  make_pump();
  if (reports) report();
}

ASIO_URING_DECL std::string ring_service::path_reason() const
{
  return paths_.reason(available_.load(std::memory_order_relaxed));
}

ASIO_URING_DECL void ring_service::report() noexcept
try {
  const std::string why_not = unavailable();
  const std::string line =
      "asio_uring: " +
      (why_not.empty() ? std::string("io_uring: ") + pump_reason() : "no io_uring: " + why_not) + "; path " +
      name(paths_.path_for(preference::reading)) + " (" + path_reason() + ")\n";
  std::fputs(line.c_str(), stderr);
} catch (const std::bad_alloc&) {
}

/// Sets up and uses a ring: the kernel's, or an emulated one where there is none, or where the options ask
/// for it.
ASIO_URING_DECL void ring_service::set_up_ring()
{
  std::string reason = "the options or ASIO_URING_BACKEND ask for it";
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
      // The fallback needs descriptors, too.
      if (options_.fallback == fallback::forbid || error == EMFILE || error == ENFILE) refuse_setup(e);
      reason = setup_advice(e);
    }
  try {
    use_ring(ring(std::make_unique<fallback_kernel>(options_.entries, options_.completions)),
             std::move(reason));
  } catch (const std::system_error& e) {
    refuse_setup(e);
  }
}

ASIO_URING_DECL void ring_service::use_ring(ring&& r, std::string unavailable)
{
  signal_completions(r);
  if (const ring* const before = ring_.load(std::memory_order_relaxed)) {
    counters_.enters.add(before->enters());
    counters_.waits.add(before->waits());
    counters_.overflows.add(before->overflows());
  }
  ring& now = rings_.emplace_back(std::move(r));
  links_expected_.store(false, std::memory_order_relaxed);
  // Registered files keep their places, registered buffers their numbers.
  if (!files_.move_to(now))
    for (const auto& d : file_states_)
      d->forget_registration();
  buffers_.move_to(now);
  buffer_groups_.move_to(now);
  owner_.store(0, std::memory_order_relaxed);
  bound_.store(now.bound(), std::memory_order_relaxed);
  auto& features = now.kernels() ? kernel_features_ : emulated_features_;
  if (!features) features = now.features();
  features_.store(&*features, std::memory_order_release);
  emulated_.store(now.kernels() ? nullptr : &now, std::memory_order_release);
  ring_.store(&now, std::memory_order_release);
  look_for_former();
  available_.store(unavailable.empty(), std::memory_order_relaxed);
  submitter_.use(now);
  submitter_.with_ring([&](ring&) { unavailable_.swap(unavailable); });
}

/// Has a guest's bound ring signal its completions to the eventfd that the reactor watches. That is never
/// read: each signal is an edge. All rings of the guest signal the same one, because former rings still
/// complete.
ASIO_URING_DECL void ring_service::signal_completions(ring& r)
{
  if (!guest_ || !r.bound() || !r.kernels()) return;
  if (!event_fd_) event_fd_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int fd = event_fd_.get();
  const int result =
      fd < 0 ? -errno : io_uring_register(static_cast<unsigned>(r.fd()), IORING_REGISTER_EVENTFD, &fd, 1);
  if (result < 0) throw std::system_error(-result, std::system_category(), "eventfd");
}

/// Registers the ring's eventfd anew. If a write to another eventfd completes a poll, Linux (6.18, and some
/// before) signals the ring's eventfd only the first time. So a guest whose ring polls eventfds, or sets that
/// contain some, calls this before each turn.
void ring_service::signal_anew() noexcept
{
  ring& r = get_ring();
  if (!guest_ || !r.bound() || !r.kernels()) return;
  const auto ring = static_cast<unsigned>(r.fd());
  const int fd = event_fd_.get();
  io_uring_register(ring, IORING_UNREGISTER_EVENTFD, nullptr, 0);
  io_uring_register(ring, IORING_REGISTER_EVENTFD, &fd, 1);
}

ASIO_URING_DECL void ring_service::will_poll(int fd) noexcept
{
  if (!guest_ || polls_eventfds_.load(std::memory_order_relaxed)) return;
  struct stat s
  {};
  constexpr mode_t no_type = 0; // of eventfds, epoll sets and the like
  if (::fstat(fd, &s) == 0 && (s.st_mode & S_IFMT) == no_type)
    polls_eventfds_.store(true, std::memory_order_relaxed);
}

ASIO_URING_DECL ring_service::~ring_service()
{
  services_ended_.fetch_add(1, std::memory_order_release);
  completion_queue left; // posted by handlers that were destroyed; destroyed with this queue
  ready_.move_to(left);
}

/// Makes the pump. If the context has a reactor already, and no thread is in it, the ring takes its place.
ASIO_URING_DECL void ring_service::make_pump()
{
  asio::execution_context& context = this->context();
  const bool has_reactor = asio::has_service<epoll_reactor>(context);
  const bool wanted = options_.pump == pump_kind::ring ||
                      (options_.pump == pump_kind::automatic && asio::has_service<scheduler>(context));
  scheduler_ = &asio::use_service<scheduler>(context);
  native_ = !has_own_thread(*scheduler_);
  std::optional<idle_reactor> replaced;
  if (wanted && has_reactor) {
    scheduler_->init_task();
    replaced.emplace(*scheduler_);
  }
  const bool too_late = replaced && !*replaced;
  if (options_.pump == pump_kind::guest)
    pump_reason_ = "guest pump, as asked for";
  else if (!wanted)
    pump_reason_ = "guest pump: the context is not run by Asio's scheduler";
  else if (too_late)
    pump_reason_ = "guest pump: a thread ran the context before it had its ring; make "
                   "asio_uring::use_io_uring(context) the first statement after the context";
  if (too_late && options_.pump == pump_kind::ring)
    throw std::logic_error("asio_uring: pump_kind::ring: a thread runs the context already; make "
                           "asio_uring::use_io_uring(context) the first statement after the context");
  guest_ = !wanted || too_late;
  set_up_ring();
  paths_.begin(available_);
  if (guest_) {
    pump_ = std::make_unique<guest_pump>(context, *this, locking_);
    loop_.set_idle(true);
    pump_->restart();
  } else {
    hang_up_doorbell();
    auto made = has_reactor ? std::make_unique<ring_pump>(asio::use_service<epoll_reactor>(context), *this,
                                                          submitter_)
                            : std::make_unique<ring_pump>(context, *this, submitter_);
    ring_pump& task = *made;
    pump_ = std::move(made);
    if (replaced) replaced->replace(task);
  }
  // From replace() or init_task() on, which no stock service may ever call, threads of the program turn the
  // ring and may sleep in it: everything must be there before.
  scheduler_->init_task();
}

// A loop that is about to sleep may have counted already how many entries it will submit: wakes it.
ASIO_URING_DECL void ring_service::keep_links_whole()
{
  get_ring().keep_whole();
  for (unsigned times = 0; loop_.lies_down(); pause(times++))
    if (loop_.interrupt()) wake();
  links_expected_.store(true, std::memory_order_release);
}

ASIO_URING_DECL bool ring_service::is_with_kernel(file_state* d) noexcept { return d && d->has_submitted(); }

ASIO_URING_DECL file_state& ring_service::open_file_state(int fd, const file_kind& kind)
{
  file_state* d;
  {
    locked guard(file_states_lock_);
    if (free_file_states_)
      free_file_states_ = std::exchange((d = free_file_states_)->next_free_, nullptr);
    else {
      d = file_states_.emplace_back(std::make_unique<file_state>(*this, locking_)).get();
      records_.add_file();
    }
    open_file_states_.fetch_add(1, std::memory_order_relaxed);
  }
  d->open(fd, kind);
  return *d;
}

ASIO_URING_DECL void ring_service::recycle(file_state& d) noexcept
{
  locked guard(file_states_lock_);
  open_file_states_.fetch_sub(1, std::memory_order_relaxed);
  d.next_free_ = free_file_states_;
  free_file_states_ = &d;
}

ASIO_URING_DECL void ring_service::runs_here() noexcept
{
  const pid_t thread = thread_identity::number();
  if (runner_.load(std::memory_order_relaxed) == thread) return;
  runner_.store(thread, std::memory_order_relaxed);
  runners_.add(thread);
}

ASIO_URING_DECL void ring_service::wake() noexcept
{
  counters_.wake_ups.count();
  if (has_keeper())
    ring_doorbell();
  else
    pump_->wake();
}

ASIO_URING_DECL runner ring_service::last_runner() const noexcept
{
  const pid_t last = runner_.load(std::memory_order_relaxed);
  if (!last) return runner::unknown;
  if (last == thread_identity::number()) return runner::gone;
  return thread_identity::lives(last) ? runner::alive : runner::gone;
}

} // namespace detail

ASIO_URING_DECL void use_io_uring(asio::execution_context& context, const options& o)
{
  if (asio::has_service<detail::ring_service>(context))
    throw std::logic_error(
        "asio_uring: use_io_uring: the context has its ring already; call it before the context's "
        "first I/O object, once");
  asio::make_service<detail::ring_service>(context, o);
}

} // namespace asio_uring

#endif // ASIO_URING_DETAIL_ENGINE_RING_SERVICE_IPP
