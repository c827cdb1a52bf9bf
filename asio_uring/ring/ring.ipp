// asio_uring/ring/ring.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_RING_IPP
#define ASIO_URING_RING_RING_IPP

#include <algorithm>
#include <asio_uring/ring/ring.hpp>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace asio_uring {

namespace detail {

/// Sets the address of memory that the program provides: the last eight bytes of sq_off and cq_off, which
/// older headers call reserved.
template <typename Offsets>
void set_user_address(Offsets& offsets, const void* address) noexcept
{
  const auto value = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(address));
  std::memcpy(reinterpret_cast<char*>(&offsets) + sizeof(offsets) - sizeof(value), &value, sizeof(value));
}

/// Has waits poll network devices. The local struct is io_uring_napi, which older headers lack (Linux 6.9).
inline bool register_busy_poll(int ring, std::uint32_t microseconds) noexcept
{
  struct
  {
    std::uint32_t timeout;
    std::uint8_t prefer, pad[3];
    std::uint64_t reserved;
  } napi{microseconds, 0, {}, 0};
  static_assert(sizeof(napi) == 16);
  return io_uring_register(static_cast<unsigned>(ring), ASIO_URING_REGISTER_NAPI, &napi, 1) >= 0;
}

/// Sets min_wait_usec, which is padding in older headers (Linux 6.12).
inline void set_min_wait(io_uring_getevents_arg& argument, std::uint32_t microseconds) noexcept
{
  constexpr std::size_t offset = offsetof(io_uring_getevents_arg, sigmask_sz) + sizeof(argument.sigmask_sz);
  std::memcpy(reinterpret_cast<char*>(&argument) + offset, &microseconds, sizeof(microseconds));
}

} // namespace detail

ASIO_URING_DECL int ring::set_up(const ring_parameters& parameters, std::uint32_t flags) noexcept
{
  io_uring_params params{};
  params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = std::max(parameters.completions, parameters.entries * 2);
  if (flags & IORING_SETUP_NO_MMAP) {
    // First the entries, then the completions and a page for heads, tails and flags. The memory is shared: a
    // fork makes one side's private pages copies, and the kernel would go on writing to the other's.
    const std::size_t sq = std::bit_ceil(std::size_t{parameters.entries}) * sizeof(io_uring_sqe);
    const std::size_t cq = std::bit_ceil(std::size_t{params.cq_entries}) * sizeof(io_uring_cqe);
    constexpr std::size_t page = 4096;
    const std::size_t first = (sq + page - 1) / page * page;
    memory_size_ = first + (cq + 2 * page - 1) / page * page;
    void* const memory = ::mmap(nullptr, memory_size_, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    memory_ = memory;
    detail::set_user_address(params.sq_off, memory_);
    detail::set_user_address(params.cq_off, static_cast<char*>(memory_) + first);
  }
  int result = io_uring_setup(parameters.entries, &params);
  if (result >= 0) {
    fd_ = result;
    result = map(params);
  }
  if (result < 0) {
    unmap();
    return result;
  }
  features_.setup_flags = params.flags;
  features_.kernel = params.features;
  return 0;
}

ASIO_URING_DECL int ring::map(const io_uring_params& params) noexcept
{
  char* rings;
  if (memory_) {
    queues_.entries = static_cast<io_uring_sqe*>(memory_);
    const std::size_t sq = params.sq_entries * sizeof(io_uring_sqe);
    rings = static_cast<char*>(memory_) + (sq + 4095) / 4096 * 4096;
  } else {
    // IORING_FEAT_SINGLE_MMAP came with 5.4.
    mapped_size_[0] = std::max<std::size_t>(params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe),
                                            params.sq_off.array + params.sq_entries * sizeof(unsigned));
    mapped_size_[1] = params.sq_entries * sizeof(io_uring_sqe);
    constexpr off_t offsets[] = {static_cast<off_t>(IORING_OFF_SQ_RING), static_cast<off_t>(IORING_OFF_SQES)};
    for (int i = 0; i < 2; ++i) {
      void* const p = ::mmap(nullptr, mapped_size_[i], PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                             offsets[i]);
      if (p == MAP_FAILED) return -errno;
      mapped_[i] = p;
    }
    rings = static_cast<char*>(mapped_[0]);
    queues_.entries = static_cast<io_uring_sqe*>(mapped_[1]);
  }
  const auto word = [&](unsigned offset) noexcept { return reinterpret_cast<unsigned*>(rings + offset); };
  queues_.sq_head = word(params.sq_off.head);
  queues_.sq_tail = word(params.sq_off.tail);
  queues_.sq_flags = word(params.sq_off.flags);
  queues_.cq_head = word(params.cq_off.head);
  queues_.cq_tail = word(params.cq_off.tail);
  queues_.completions = reinterpret_cast<io_uring_cqe*>(rings + params.cq_off.cqes);
  queues_.sq_size = params.sq_entries;
  queues_.cq_size = params.cq_entries;
  // Entries are always taken in order, so the index array, where there is one, is written once.
  if (!(params.flags & IORING_SETUP_NO_SQARRAY))
    for (unsigned i = 0; i < params.sq_entries; ++i)
      word(params.sq_off.array)[i] = i;
  return 0;
}

