// asio_uring/ring/opcodes.hpp: the table of opcodes, and names for those that an old liburing lacks.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_OPCODES_HPP
#define ASIO_URING_RING_OPCODES_HPP

#include <asio_uring/ring/linux_version.hpp>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace asio_uring {
namespace detail {

/// How the fallback performs an opcode.
enum class performed : unsigned char
{
  never,         ///< refused with EINVAL, as by an older kernel
  at_once,       ///< the call does not block
  when_readable, ///< tried at once, and again when the descriptor is readable
  when_writable,
  by_a_thread, ///< the call blocks
  by_itself    ///< a wait, or the cancellation of one
};

/// Further properties of an opcode, as bits.
enum opcode_traits : unsigned char
{
  of_files = 1,          ///< on a file, which epoll cannot watch, a thread performs it
  for_a_disk = 2,        ///< waits for a disk at most
  interruptible = 4,     ///< waits for another thread or process; a call of it in a thread can be interrupted
  without_descriptor = 8 ///< `fd` of its entry is something else
};

struct opcode_row
{
  const char* name; ///< the kernel's name without IORING_OP_
  linux_version since;
  performed how = performed::never;
  unsigned char traits = 0;
};

/// The opcodes in the order of their numbers. test/lint.sh compares the table with doc/opcodes.md.
inline constexpr opcode_row opcode_table[] = {
    // clang-format off
    {"NOP", {5, 1}, performed::at_once, for_a_disk},
    {"READV", {5, 1}, performed::when_readable, of_files},
    {"WRITEV", {5, 1}, performed::when_writable, of_files},
    {"FSYNC", {5, 1}, performed::by_a_thread, for_a_disk},
    {"READ_FIXED", {5, 1}},
    {"WRITE_FIXED", {5, 1}},
    {"POLL_ADD", {5, 1}, performed::by_itself},
    {"POLL_REMOVE", {5, 1}, performed::by_itself},
    {"SYNC_FILE_RANGE", {5, 2}, performed::by_a_thread, for_a_disk},
    {"SENDMSG", {5, 3}, performed::when_writable},
    {"RECVMSG", {5, 3}, performed::when_readable},
    {"TIMEOUT", {5, 4}, performed::by_itself},
    {"TIMEOUT_REMOVE", {5, 5}, performed::by_itself},
    {"ACCEPT", {5, 5}, performed::when_readable},
    {"ASYNC_CANCEL", {5, 5}, performed::by_itself},
    {"LINK_TIMEOUT", {5, 5}},
    {"CONNECT", {5, 5}, performed::when_writable},
    {"FALLOCATE", {5, 6}, performed::by_a_thread, for_a_disk},
    {"OPENAT", {5, 6}, performed::by_a_thread},
    {"CLOSE", {5, 6}, performed::at_once, of_files | for_a_disk},
    {"FILES_UPDATE", {5, 6}},
    {"STATX", {5, 6}, performed::by_a_thread, for_a_disk},
    {"READ", {5, 6}, performed::when_readable, of_files},
    {"WRITE", {5, 6}, performed::when_writable, of_files},
    {"FADVISE", {5, 6}, performed::by_a_thread, for_a_disk},
    {"MADVISE", {5, 6}, performed::by_a_thread, for_a_disk},
    {"SEND", {5, 6}, performed::when_writable},
    {"RECV", {5, 6}, performed::when_readable},
    {"OPENAT2", {5, 6}, performed::by_a_thread},
    {"EPOLL_CTL", {5, 6}},
    {"SPLICE", {5, 7}, performed::by_a_thread},
    {"PROVIDE_BUFFERS", {5, 7}},
    {"REMOVE_BUFFERS", {5, 7}},
    {"TEE", {5, 8}, performed::by_a_thread},
    {"SHUTDOWN", {5, 11}, performed::at_once},
    {"RENAMEAT", {5, 11}, performed::by_a_thread, for_a_disk},
    {"UNLINKAT", {5, 11}, performed::by_a_thread, for_a_disk},
    {"MKDIRAT", {5, 15}, performed::by_a_thread, for_a_disk},
    {"SYMLINKAT", {5, 15}, performed::by_a_thread, for_a_disk},
    {"LINKAT", {5, 15}, performed::by_a_thread, for_a_disk},
    {"MSG_RING", {5, 18}},
    {"FSETXATTR", {5, 19}, performed::by_a_thread, for_a_disk},
    {"SETXATTR", {5, 19}, performed::by_a_thread, for_a_disk},
    {"FGETXATTR", {5, 19}, performed::by_a_thread, for_a_disk},
    {"GETXATTR", {5, 19}, performed::by_a_thread, for_a_disk},
    {"SOCKET", {5, 19}, performed::at_once, without_descriptor},
    {"URING_CMD", {5, 19}},
    {"SEND_ZC", {6, 0}},
    {"SENDMSG_ZC", {6, 1}},
    {"READ_MULTISHOT", {6, 7}},
    {"WAITID", {6, 7}, performed::never, without_descriptor},
    {"FUTEX_WAIT", {6, 7}, performed::by_a_thread, interruptible | without_descriptor},
    {"FUTEX_WAKE", {6, 7}, performed::never, without_descriptor},
    {"FUTEX_WAITV", {6, 7}, performed::never, without_descriptor},
    {"FIXED_FD_INSTALL", {6, 8}},
    {"FTRUNCATE", {6, 9}, performed::by_a_thread, for_a_disk},
    {"BIND", {6, 11}, performed::at_once},
    {"LISTEN", {6, 11}, performed::at_once},
    {"RECV_ZC", {6, 15}},
    {"EPOLL_WAIT", {6, 15}},
    {"READV_FIXED", {6, 15}},
    {"WRITEV_FIXED", {6, 15}},
    {"PIPE", {6, 16}},
    // clang-format on
};

/// The row of an opcode, or null for one beyond the table.
inline constexpr const opcode_row* row_of(std::size_t opcode) noexcept
{
  return opcode < std::size(opcode_table) ? &opcode_table[opcode] : nullptr;
}

consteval std::uint8_t number_of(std::string_view name)
{
  std::uint8_t number = 0;
  while (opcode_table[number].name != name)
    ++number;
  return number;
}

} // namespace detail

