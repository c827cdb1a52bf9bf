// asio_uring/ring/opcodes.hpp: the opcodes that liburing's header may be too old to name.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_OPCODES_HPP
#define ASIO_URING_RING_OPCODES_HPP

#include <cstdint>

/// io_uring_sqe::opcode; the kernel's names and numbers.
namespace asio_uring::opcode {

inline constexpr std::uint8_t read_multishot = 49;   ///< 6.7
inline constexpr std::uint8_t waitid = 50;           ///< 6.7
inline constexpr std::uint8_t futex_wait = 51;       ///< 6.7
inline constexpr std::uint8_t futex_wake = 52;       ///< 6.7
inline constexpr std::uint8_t futex_waitv = 53;      ///< 6.7
inline constexpr std::uint8_t fixed_fd_install = 54; ///< 6.8
inline constexpr std::uint8_t ftruncate = 55;        ///< 6.9
inline constexpr std::uint8_t bind = 56;             ///< 6.11
inline constexpr std::uint8_t listen = 57;           ///< 6.11
inline constexpr std::uint8_t recv_zc = 58;          ///< 6.15
inline constexpr std::uint8_t epoll_wait = 59;       ///< 6.15
inline constexpr std::uint8_t readv_fixed = 60;      ///< 6.15
inline constexpr std::uint8_t writev_fixed = 61;     ///< 6.15
inline constexpr std::uint8_t pipe = 62;             ///< 6.16

} // namespace asio_uring::opcode

#endif // ASIO_URING_RING_OPCODES_HPP
