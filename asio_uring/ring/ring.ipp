// asio_uring/ring/ring.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_RING_IPP
#define ASIO_URING_RING_RING_IPP

#include <algorithm>
#include <asio_uring/ring/ring.hpp>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>

namespace asio_uring {

ASIO_URING_DECL int ring::set_up(const ring_parameters& parameters, std::uint32_t flags) noexcept
{
  io_uring_params params{};
  params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = std::max(parameters.completions, parameters.entries * 2);
  const int result = io_uring_queue_init_params(parameters.entries, &ring_, &params);
  if (result == 0) {
    features_.setup_flags = params.flags;
    features_.kernel = params.features;
  }
  return result;
}

ASIO_URING_DECL ring::ring(const ring_parameters& parameters)
{
  // Each set of flags implies the kernel of the one before it: a kernel without the newest refuses with
  // EINVAL. COOP_TASKRUN spares an interrupt per completion and costs per request what DEFER_TASKRUN costs,
  // but leaves the ring free to move between threads.
  struct tier
  {
    std::uint32_t flags;
    linux_version since;
  };
  static constexpr tier tiers[] = {
      {IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, {5, 19}},
      {IORING_SETUP_SUBMIT_ALL, {5, 18}},
      {0, {0, 0}}};
  int result = -EINVAL;
  for (const tier& t : tiers) {
    if (t.since > parameters.newest) continue;
    result = set_up(parameters, t.flags);
    if (result != -EINVAL) break;
  }
  // CQSIZE came with 5.5, CLAMP with 5.6.
  if (result == -EINVAL && parameters.entries > 0)
    throw std::system_error(ENOSYS, std::system_category(),
                            "io_uring_setup: the kernel is older than Linux 5.6");
  if (result < 0) throw std::system_error(-result, std::system_category(), "io_uring_setup");

  constexpr std::uint32_t baseline = IORING_FEAT_FAST_POLL | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
  if (!features_.has(baseline)) {
    io_uring_queue_exit(&ring_);
    throw std::system_error(ENOSYS, std::system_category(),
                            "io_uring_setup: the kernel lacks " +
                                feature_names(baseline & ~features_.kernel));
  }

  // Entries are always taken in order, so the indirection array is written once.
  for (unsigned i = 0; i < ring_.sq.ring_entries; ++i)
    ring_.sq.array[i] = i;
  tail_ = *ring_.sq.ktail;
  probe();
  features_.limit(parameters.newest);
}

ASIO_URING_DECL ring::ring(std::unique_ptr<emulated_kernel> emulation) noexcept
    : features_(emulation->features()), emulation_(std::move(emulation))
{
  emulation_->lay_out(ring_);
}

ASIO_URING_DECL ring::~ring()
{
  if (emulation_) return;
#if defined(__SANITIZE_THREAD__)
  // liburing's close is a system call that ThreadSanitizer does not see. It would take the next file of this
  // number, opened by the kernel for a ring, for the same one; so the number is given back where it sees it.
  if (const int duplicate = ::fcntl(ring_.ring_fd, F_DUPFD_CLOEXEC, 0); duplicate >= 0) {
    ::close(ring_.ring_fd);
    ring_.ring_fd = ring_.enter_ring_fd = duplicate;
  }
#endif
  io_uring_queue_exit(&ring_);
}

ASIO_URING_DECL void ring::probe() noexcept
{
  if (io_uring_probe* probe = io_uring_get_probe_ring(&ring_)) {
    for (unsigned op = 0; op <= probe->last_op && op < features_.opcodes.size(); ++op)
      features_.opcodes[op] = io_uring_opcode_supported(probe, static_cast<int>(op));
    io_uring_free_probe(probe);
  }
}

ASIO_URING_DECL int ring::enter(unsigned submit, unsigned wait, const __kernel_timespec* timeout) noexcept
{
  unsigned flags = IORING_ENTER_GETEVENTS;
  io_uring_getevents_arg argument{};
  if (timeout) {
    flags |= IORING_ENTER_EXT_ARG;
    argument.sigmask_sz = _NSIG / 8;
    argument.ts = reinterpret_cast<std::uintptr_t>(timeout);
  }
  return io_uring_enter2(static_cast<unsigned>(ring_.ring_fd), submit, wait, flags,
                         timeout ? reinterpret_cast<sigset_t*>(&argument) : nullptr,
                         timeout ? sizeof(argument) : _NSIG / 8);
}

ASIO_URING_DECL int ring::submit() noexcept
{
  if (emulation_) return emulation_->enter(0, nullptr);
  // Not as many as there are now, but all that the kernel finds. Where it finds fewer than it was promised,
  // it does not go on to its deferred work.
  int taken = 0;
  if (unsubmitted()) taken = io_uring_enter(static_cast<unsigned>(fd()), entries(), 0, 0, nullptr);
  if (wants_enter()) enter(0, 0, nullptr);
  return taken;
}

ASIO_URING_DECL int ring::submit_and_wait(std::chrono::nanoseconds timeout) noexcept
{
  const __kernel_timespec* at_most = nullptr;
  __kernel_timespec limit;
  if (timeout != std::chrono::nanoseconds::max()) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    limit = {seconds.count(), (timeout - seconds).count()};
    at_most = &limit;
  }
  if (emulation_) return emulation_->enter(1, at_most);
  unsigned published = unsubmitted();
  if (published && !detail::one_thread() && whole_.load(std::memory_order_seq_cst)) {
    // The number may be out of date when the kernel reads it.
    if (const int taken = submit(); taken < 0) return taken;
    published = 0;
  }
  return enter(published, 1, at_most);
}

} // namespace asio_uring

#endif // ASIO_URING_RING_RING_IPP
