// asio_uring/detail/object/socket_kind.hpp: which paths the operations of a kind of socket can take.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_DETAIL_OBJECT_SOCKET_KIND_HPP
#define ASIO_URING_DETAIL_OBJECT_SOCKET_KIND_HPP

#include <asio_uring/detail/engine/ring_service.hpp>
#include <netinet/in.h>
#include <sys/socket.h>

namespace asio_uring::detail {

/// Returns what is known of a socket's kind.
/// A submitted send that finds no room is tried again by the kernel, with what it has not copied yet (seen on
/// Linux 6.18). That is right if the kernel copies only what it sends. But it copies a UNIX datagram before
/// it finds the receiver full, and an ICMP header before there is room for the message: the second attempt
/// sends nothing, or too little. So sends are submitted on sockets that are known to repeat them correctly.
/// On others they are calls, made when there is room.
inline file_kind kind_of_socket(int family, int type, int protocol) noexcept
{
  constexpr int any = -1;
  struct row
  {
    int family, type, protocol;
    bool emptied_by_short_reads; // with the exceptions in second_looks.hpp
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