ASIO_URING_DECL void ring::unmap() noexcept
{
  for (int i = 0; i < 2; ++i)
    if (mapped_[i]) ::munmap(std::exchange(mapped_[i], nullptr), mapped_size_[i]);
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (memory_) ::munmap(std::exchange(memory_, nullptr), memory_size_);
}

ASIO_URING_DECL ring::ring(const ring_parameters& parameters)
{
  // A kernel that lacks one of the flags answers EINVAL, and ENOMEM if it cannot use the program's memory for
  // the queues: try the next tier. COOP_TASKRUN saves an interrupt per completion.
  constexpr std::uint32_t own_memory = IORING_SETUP_NO_MMAP | IORING_SETUP_NO_SQARRAY;
  constexpr std::uint32_t cooperative =
      IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  constexpr std::uint32_t one_thread = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG |
                                       IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                       IORING_SETUP_R_DISABLED;
  struct tier
  {
    std::uint32_t flags;
    linux_version since;
  };
  static constexpr tier tiers[] = {{one_thread | own_memory, {6, 6}},
                                   {cooperative | own_memory, {6, 6}},
                                   {cooperative, {5, 19}},
                                   {IORING_SETUP_SUBMIT_ALL, {5, 18}},
                                   {0, {0, 0}}};
  int result = -EINVAL;
  for (const tier& t : tiers) {
    if (t.since > parameters.newest || (!parameters.bound && t.flags & IORING_SETUP_DEFER_TASKRUN)) continue;
    result = set_up(parameters, t.flags);
    if (result != -EINVAL && !(result == -ENOMEM && t.flags & IORING_SETUP_NO_MMAP)) break;
  }
  // CQSIZE came with 5.5, CLAMP with 5.6.
  if (result == -EINVAL && parameters.entries > 0)
    throw std::system_error(ENOSYS, std::system_category(),
                            "io_uring_setup: the kernel is older than Linux 5.6");
  if (result < 0) throw std::system_error(-result, std::system_category(), "io_uring_setup");

  const auto refuse = [&](int error, const std::string& why) {
    unmap();
    throw std::system_error(error, std::system_category(), why);
  };
  constexpr std::uint32_t baseline = IORING_FEAT_FAST_POLL | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
  if (!features_.has(baseline))
    refuse(ENOSYS, "io_uring_setup: the kernel lacks " + feature_names(baseline & ~features_.kernel));
  // A system call filter may allow setup but forbid enter. A ring that is not bound yet answers EBADFD.
  if (const int entered = io_uring_enter(static_cast<unsigned>(fd_), 0, 0, 0, nullptr);
      entered < 0 && entered != -EBADFD)
    refuse(-entered, "io_uring_enter");

  if (features_.has(IORING_FEAT_NO_IOWAIT)) enter_flags_ |= IORING_ENTER_NO_IOWAIT;
  probe();
  features_.limit(parameters.newest);
  if (features_.has(IORING_FEAT_MIN_TIMEOUT))
    min_wait_ = static_cast<std::uint32_t>(parameters.min_wait.count());
  busy_polls_ = parameters.busy_poll.count() > 0 && parameters.newest >= linux_version{6, 9} &&
                detail::register_busy_poll(fd_, static_cast<std::uint32_t>(parameters.busy_poll.count()));
}

ASIO_URING_DECL ring::ring(std::unique_ptr<emulated_kernel> emulation) noexcept
    : queues_(emulation->queues()), features_(emulation->features()), emulation_(std::move(emulation))
{}

