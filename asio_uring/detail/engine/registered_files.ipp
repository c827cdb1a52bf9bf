// asio_uring/detail/engine/registered_files.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_REGISTERED_FILES_IPP
#define ASIO_URING_DETAIL_ENGINE_REGISTERED_FILES_IPP

#include <algorithm>
#include <asio_uring/detail/engine/registered_files.hpp>
#include <cerrno>
#include <new>
#include <sys/resource.h>

namespace asio_uring::detail {

ASIO_URING_DECL int registered_files::set_up(ring& r)
{
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  std::vector<int> none(std::min<rlim_t>(limit.rlim_cur, most), -1);
  const int result = io_uring_register(static_cast<unsigned>(r.fd()), IORING_REGISTER_FILES, none.data(),
                                       static_cast<unsigned>(none.size()));
  if (result >= 0) table_ = std::move(none);
  return result;
}

ASIO_URING_DECL int registered_files::put(ring& r, std::size_t place, int fd) noexcept
{
  io_uring_files_update update{};
  update.offset = static_cast<unsigned>(place);
  update.fds = reinterpret_cast<std::uintptr_t>(&fd);
  return io_uring_register(static_cast<unsigned>(r.fd()), IORING_REGISTER_FILES_UPDATE, &update, 1);
}

ASIO_URING_DECL int registered_files::add(ring& r, int fd) noexcept
{
  const std::lock_guard guard(mutex_);
  try {
    if (const int result = table_.empty() ? set_up(r) : 0; result < 0) return result;
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  const auto place = std::find(table_.begin(), table_.end(), -1);
  if (place == table_.end()) return -ENFILE;
  const int result = put(r, static_cast<std::size_t>(place - table_.begin()), fd);
  if (result < 0) return result;
  *place = fd;
  return static_cast<int>(place - table_.begin());
}

ASIO_URING_DECL int registered_files::remove(ring& r, int place) noexcept
{
  const std::lock_guard guard(mutex_);
  if (table_.empty()) return 0;
  const auto index = static_cast<std::size_t>(place);
  const int result = put(r, index, -1);
  // A place that cannot be emptied (no memory) is not used again.
  if (result >= 0) table_[index] = -1;
  return result;
}

ASIO_URING_DECL bool registered_files::move_to(ring& r) noexcept
{
  const std::lock_guard guard(mutex_);
  if (table_.empty()) return true;
  if (r.features().opcode(IORING_OP_READ_FIXED) &&
      io_uring_register(static_cast<unsigned>(r.fd()), IORING_REGISTER_FILES, table_.data(),
                        static_cast<unsigned>(table_.size())) >= 0)
    return true;
  table_.clear();
  return false;
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_ENGINE_REGISTERED_FILES_IPP
