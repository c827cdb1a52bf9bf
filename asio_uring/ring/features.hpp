// asio_uring/ring/features.hpp: what the running kernel's io_uring can do, by probing, never by its version.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FEATURES_HPP
#define ASIO_URING_RING_FEATURES_HPP

#include <asio_uring/ring/config.hpp>
#include <asio_uring/ring/linux_version.hpp>
#include <asio_uring/ring/uapi.hpp>
#include <bitset>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace asio_uring {

/// What one ring can do. Plain data; obtained from ring::features().
struct features
{
  std::uint32_t setup_flags = 0; ///< IORING_SETUP_* in force
  std::uint32_t kernel = 0;      ///< IORING_FEAT_* reported at setup
  std::bitset<256> opcodes;      ///< IORING_OP_* the kernel performs

  /// Whether a set-up flag is in force.
  bool setup(std::uint32_t flag) const noexcept { return (setup_flags & flag) == flag; }
  /// Whether the kernel reported a feature.
  bool has(std::uint32_t feature) const noexcept { return (kernel & feature) == feature; }
  /// Whether the kernel performs an opcode.
  bool opcode(unsigned op) const noexcept { return op < opcodes.size() && opcodes[op]; }

  /// Removes everything that came after that version.
  ASIO_URING_DECL void limit(linux_version newest) noexcept;

  /// Multishot poll came with 5.13, as did IORING_FEAT_RSRC_TAGS.
  bool multishot_poll() const noexcept { return has(IORING_FEAT_RSRC_TAGS); }
  /// Zero-copy sends that report whether they copied came with 6.0 to 6.2. They are used only on rings that
  /// can be retired before the notification arrives: since 6.6.
  bool zero_copy() const noexcept
  {
    return opcode(IORING_OP_SEND_ZC) && opcode(IORING_OP_SENDMSG_ZC) && setup(IORING_SETUP_NO_MMAP);
  }
  /// IORING_ASYNC_CANCEL_ANY and multishot accept came with 5.19, as did IORING_SETUP_TASKRUN_FLAG.
  bool cancel_any() const noexcept { return setup(IORING_SETUP_TASKRUN_FLAG); }
  /// The same.
  bool multishot_accept() const noexcept { return cancel_any(); }
  /// Multishot receive came with 6.0, as did zero-copy sends.
  bool multishot_receive() const noexcept { return opcode(IORING_OP_SEND_ZC); }
};

/// The names of set-up flags, separated by spaces.
ASIO_URING_DECL std::string setup_flag_names(std::uint32_t flags);
/// The names of the kernel's features, separated by spaces.
ASIO_URING_DECL std::string feature_names(std::uint32_t bits);
/// The kernel's name of an opcode, or an empty string if this library does not know it.
ASIO_URING_DECL const char* opcode_name(unsigned opcode) noexcept;

} // namespace asio_uring

#if defined(ASIO_URING_HEADER_ONLY)
#include <asio_uring/ring/features.ipp>
#endif

#endif // ASIO_URING_RING_FEATURES_HPP
