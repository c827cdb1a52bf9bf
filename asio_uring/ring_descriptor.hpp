// asio_uring/ring_descriptor.hpp: a context's ring, for io_uring_register(2).
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_DESCRIPTOR_HPP
#define ASIO_URING_RING_DESCRIPTOR_HPP

#include <asio_uring/detail/engine/use_ring_service.hpp>

namespace asio_uring {

/// The file descriptor of a context's ring, which is set up if it is not there yet: to register buffers and
/// files, and for messages from other rings.
/**
 * The ring stays the service's: submit through async_submit only, and do not close it. A message to it must
 * not carry user data of one's own, for the service takes that for its own. It changes in a forked child, and
 * when another thread begins to run the context.
 * Thread safety: as use_service.
 */
inline int ring_descriptor(asio::execution_context& context)
{
  return detail::use_ring_service(context).with_ring([](ring& r) { return r.fd(); });
}

} // namespace asio_uring

#endif // ASIO_URING_RING_DESCRIPTOR_HPP
