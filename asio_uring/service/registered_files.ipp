// asio_uring/service/registered_files.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_SERVICE_REGISTERED_FILES_IPP
#define ASIO_URING_SERVICE_REGISTERED_FILES_IPP

#include <algorithm>
#include <asio_uring/service/registered_files.hpp>
#include <cerrno>
#include <sys/resource.h>

namespace asio_uring::detail {

ASIO_URING_DECL int registered_files::set_up(ring& r)
{
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto size = static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, most));
  const std::vector<int> none(size, -1);
  if (const int result = io_uring_register(r.fd(), IORING_REGISTER_FILES, none.data(), size); result < 0)
    return result;
  for (int place = static_cast<int>(size); place-- > 0;)
    free_.push_back(place);
  set_up_ = true;
  return 0;
}

ASIO_URING_DECL int registered_files::add(ring& r, int fd)
{
  const std::lock_guard guard(mutex_);
  if (!set_up_)
    if (const int result = set_up(r); result < 0) return result;
  if (free_.empty()) return -ENFILE;
  const int place = free_.back();
  io_uring_files_update update{static_cast<unsigned>(place), 0, reinterpret_cast<std::uintptr_t>(&fd)};
  const int result = io_uring_register(r.fd(), IORING_REGISTER_FILES_UPDATE, &update, 1);
  if (result < 0) return result;
  free_.pop_back();
  return place;
}

ASIO_URING_DECL void registered_files::remove(ring& r, int place) noexcept
{
  const std::lock_guard guard(mutex_);
  const int none = -1;
  io_uring_files_update update{static_cast<unsigned>(place), 0, reinterpret_cast<std::uintptr_t>(&none)};
  // A place that cannot be emptied (no memory) is not used again.
  if (io_uring_register(r.fd(), IORING_REGISTER_FILES_UPDATE, &update, 1) >= 0) free_.push_back(place);
}

} // namespace asio_uring::detail

#endif // ASIO_URING_SERVICE_REGISTERED_FILES_IPP
