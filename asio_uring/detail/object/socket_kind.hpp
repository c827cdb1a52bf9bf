// asio_uring/detail/object/socket_kind.hpp: what the kind of a socket says of the paths of its operations.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_SOCKET_KIND_HPP
#define ASIO_URING_DETAIL_OBJECT_SOCKET_KIND_HPP

#include <asio_uring/detail/engine/ring_service.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

namespace asio_uring::detail {

/// A submitted send that finds no room is tried again by the kernel, with what it has not copied yet (seen on
/// Linux 6.18). That is right where it copies only what it sends. A UNIX datagram is copied before the
/// receiver is found to be full, an ICMP header before there is room for the message: the second time
/// nothing, or too little, is left to be sent. So sends are submitted where they are known to be repeated
/// rightly, and elsewhere are calls that are made when there is room.
inline file_kind kind_of_socket(int family, int type, int protocol) noexcept
{
  constexpr int any = -1;
  struct row
  {
    int family, type, protocol;
    bool emptied_by_short_reads; // but for what doubts.hpp tells
  };
  const bool datagrams = type == SOCK_DGRAM;
  static constexpr row sends_are_submitted[] = {
      {AF_INET, SOCK_STREAM, any, true},         {AF_INET6, SOCK_STREAM, any, true},
      {AF_UNIX, SOCK_STREAM, any, true},         {AF_INET, SOCK_DGRAM, 0, false},
      {AF_INET, SOCK_DGRAM, IPPROTO_UDP, false}, {AF_INET6, SOCK_DGRAM, 0, false},
      {AF_INET6, SOCK_DGRAM, IPPROTO_UDP, false}};
  for (const row& r : sends_are_submitted)
    if (r.family == family && r.type == type && (r.protocol == any || r.protocol == protocol))
      return {.emptied_by_short_reads = r.emptied_by_short_reads, .datagrams = datagrams};
  return {.datagrams = datagrams, .sends_by_calls = true};
}

} // namespace asio_uring::detail

#endif // ASIO_URING_DETAIL_OBJECT_SOCKET_KIND_HPP
