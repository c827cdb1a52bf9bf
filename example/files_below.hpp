// files_below.hpp: common parts of the file servers: opening a file that must not be outside of the root, and
// answering a client when that fails.
#ifndef EXAMPLE_FILES_BELOW_HPP
#define EXAMPLE_FILES_BELOW_HPP

#include <boost/beast/http/status.hpp>
#include <boost/system/error_code.hpp>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>

/// Returns the arguments for openat2: the kernel refuses a path that leaves the directory, by "..", a
/// symbolic link or otherwise.
inline open_how how_to_open_below()
{
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK; // does not wait for the other end of a FIFO
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return how;
}

inline boost::beast::http::status status_for(const boost::system::error_code& ec)
{
  using boost::beast::http::status;
  switch (ec.value()) {
  case ENOENT:
  case ENOTDIR:
  case ENXIO: // a socket or a FIFO
  case ENAMETOOLONG:
    return status::not_found;
  case EXDEV: // outside of the root
  case ELOOP:
  case EPERM:
  case EACCES:
    return status::forbidden;
  case EMFILE:
  case ENFILE:
  case ENOMEM:
    return status::service_unavailable;
  default:
    return status::internal_server_error;
  }
}

#endif // EXAMPLE_FILES_BELOW_HPP
