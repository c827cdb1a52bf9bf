// asio_uring/register_file.hpp: registers an open file with the ring.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_REGISTER_FILE_HPP
#define ASIO_URING_REGISTER_FILE_HPP

#include <asio_uring/detail/object/submit.hpp>

namespace asio_uring {

/// Registers an open file with its context's ring until it is closed. This spares the kernel the look-up of
/// the descriptor in reads, writes and syncs, and pays for files with many small operations.
/**
 * Operations in flight are not affected; to register a file again has no effect. Before Linux 6.4 the kernel
 * releases a registered file, and its locks, up to a second after close(). In a forked child the file is not
 * registered, and works as before. The fallback registers nothing. Errors: bad_descriptor if the file is not
 * open; ENFILE if 1024 files are registered, or as many as RLIMIT_NOFILE allows. Thread safety: as the file's
 * functions. Since Linux 5.11.
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
