// asio_uring/ring/features.ipp
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_RING_FEATURES_IPP
#define ASIO_URING_RING_FEATURES_IPP

#include <algorithm>
#include <asio_uring/ring/features.hpp>
#include <asio_uring/ring/opcodes.hpp>
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
  // The first feature bit that came with a version.
  struct step
  {
    unsigned first;
    linux_version since;
  };
  static constexpr step feature_steps[] = {{0, {5, 11}},  {9, {5, 12}},  {10, {5, 13}},
                                           {11, {5, 17}}, {13, {6, 3}},  {14, {6, 10}},
                                           {15, {6, 12}}, {16, {6, 14}}, {17, {6, 15}}};
  for (const step& s : feature_steps)
    if (s.since > newest) kernel &= (std::uint32_t{1} << s.first) - 1;
  // An opcode beyond the table is newer than its last row.
  for (std::size_t op = 0; op < opcodes.size(); ++op)
    if (detail::opcode_table[std::min(op, std::size(detail::opcode_table) - 1)].since > newest)
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
  const detail::opcode_row* const row = detail::row_of(opcode);
  return row ? row->name : "";
}

} // namespace asio_uring

#endif // ASIO_URING_RING_FEATURES_IPP
