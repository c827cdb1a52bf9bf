// asio_uring/detail/engine/second_looks.hpp: a second look at sockets that fell silent after a short read.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_HPP
#define ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_HPP

#include <asio_uring/detail/engine/lock.hpp>
#include <asio_uring/detail/engine/request.hpp>

namespace asio_uring::detail {

class file_state;
class ring_service;

/// Looks once more at sockets that stay silent after a short read.
/// A read that returned less than was asked for has emptied the socket, and only the next edge of the
/// multishot poll announces more: that saves one recv in each exchange. There are exceptions: a read also
/// ends short at urgent data, or at descriptors passed through AF_UNIX, with more behind it whose edge has
/// come already. POLLPRI does not tell, for the kernel reports it with every edge. So a socket that stays
/// silent after a short read is looked at once more, 20 to 40 ms later. One kernel timer serves all sockets
/// of a context and is armed only while there is a doubt; a round costs by the sockets in doubt.
class doubts final : public request
{
public:
  doubts(ring_service& service, bool locking) noexcept
      : request(functions()), service_(service), lock_(locking)
  {}

  /// Adds a file that is not here, under its lock. If true, the caller must call notify() after releasing the
  /// lock.
  ASIO_URING_DECL bool raise(file_state& d) noexcept;

  bool armed() const noexcept { return armed_; }

private:
  ASIO_URING_DECL static const request::type& functions() noexcept;
  ASIO_URING_DECL void look(completion_queue& out) noexcept;

  ring_service& service_;
  lock lock_;
  bool armed_ = false;
  file_state* first_ = nullptr; // linked by file_state::next_in_doubt_
  static constexpr __kernel_timespec interval_{0, 20'000'000};
};

} // namespace asio_uring::detail

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/detail/engine/ring_service.hpp> // and then the functions
#endif

#endif // ASIO_URING_DETAIL_ENGINE_SECOND_LOOKS_HPP
