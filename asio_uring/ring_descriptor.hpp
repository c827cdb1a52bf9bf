// asio_uring/ring_descriptor.hpp: a context's ring, for io_uring_register(2).
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_DESCRIPTOR_HPP
#define ASIO_URING_RING_DESCRIPTOR_HPP

#include <asio_uring/detail/engine/use_ring_service.hpp>

namespace asio_uring {

/// Returns the file descriptor of a context's ring, which it sets up if there is none: for
/// io_uring_register(2), and for messages from other rings.
/**
 * The library owns the ring: do not close it, and submit through async_submit only. A message to it must not
 * carry user data of the program's, which the library would take for its own. The descriptor changes in a
 * forked child, and may change when another thread begins to run the context. Thread safety: as use_service.
 */
inline int ring_descriptor(asio::execution_context& context)
{
  return detail::use_ring_service(context).with_ring([](ring& r) { return r.fd(); });
}

} // namespace asio_uring

#endif // ASIO_URING_RING_DESCRIPTOR_HPP
