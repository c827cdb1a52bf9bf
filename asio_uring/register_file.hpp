// asio_uring/register_file.hpp: a file that the ring knows by a number of its own.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_REGISTER_FILE_HPP
#define ASIO_URING_REGISTER_FILE_HPP

#include <asio_uring/detail/object/submit.hpp>

namespace asio_uring {

/// Registers an open file with its context's ring until it is closed: its reads, writes and syncs spare the
/// kernel the look-up of the descriptor. For files with many small operations.
/**
 * What is in flight stays as it is; to register twice changes nothing. Before Linux 6.4 the kernel lets go of
 * a registered file, and of its locks, up to a second after it was closed. A file in a forked child's context
 * is no longer registered, and works on. Where the fallback performs the operations there is nothing
 * to spare. Errors: bad_descriptor where the file is not open; ENFILE with 1024 registered files, or as many
 * as RLIMIT_NOFILE allows. Thread safety: as the file's functions. Since Linux 5.11.
 */
template <typename Executor>
error_code register_file(asio::basic_file<Executor>& file, error_code& ec)
{
  auto& impl = detail::impl_of(file);
  return ec = impl.get_service().register_with_ring(impl.get_implementation());
}

/// The same. @throws system_error
template <typename Executor>
void register_file(asio::basic_file<Executor>& file)
{
  error_code ec;
  register_file(file, ec);
  detail::throw_error(ec, ec == error_code(ENFILE, system_category())
                              ? "register_file: the context has 1024 registered files, or as many as "
                                "RLIMIT_NOFILE (ulimit -n) allows: close some first"
                              : "register_file");
}

} // namespace asio_uring

#endif // ASIO_URING_REGISTER_FILE_HPP
