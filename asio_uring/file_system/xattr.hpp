// asio_uring/file_system/xattr.hpp: extended attributes.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_FILE_SYSTEM_XATTR_HPP
#define ASIO_URING_FILE_SYSTEM_XATTR_HPP

#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/detail/op/results.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <filesystem>
#include <string>

// All functions here
//
// - copy path and name ("user.comment"), and borrow the value until the handler is called;
// - are performed by the kernel's own threads or, before Linux 5.19, by a thread of the context's; they can
//   be cancelled (terminal, partial, total) as long as that thread has not begun; those on a file end with
//   its cancel() and close();
// - fail with the errors of the system call they are named after, among them ENODATA if there is no such
//   attribute and ERANGE if the buffer is too small, and with operation_not_supported if the file system has
//   no attributes.

namespace asio_uring {
namespace detail {

struct attribute
{
  std::filesystem::path path;
  std::string name;
};

} // namespace detail

/// Gets an attribute: getxattr(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param path, name Copied.
 * @param value Receives the value; an empty buffer only asks for the size.
 * @param token Completion signature `void(error_code, std::size_t)`: the value's size in bytes.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code, std::size_t)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_getxattr(Object&& object, std::filesystem::path path, std::string name, asio::mutable_buffer value,
                    Token&& token = {})
{
  return detail::submit<void(error_code, std::size_t)>(
      object, detail::attribute{std::move(path), std::move(name)},
      [value](io_uring_sqe& sqe, detail::attribute& a) {
        io_uring_prep_getxattr(&sqe, a.name.c_str(), static_cast<char*>(value.data()), a.path.c_str(),
                               static_cast<unsigned>(value.size()));
      },
      detail::finish_with_size(), "async_getxattr", std::forward<Token>(token));
}

/// Sets an attribute: setxattr(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param path, name Copied.
 * @param value Borrowed.
 * @param flags XATTR_CREATE, XATTR_REPLACE, or 0 for both.
 * @param token Completion signature `void(error_code)`.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_setxattr(Object&& object, std::filesystem::path path, std::string name, asio::const_buffer value,
                    int flags, Token&& token = {})
{
  return detail::submit<void(error_code)>(
      object, detail::attribute{std::move(path), std::move(name)},
      [=](io_uring_sqe& sqe, detail::attribute& a) {
        io_uring_prep_setxattr(&sqe, a.name.c_str(), static_cast<const char*>(value.data()), a.path.c_str(),
                               flags, static_cast<unsigned>(value.size()));
      },
      detail::finish_with_nothing(), "async_setxattr", std::forward<Token>(token));
}

/// Gets an attribute of an open file: fgetxattr(2). As async_getxattr.
template <typename Executor, asio::completion_token_for<void(error_code, std::size_t)> Token =
                                 asio::default_completion_token_t<Executor>>
auto async_fgetxattr(asio::basic_file<Executor>& file, std::string name, asio::mutable_buffer value,
                     Token&& token = {})
{
  return detail::submit_on<void(error_code, std::size_t)>(
      file, std::move(name),
      [value, fd = file.native_handle()](io_uring_sqe& sqe, std::string& n) {
        io_uring_prep_fgetxattr(&sqe, fd, n.c_str(), static_cast<char*>(value.data()),
                                static_cast<unsigned>(value.size()));
      },
      detail::finish_with_size(), "async_fgetxattr", std::forward<Token>(token));
}

/// Sets an attribute of an open file: fsetxattr(2). As async_setxattr.
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_fsetxattr(asio::basic_file<Executor>& file, std::string name, asio::const_buffer value, int flags,
                     Token&& token = {})
{
  return detail::submit_on<void(error_code)>(
      file, std::move(name),
      [=, fd = file.native_handle()](io_uring_sqe& sqe, std::string& n) {
        io_uring_prep_fsetxattr(&sqe, fd, n.c_str(), static_cast<const char*>(value.data()), flags,
                                static_cast<unsigned>(value.size()));
      },
      detail::finish_with_nothing(), "async_fsetxattr", std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_FILE_SYSTEM_XATTR_HPP
