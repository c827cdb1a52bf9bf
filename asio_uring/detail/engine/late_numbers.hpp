// asio_uring/detail/engine/late_numbers.hpp: descriptor numbers that the kernel may still look up.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_LATE_NUMBERS_HPP
#define ASIO_URING_DETAIL_ENGINE_LATE_NUMBERS_HPP

#include <asio_uring/ring/entry_kinds.hpp>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <liburing.h>
#include <mutex>
#include <new>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace asio_uring::detail {

/// Descriptor numbers in entries whose file the kernel looks up after their submission: linked entries when
/// they start, entries for a kernel thread and the source of a splice in that thread, and entries that the
/// kernel has not taken yet.
/**
 * If such a number were closed, the entry would find whatever file has it next. So an inert descriptor
 * occupies the number until the last entry that names it has ended.
 */
class late_numbers
{
public:
  late_numbers() = default;
  late_numbers(const late_numbers&) = delete;
  late_numbers& operator=(const late_numbers&) = delete;
  ~late_numbers()
  {
    for (const auto& [fd, n] : named_)
      if (n.occupied) ::close(fd);
    if (inert_ >= 0) ::close(inert_);
  }

  /// Notes an entry that may look up the number late. May throw std::bad_alloc.
  void add(int fd)
  {
    if (fd < 0) return;
    const std::lock_guard guard(mutex_);
    ++named_[fd].count;
    any_.store(true, std::memory_order_relaxed);
  }

  /// The same; returns false if there is no memory.
  bool try_add(int fd) noexcept
  {
    try {
      add(fd);
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  /// Notes, until submitted(), that entries which the kernel has not taken yet may name the number. Does
  /// nothing if there is no memory.
  void add_until_submitted(int fd) noexcept
  try {
    {
      const std::lock_guard guard(mutex_);
      unsubmitted_.reserve(unsubmitted_.size() + 1);
    }
    add(fd);
    const std::lock_guard guard(mutex_);
    unsubmitted_.push_back(fd);
    any_unsubmitted_.store(true, std::memory_order_relaxed);
  } catch (const std::bad_alloc&) {
  }

  /// Called when the kernel has taken all entries.
  void submitted() noexcept
  {
    if (!any_unsubmitted_.load(std::memory_order_relaxed)) return;
    std::vector<int> numbers;
    {
      const std::lock_guard guard(mutex_);
      numbers.swap(unsubmitted_);
      any_unsubmitted_.store(false, std::memory_order_relaxed);
    }
    for (const int fd : numbers)
      remove(fd);
  }

  /// Called when an entry that was added has ended.
  void remove(int fd) noexcept
  {
    if (fd < 0) return;
    const std::lock_guard guard(mutex_);
    const auto found = named_.find(fd);
    if (found == named_.end() || --found->second.count > 0) return;
    if (found->second.occupied) ::close(fd);
    named_.erase(found);
    any_.store(!named_.empty(), std::memory_order_relaxed);
  }

  /// Called when the number is about to be closed. Returns the number to close instead: a duplicate, if `fd`
  /// has to stay occupied.
  int number_to_close(int fd) noexcept
  {
    if (!any_.load(std::memory_order_relaxed)) return fd;
    const std::lock_guard guard(mutex_);
    const auto found = named_.find(fd);
    if (found == named_.end()) return fd;
    if (inert_ < 0) inert_ = ::open("/", O_PATH | O_CLOEXEC);
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    // If no number is left for the duplicate, dup3 closes the file here and now.
    if (inert_ < 0 || ::dup3(inert_, fd, O_CLOEXEC) < 0) {
      if (moved >= 0) ::close(moved);
      return fd;
    }
    found->second.occupied = true;
    return moved;
  }

private:
  struct named
  {
    unsigned count = 0;
    bool occupied = false;
  };

  std::atomic<bool> any_{false};
  std::mutex mutex_;
  std::unordered_map<int, named> named_;
  int inert_ = -1;
  std::vector<int> unsubmitted_;
  std::atomic<bool> any_unsubmitted_{false};
};

/// Calls f(fd) for each number that the entry, one of a chain or not, may look up late.
template <typename F>
void for_each_late_number(const io_uring_sqe& entry, bool linked, F&& f)
{
  const bool late = (linked || entry.flags & IOSQE_ASYNC) && !(entry.flags & IOSQE_FIXED_FILE);
  if (late && names_descriptor(entry)) f(entry.fd);
  if (has_two_ends(entry) && !(entry.splice_flags & SPLICE_F_FD_IN_FIXED)) f(entry.splice_fd_in);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_LATE_NUMBERS_HPP
