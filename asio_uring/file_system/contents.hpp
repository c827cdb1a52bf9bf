// asio_uring/file_system/contents.hpp: an open file's contents as a whole: synchronising, allocating,
// truncating, advising.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_FILE_SYSTEM_CONTENTS_HPP
#define ASIO_URING_FILE_SYSTEM_CONTENTS_HPP

#include <asio_uring/detail/object/submit.hpp>
#include <asio_uring/detail/op/results.hpp>
#include ASIO_URING_ASIO(buffer.hpp)
#include <cstdint>
#include <limits>
#include <sys/mman.h>

// All functions here
//
// - are performed by the kernel's own threads or, if the kernel lacks the opcode, by a thread of the
//   context's, and do not block the caller; they are not ordered after writes in flight: start them when
//   those have completed;
// - end with the file's cancel() and close(), and with a cancellation signal (terminal, partial, total), as
//   long as the kernel has not begun;
// - complete with `void(error_code)`: the errors of the system call they are named after, bad_descriptor if
//   the file is not open;
// - have the thread safety of the file's other functions.

// Entries are filled here if versions of liburing differ in the types of their function's parameters.

namespace asio_uring {
namespace detail {

/// One of a file's operations that completes with an error code: `prepare(sqe, fd)`.
template <typename Executor, typename Prepare, typename Token>
auto submit_on(asio::basic_file<Executor>& file, Prepare prepare, const char* name, Token&& token)
{
  struct nothing
  {};
  return submit_on<void(error_code)>(
      file, nothing(),
      [prepare = std::move(prepare), fd = file.native_handle()](io_uring_sqe& sqe) { prepare(sqe, fd); },
      finish_with_nothing(), name, std::forward<Token>(token));
}

// Whether a length fits into the 32 bits that it has in old kernels' entries; newer kernels read a longer one
// from another field.
inline constexpr bool is_short(std::uint64_t length) noexcept
{
  return length <= std::numeric_limits<std::uint32_t>::max();
}

} // namespace detail

/// Writes data and metadata to the device: fsync(2). Since Linux 5.11.
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_fsync(asio::basic_file<Executor>& file, Token&& token = {})
{
  return detail::submit_on(
      file, [](io_uring_sqe& sqe, int fd) { io_uring_prep_fsync(&sqe, fd, 0); }, "async_fsync",
      std::forward<Token>(token));
}

/// Writes data to the device, and the metadata that is needed to read it: fdatasync(2). Since Linux 5.11.
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_fdatasync(asio::basic_file<Executor>& file, Token&& token = {})
{
  return detail::submit_on(
      file, [](io_uring_sqe& sqe, int fd) { io_uring_prep_fsync(&sqe, fd, IORING_FSYNC_DATASYNC); },
      "async_fdatasync", std::forward<Token>(token));
}

/// Starts or awaits the writing of a range: sync_file_range(2). Does not make data durable. Since Linux 5.11.
/**
 * @param file Open.
 * @param offset, length In bytes; length 0: to the end of the file. At most 4 GiB - 1: invalid_argument.
 * @param flags SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER.
 * @param token Completion signature `void(error_code)`.
 */
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_sync_file_range(asio::basic_file<Executor>& file, std::uint64_t offset, std::uint64_t length,
                           unsigned flags, Token&& token = {})
{
  return detail::submit_on(
      file,
      [=](io_uring_sqe& sqe, int fd) {
        // The kernel refuses an unknown flag with EINVAL.
        const int known = detail::is_short(length) ? static_cast<int>(flags) : -1;
        io_uring_prep_sync_file_range(&sqe, fd, static_cast<unsigned>(length), offset, known);
      },
      "async_sync_file_range", std::forward<Token>(token));
}

/// Allocates or frees space: fallocate(2). Since Linux 5.11.
/**
 * @param file Open.
 * @param mode FALLOC_FL_KEEP_SIZE and others, or 0.
 * @param offset, length In bytes.
 * @param token Completion signature `void(error_code)`.
 */
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_fallocate(asio::basic_file<Executor>& file, int mode, std::uint64_t offset, std::uint64_t length,
                     Token&& token = {})
{
  return detail::submit_on(
      file,
      [=](io_uring_sqe& sqe, int fd) {
        sqe.opcode = IORING_OP_FALLOCATE;
        sqe.fd = fd;
        sqe.off = offset;
        sqe.addr = length;
        sqe.len = static_cast<unsigned>(mode);
      },
      "async_fallocate", std::forward<Token>(token));
}

/// Sets the size, in bytes; an added part reads as zeroes: ftruncate(2). Since Linux 5.11; by the ring since
/// 6.9.
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_ftruncate(asio::basic_file<Executor>& file, std::uint64_t size, Token&& token = {})
{
  return detail::submit_on(
      file,
      [size](io_uring_sqe& sqe, int fd) {
        sqe.opcode = opcode::ftruncate;
        sqe.fd = fd;
        sqe.off = size;
      },
      "async_ftruncate", std::forward<Token>(token));
}

/// Tells the kernel how a range will be used: posix_fadvise(2). Since Linux 5.11.
/**
 * @param file Open.
 * @param offset, length In bytes; length 0: to the end of the file. A length of 4 GiB or more is
 * invalid_argument before Linux 6.10.
 * @param advice POSIX_FADV_WILLNEED and others.
 * @param token Completion signature `void(error_code)`.
 */
template <typename Executor,
          asio::completion_token_for<void(error_code)> Token = asio::default_completion_token_t<Executor>>
auto async_fadvise(asio::basic_file<Executor>& file, std::uint64_t offset, std::uint64_t length, int advice,
                   Token&& token = {})
{
  return detail::submit_on(
      file,
      [=](io_uring_sqe& sqe, int fd) {
        sqe.opcode = IORING_OP_FADVISE;
        sqe.fd = fd;
        sqe.off = offset;
        if (detail::is_short(length))
          sqe.len = static_cast<unsigned>(length);
        else
          sqe.addr = length;
        sqe.fadvise_advice = static_cast<unsigned>(advice);
      },
      "async_fadvise", std::forward<Token>(token));
}

/// Tells the kernel how memory will be used: madvise(2). Since Linux 5.11.
/**
 * @param object An execution context, an executor, or an I/O object, which gives its executor.
 * @param memory Begins at a page, and must stay mapped. 4 GiB or more: since Linux 6.10.
 * @param advice MADV_WILLNEED and others.
 * @param token Completion signature `void(error_code)`.
 */
template <detail::submits Object, asio::completion_token_for<void(error_code)> Token =
                                      asio::default_completion_token_t<detail::executor_of_t<Object>>>
auto async_madvise(Object&& object, asio::mutable_buffer memory, int advice, Token&& token = {})
{
  struct nothing
  {};
  return detail::submit<void(error_code)>(
      object, nothing(),
      [=](io_uring_sqe& sqe) {
        sqe.opcode = IORING_OP_MADVISE;
        sqe.fd = -1;
        sqe.addr = reinterpret_cast<std::uintptr_t>(memory.data());
        if (detail::is_short(memory.size()))
          sqe.len = static_cast<unsigned>(memory.size());
        else
          sqe.off = memory.size();
        sqe.fadvise_advice = static_cast<unsigned>(advice);
      },
      detail::finish_with_nothing(), "async_madvise", std::forward<Token>(token));
}

} // namespace asio_uring

#endif // ASIO_URING_FILE_SYSTEM_CONTENTS_HPP
