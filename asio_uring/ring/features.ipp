// asio_uring/ring/features.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FEATURES_IPP
#define ASIO_URING_RING_FEATURES_IPP

#include <asio_uring/ring/features.hpp>
#include <cstddef>

namespace asio_uring {
namespace detail {

// Names by bit position.
template <std::size_t N>
std::string names_of_bits(std::uint32_t bits, const char* const (&names)[N])
{
  std::string result;
  for (unsigned bit = 0; bit < 32; ++bit) {
    if (!(bits & (std::uint32_t{1} << bit))) continue;
    if (!result.empty()) result += ' ';
    result += bit < N ? std::string(names[bit]) : "bit" + std::to_string(bit);
  }
  return result;
}

} // namespace detail

ASIO_URING_DECL void features::limit(linux_version newest) noexcept
{
  // The first feature bit, or opcode, that came with a version.
  struct step
  {
    unsigned first;
    linux_version since;
  };
  static constexpr step feature_steps[] = {{0, {5, 11}},  {9, {5, 12}},  {10, {5, 13}},
                                           {11, {5, 17}}, {13, {6, 3}},  {14, {6, 10}},
                                           {15, {6, 12}}, {16, {6, 14}}, {17, {6, 15}}};
  static constexpr step opcode_steps[] = {{0, {5, 11}}, {37, {5, 15}}, {40, {5, 18}}, {41, {5, 19}},
                                          {47, {6, 0}}, {48, {6, 1}},  {49, {6, 7}},  {54, {6, 8}},
                                          {55, {6, 9}}, {56, {6, 11}}, {58, {6, 15}}, {62, {6, 16}}};
  for (const step& s : feature_steps)
    if (s.since > newest) kernel &= (std::uint32_t{1} << s.first) - 1;
  for (const step& s : opcode_steps)
    if (s.since > newest)
      for (std::size_t op = s.first; op < opcodes.size(); ++op)
        opcodes[op] = false;
}

ASIO_URING_DECL std::string setup_flag_names(std::uint32_t flags)
{
  static constexpr const char* names[] = {
      "IOPOLL",        "SQPOLL",        "SQ_AFF",     "CQSIZE",
      "CLAMP",         "ATTACH_WQ",     "R_DISABLED", "SUBMIT_ALL",
      "COOP_TASKRUN",  "TASKRUN_FLAG",  "SQE128",     "CQE32",
      "SINGLE_ISSUER", "DEFER_TASKRUN", "NO_MMAP",    "REGISTERED_FD_ONLY",
      "NO_SQARRAY",    "HYBRID_IOPOLL", "CQE_MIXED"};
  return detail::names_of_bits(flags, names);
}

ASIO_URING_DECL std::string feature_names(std::uint32_t bits)
{
  static constexpr const char* names[] = {
      "SINGLE_MMAP", "NODROP",          "SUBMIT_STABLE",   "RW_CUR_POS",     "CUR_PERSONALITY", "FAST_POLL",
      "POLL_32BITS", "SQPOLL_NONFIXED", "EXT_ARG",         "NATIVE_WORKERS", "RSRC_TAGS",       "CQE_SKIP",
      "LINKED_FILE", "REG_REG_RING",    "RECVSEND_BUNDLE", "MIN_TIMEOUT",    "RW_ATTR",         "NO_IOWAIT"};
  return detail::names_of_bits(bits, names);
}

ASIO_URING_DECL const char* opcode_name(unsigned opcode) noexcept
{
  static constexpr const char* names[] = {"NOP",
                                          "READV",
                                          "WRITEV",
                                          "FSYNC",
                                          "READ_FIXED",
                                          "WRITE_FIXED",
                                          "POLL_ADD",
                                          "POLL_REMOVE",
                                          "SYNC_FILE_RANGE",
                                          "SENDMSG",
                                          "RECVMSG",
                                          "TIMEOUT",
                                          "TIMEOUT_REMOVE",
                                          "ACCEPT",
                                          "ASYNC_CANCEL",
                                          "LINK_TIMEOUT",
                                          "CONNECT",
                                          "FALLOCATE",
                                          "OPENAT",
                                          "CLOSE",
                                          "FILES_UPDATE",
                                          "STATX",
                                          "READ",
                                          "WRITE",
                                          "FADVISE",
                                          "MADVISE",
                                          "SEND",
                                          "RECV",
                                          "OPENAT2",
                                          "EPOLL_CTL",
                                          "SPLICE",
                                          "PROVIDE_BUFFERS",
                                          "REMOVE_BUFFERS",
                                          "TEE",
                                          "SHUTDOWN",
                                          "RENAMEAT",
                                          "UNLINKAT",
                                          "MKDIRAT",
                                          "SYMLINKAT",
                                          "LINKAT",
                                          "MSG_RING",
                                          "FSETXATTR",
                                          "SETXATTR",
                                          "FGETXATTR",
                                          "GETXATTR",
                                          "SOCKET",
                                          "URING_CMD",
                                          "SEND_ZC",
                                          "SENDMSG_ZC",
                                          "READ_MULTISHOT",
                                          "WAITID",
                                          "FUTEX_WAIT",
                                          "FUTEX_WAKE",
                                          "FUTEX_WAITV",
                                          "FIXED_FD_INSTALL",
                                          "FTRUNCATE",
                                          "BIND",
                                          "LISTEN",
                                          "RECV_ZC",
                                          "EPOLL_WAIT",
                                          "READV_FIXED",
                                          "WRITEV_FIXED",
                                          "PIPE"};
  return opcode < std::size(names) ? names[opcode] : "";
}

} // namespace asio_uring

#endif // ASIO_URING_RING_FEATURES_IPP
