// asio_uring/file_system/open.hpp: opens and closes files without blocking.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_FILE_SYSTEM_OPEN_HPP
#define ASIO_URING_FILE_SYSTEM_OPEN_HPP

#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/detail/op/results.hpp>
#include <filesystem>

namespace asio_uring {
namespace detail {

/// Gives an opened descriptor to a file object.
template <typename Executor>
struct finish_with_file
{
  static constexpr bool resubmits = true;

  template <typename Payload>
  std::tuple<error_code> arguments(int result, Payload&) const
  {
    unique_descriptor opened(result);
    error_code ec = error_of(result);
    if (ec) return {ec};
    auto& impl = impl_of(*file);
    if (!impl.get_service().adopt(impl.get_implementation(), opened.get(), ec)) opened.release();
    return {ec};
  }
  // Closes the descriptor: the file object may have been destroyed.
  static void discard(int result) { unique_descriptor opened(result); }

  asio::basic_file<Executor>* file;
};

} // namespace detail

/// Opens a file object, as its open() does, without blocking.
/**
 * @param file Must not be open, and must neither be moved nor destroyed until the handler is called.
 * @param path Copied; relative to the working directory.
 * @param flags Those of the file's constructor. As there, a new file has mode 0777 less the umask.
 * @param token Completion signature `void(error_code)`.
 * Cancellation: terminal, partial, total; a file that was opened nevertheless is closed or delivered.
 * Errors: open(2)'s; already_open. Thread safety: as the file's functions. Since Linux 5.11.
 */
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_open(asio::basic_file<Executor>& file, std::filesystem::path path, asio::file_base::flags flags,
                Token&& token = {})
{
  return detail::submit<void(error_code)>(
      file, std::move(path),
      [flags](io_uring_sqe& sqe, std::filesystem::path& p) {
        io_uring_prep_openat(&sqe, AT_FDCWD, p.c_str(), static_cast<int>(flags), 0777);
      },
      detail::finish_with_file<Executor>{&file}, "async_open", std::forward<Token>(token));
}

/// Opens a file.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param path Copied; relative to the working directory.
 * @param flags O_RDONLY and others of open(2); asio::file_base's are the same.
 * @param permissions A new file's, less the umask.
 * @param token Completion signature `void(error_code, unique_descriptor)`. Cancellation: terminal, partial,
 * total; a descriptor that is not delivered is closed. Errors: open(2)'s. If the other end of a FIFO is not
 * open, the kernel's ring may not wait for it as open(2) does: opening for reading succeeds at once, for
 * writing it fails with no_such_device_or_address. Thread safety: may be called by any thread. Since Linux
 * 5.11.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code, unique_descriptor)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_open(Object&& object, std::filesystem::path path, int flags, std::filesystem::perms permissions,
                Token&& token = {})
{
  return detail::submit<void(error_code, unique_descriptor)>(
      object, std::move(path),
      [flags, permissions](io_uring_sqe& sqe, std::filesystem::path& p) {
        io_uring_prep_openat(&sqe, AT_FDCWD, p.c_str(), flags, static_cast<mode_t>(permissions));
      },
      detail::finish_with_descriptor(), "async_open", std::forward<Token>(token));
}

/// Closes a descriptor without blocking; on some file systems the last close of a written file takes long.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param descriptor The operation owns it.
 * @param token Completion signature `void(error_code)`. Whatever the error, the descriptor is closed.
 * Errors: close(2)'s; bad_descriptor. Thread safety: may be called by any thread. Since Linux 5.11.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_close(Object&& object, unique_descriptor descriptor, Token&& token = {})
{
  struct finish : detail::finish_with_nothing
  {
    static std::tuple<error_code> arguments(int result, unique_descriptor& closed)
    {
      if (result != -ECANCELED) closed.release(); // it is closed even where close(2) reports an error
      return detail::finish_with_nothing::arguments(result, closed);
    }
  };
  return detail::submit<void(error_code)>(
      object, std::move(descriptor),
      [](io_uring_sqe& sqe, unique_descriptor& d) { io_uring_prep_close(&sqe, d.get()); }, finish(),
      "async_close", std::forward<Token>(token));
}

/// Closes a file object. The object is closed, and its operations are cancelled, before the function returns.
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_close(asio::basic_file<Executor>& file, Token&& token = {})
{
  error_code ec;
  return async_close(file, unique_descriptor(file.release(ec)), std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_FILE_SYSTEM_OPEN_HPP
