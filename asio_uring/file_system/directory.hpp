// asio_uring/file_system/directory.hpp: operations by path: names, links, directories, status.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_FILE_SYSTEM_DIRECTORY_HPP
#define ASIO_URING_FILE_SYSTEM_DIRECTORY_HPP

#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/detail/op/results.hpp>
#include <filesystem>
#include <sys/stat.h>

// All functions here
//
// - take an execution context, an executor, or an I/O object, which gives its executor;
// - copy the paths, which are relative to the working directory;
// - are performed by the kernel's own threads or, if the kernel lacks the opcode, by a thread of the
//   context's, and do not block the caller;
// - can be cancelled (terminal, partial, total) as long as the kernel has not begun; an operation that was
//   performed nevertheless completes as such;
// - fail with the errors of the system call they are named after;
// - may be called by any thread.

namespace asio_uring {
namespace detail {

struct two_paths
{
  std::filesystem::path first, second;
};

} // namespace detail

/// Renames a file or directory: renameat2(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param from, to Copied.
 * @param flags RENAME_NOREPLACE, RENAME_EXCHANGE, or 0: an existing target is replaced.
 * @param token Completion signature `void(error_code)`. Since Linux 5.11.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token>
auto async_rename(Object&& object, std::filesystem::path from, std::filesystem::path to, unsigned flags,
                  Token&& token)
{
  return detail::submit<void(error_code)>(
      object, detail::two_paths{std::move(from), std::move(to)},
      [flags](io_uring_sqe& sqe, detail::two_paths& p) {
        io_uring_prep_renameat(&sqe, AT_FDCWD, p.first.c_str(), AT_FDCWD, p.second.c_str(), flags);
      },
      detail::finish_with_nothing(), "async_rename", std::forward<Token>(token));
}

/// Renames a file or directory; an existing target is replaced.
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_rename(Object&& object, std::filesystem::path from, std::filesystem::path to, Token&& token = {})
{
  return async_rename(object, std::move(from), std::move(to), 0U, std::forward<Token>(token));
}

/// Makes another name for a file: link(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param existing, name Copied.
 * @param token Completion signature `void(error_code)`. Since Linux 5.11; by the ring since 5.15.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_link(Object&& object, std::filesystem::path existing, std::filesystem::path name,
                Token&& token = {})
{
  return detail::submit<void(error_code)>(
      object, detail::two_paths{std::move(existing), std::move(name)},
      [](io_uring_sqe& sqe, detail::two_paths& p) {
        io_uring_prep_linkat(&sqe, AT_FDCWD, p.first.c_str(), AT_FDCWD, p.second.c_str(), 0);
      },
      detail::finish_with_nothing(), "async_link", std::forward<Token>(token));
}

/// Makes a symbolic link `name` to `target`: symlink(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param target, name Copied.
 * @param token Completion signature `void(error_code)`. Since Linux 5.11; by the ring since 5.15.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_symlink(Object&& object, std::filesystem::path target, std::filesystem::path name,
                   Token&& token = {})
{
  return detail::submit<void(error_code)>(
      object, detail::two_paths{std::move(target), std::move(name)},
      [](io_uring_sqe& sqe, detail::two_paths& p) {
        io_uring_prep_symlinkat(&sqe, p.first.c_str(), AT_FDCWD, p.second.c_str());
      },
      detail::finish_with_nothing(), "async_symlink", std::forward<Token>(token));
}

/// Removes a name of a file: unlink(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param path Copied.
 * @param token Completion signature `void(error_code)`. Since Linux 5.11.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_unlink(Object&& object, std::filesystem::path path, Token&& token = {})
{
  return detail::submit<void(error_code)>(
      object, std::move(path),
      [](io_uring_sqe& sqe, std::filesystem::path& p) {
        io_uring_prep_unlinkat(&sqe, AT_FDCWD, p.c_str(), 0);
      },
      detail::finish_with_nothing(), "async_unlink", std::forward<Token>(token));
}

/// Removes an empty directory: rmdir(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param path Copied.
 * @param token Completion signature `void(error_code)`. Since Linux 5.11.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_rmdir(Object&& object, std::filesystem::path path, Token&& token = {})
{
  return detail::submit<void(error_code)>(
      object, std::move(path),
      [](io_uring_sqe& sqe, std::filesystem::path& p) {
        io_uring_prep_unlinkat(&sqe, AT_FDCWD, p.c_str(), AT_REMOVEDIR);
      },
      detail::finish_with_nothing(), "async_rmdir", std::forward<Token>(token));
}

/// Makes a directory: mkdir(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param path Copied.
 * @param permissions The new directory's, less the umask.
 * @param token Completion signature `void(error_code)`. Since Linux 5.11; by the ring since 5.15.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_mkdir(Object&& object, std::filesystem::path path, std::filesystem::perms permissions,
                 Token&& token = {})
{
  return detail::submit<void(error_code)>(
      object, std::move(path),
      [permissions](io_uring_sqe& sqe, std::filesystem::path& p) {
        io_uring_prep_mkdirat(&sqe, AT_FDCWD, p.c_str(), static_cast<mode_t>(permissions));
      },
      detail::finish_with_nothing(), "async_mkdir", std::forward<Token>(token));
}

/// Options of async_statx.
struct statx_options
{
  int flags = 0;                     ///< AT_SYMLINK_NOFOLLOW and others of statx(2)
  unsigned mask = STATX_BASIC_STATS; ///< the fields wanted
};

namespace detail {

struct statx_payload
{
  std::filesystem::path path;
  struct ::statx status = {};
};

struct finish_with_statx
{
  static constexpr bool resubmits = true;
  static std::tuple<error_code, struct ::statx> arguments(int result, statx_payload& payload)
  {
    return {error_of(result), payload.status};
  }
};

} // namespace detail

/// Gets the status of a file: statx(2).
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param path Copied.
 * @param options The flags and the fields.
 * @param token Completion signature `void(error_code, struct statx)`. Since Linux 5.11.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code, struct ::statx)> Token>
auto async_statx(Object&& object, std::filesystem::path path, statx_options options, Token&& token)
{
  return detail::submit<void(error_code, struct ::statx)>(
      object, detail::statx_payload{std::move(path)},
      [options](io_uring_sqe& sqe, detail::statx_payload& p) {
        io_uring_prep_statx(&sqe, AT_FDCWD, p.path.c_str(), options.flags, options.mask, &p.status);
      },
      detail::finish_with_statx(), "async_statx", std::forward<Token>(token));
}

/// The same for the basic fields; it follows symbolic links.
template <detail::submits Object, asio::completion_token_for<void(error_code, struct ::statx)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_statx(Object&& object, std::filesystem::path path, Token&& token = {})
{
  return async_statx(object, std::move(path), statx_options(), std::forward<Token>(token));
}

/// Gets the status of an open file. The file's cancel() and close() end it.
template <typename Executor, asio::completion_token_for<void(error_code, struct ::statx)> Token =
                                 asio::default_completion_token_t<Executor>>
auto async_statx(asio::basic_file<Executor>& file, Token&& token = {})
{
  return detail::submit_on<void(error_code, struct ::statx)>(
      file, detail::statx_payload(),
      [fd = file.native_handle()](io_uring_sqe& sqe, detail::statx_payload& p) {
        io_uring_prep_statx(&sqe, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &p.status);
      },
      detail::finish_with_statx(), "async_statx", std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_FILE_SYSTEM_DIRECTORY_HPP