/// Values of io_uring_sqe::opcode that liburing 2.3 does not define.
namespace opcode {

inline constexpr std::uint8_t read_multishot = detail::number_of("READ_MULTISHOT");
inline constexpr std::uint8_t waitid = detail::number_of("WAITID");
inline constexpr std::uint8_t futex_wait = detail::number_of("FUTEX_WAIT");
inline constexpr std::uint8_t futex_wake = detail::number_of("FUTEX_WAKE");
inline constexpr std::uint8_t futex_waitv = detail::number_of("FUTEX_WAITV");
inline constexpr std::uint8_t fixed_fd_install = detail::number_of("FIXED_FD_INSTALL");
inline constexpr std::uint8_t ftruncate = detail::number_of("FTRUNCATE");
inline constexpr std::uint8_t bind = detail::number_of("BIND");
inline constexpr std::uint8_t listen = detail::number_of("LISTEN");
inline constexpr std::uint8_t recv_zc = detail::number_of("RECV_ZC");
inline constexpr std::uint8_t epoll_wait = detail::number_of("EPOLL_WAIT");
inline constexpr std::uint8_t readv_fixed = detail::number_of("READV_FIXED");
inline constexpr std::uint8_t writev_fixed = detail::number_of("WRITEV_FIXED");
inline constexpr std::uint8_t pipe = detail::number_of("PIPE");

} // namespace opcode
} // namespace asio_uring

#endif // ASIO_URING_RING_OPCODES_HPP
