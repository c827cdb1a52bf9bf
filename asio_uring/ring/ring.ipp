// asio_uring/ring/ring.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_RING_IPP
#define ASIO_URING_RING_RING_IPP

#include <algorithm>
#include <asio_uring/ring/ring.hpp>
#include <cerrno>
#include <cstdint>

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
  if (!emulation_) io_uring_queue_exit(&ring_);
}

ASIO_URING_DECL void ring::probe() noexcept
{
  if (io_uring_probe* probe = io_uring_get_probe_ring(&ring_)) {
    for (unsigned op = 0; op <= probe->last_op && op < features_.opcodes.size(); ++op)
      features_.opcodes[op] = io_uring_opcode_supported(probe, static_cast<int>(op));
    io_uring_free_probe(probe);
  }
}

ASIO_URING_DECL int ring::enter(unsigned wait, const __kernel_timespec* timeout) noexcept
{
  if (emulation_) return emulation_->enter(wait, timeout);
  unsigned flags = IORING_ENTER_GETEVENTS;
  io_uring_getevents_arg argument{};
  if (timeout) {
    flags |= IORING_ENTER_EXT_ARG;
    argument.sigmask_sz = _NSIG / 8;
    argument.ts = reinterpret_cast<std::uintptr_t>(timeout);
  }
  return io_uring_enter2(static_cast<unsigned>(ring_.ring_fd), unsubmitted(), wait, flags,
                         timeout ? reinterpret_cast<sigset_t*>(&argument) : nullptr,
                         timeout ? sizeof(argument) : _NSIG / 8);
}

ASIO_URING_DECL int ring::submit() noexcept { return enter(0, nullptr); }

ASIO_URING_DECL int ring::submit_and_wait(std::chrono::nanoseconds timeout) noexcept
{
  if (timeout == std::chrono::nanoseconds::max()) return enter(1, nullptr);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const __kernel_timespec limit{seconds.count(), (timeout - seconds).count()};
  return enter(1, &limit);
}

} // namespace asio_uring

#endif // ASIO_URING_RING_RING_IPP