ASIO_URING_DECL void ring::swap(ring& other) noexcept
{
  std::swap(fd_, other.fd_);
  std::swap(queues_, other.queues_);
  std::swap(tail_, other.tail_);
  std::swap(ended_, other.ended_);
  std::swap(enter_flags_, other.enter_flags_);
  std::swap(min_wait_, other.min_wait_);
  std::swap(busy_polls_, other.busy_polls_);
  std::swap(enters_, other.enters_);
  std::swap(waits_, other.waits_);
  std::swap(overflows_, other.overflows_);
  other.whole_ = whole_.exchange(other.whole_);
  std::swap(memory_, other.memory_);
  std::swap(memory_size_, other.memory_size_);
  std::swap(mapped_, other.mapped_);
  std::swap(mapped_size_, other.mapped_size_);
  std::swap(features_, other.features_);
  std::swap(emulation_, other.emulation_);
}

ASIO_URING_DECL ring::~ring() { unmap(); }

ASIO_URING_DECL void ring::probe() noexcept
{
  // struct io_uring_probe ends in an array of entries.
  alignas(io_uring_probe) char memory[sizeof(io_uring_probe) + 256 * sizeof(io_uring_probe_op)]{};
  auto* const probe = reinterpret_cast<io_uring_probe*>(memory);
  if (io_uring_register(static_cast<unsigned>(fd_), IORING_REGISTER_PROBE, probe, 256) < 0) return;
  for (unsigned op = 0; op <= probe->last_op && op < features_.opcodes.size(); ++op)
    features_.opcodes[op] = io_uring_opcode_supported(probe, static_cast<int>(op));
}

ASIO_URING_DECL int ring::bind() noexcept
{
  if (emulation_) return emulation_->bind();
  return io_uring_register(static_cast<unsigned>(fd_), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

ASIO_URING_DECL void ring::retire() noexcept
{
  if (emulation_) emulation_->retire();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

ASIO_URING_DECL void ring::release() noexcept
{
  static unsigned nothing[5];
  queues_ = {nothing, nothing + 1, nothing + 2, nothing + 3, nothing + 4, nullptr, nullptr, 0, 0};
  tail_ = ended_ = 0;
  unmap();
}

ASIO_URING_DECL int ring::enter(unsigned submit, unsigned wait, unsigned flags,
                                const __kernel_timespec* timeout) noexcept
{
  count_enter(wait != 0);
  flags |= enter_flags_;
  io_uring_getevents_arg argument{};
  const bool gathers = wait != 0 && min_wait_ != 0;
  const bool extended = timeout || gathers;
  if (extended) {
    flags |= IORING_ENTER_EXT_ARG;
    argument.sigmask_sz = _NSIG / 8;
    argument.ts = reinterpret_cast<std::uintptr_t>(timeout);
  }
  if (gathers) {
    constexpr unsigned enough = 128;
    wait = std::min(enough, completions());
    // The kernel ignores a timeout shorter than the minimum wait, so shorten that.
    const std::int64_t limit = timeout && timeout->tv_sec == 0 ? timeout->tv_nsec / 1000 : min_wait_;
    detail::set_min_wait(argument, static_cast<std::uint32_t>(std::min<std::int64_t>(min_wait_, limit)));
  }
  return io_uring_enter2(static_cast<unsigned>(fd_), submit, wait, flags,
                         extended ? reinterpret_cast<sigset_t*>(&argument) : nullptr,
                         extended ? sizeof(argument) : _NSIG / 8);
}

ASIO_URING_DECL int ring::submit() noexcept
{
  if (emulation_) {
    count_enter(false);
    return emulation_->enter(0, nullptr);
  }
  if (bound()) {
    const unsigned published = unsubmitted();
    return published || wants_enter() ? enter(published, 0, IORING_ENTER_GETEVENTS, nullptr) : 0;
  }
  // Ask for as many entries as the queue holds: other threads may publish more. A kernel that finds fewer
  // than asked for skips its deferred work, so that takes an enter of its own.
  int taken = 0;
  if (unsubmitted()) taken = enter(entries(), 0, 0, nullptr);
  if (wants_enter()) enter(0, 0, IORING_ENTER_GETEVENTS, nullptr);
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
  if (emulation_) {
    count_enter(true);
    return emulation_->enter(1, at_most);
  }
  unsigned published = unsubmitted();
  if (published && !bound() && !detail::one_thread() && whole_.load(std::memory_order_seq_cst)) {
    // Another thread may publish entries after the count was read, and this enter would split them: submit
    // all first.
    if (const int taken = submit(); taken < 0) return taken;
    published = 0;
  }
  return enter(published, 1, IORING_ENTER_GETEVENTS, at_most);
}

} // namespace asio_uring

#endif // ASIO_URING_RING_RING_IPP
