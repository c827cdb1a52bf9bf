// Plain sockets for the hand-written servers and the load generator.
#ifndef ASIO_URING_BENCH_SOCKET_HPP
#define ASIO_URING_BENCH_SOCKET_HPP

#include "options.hpp"
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bench {

inline int check(int result, char const* what)
{
  if (result >= 0) return result;
  std::perror(what);
  std::exit(1);
}

// Raises the number of descriptors to what the system lets this process have, and returns it.
inline rlim_t allow_many_files()
{
  rlimit files{};
  check(getrlimit(RLIMIT_NOFILE, &files), "getrlimit");
  files.rlim_cur = files.rlim_max;
  check(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
  return files.rlim_max;
}

// The address that `--tcp PORT` or `--udp PORT` (on loopback) or `--unix PATH` names.
struct endpoint
{
  sockaddr_storage address{};
  socklen_t size = 0;
  int type = SOCK_STREAM;

  explicit endpoint(options const& given)
  {
    if (given.has("tcp") || given.has("udp")) {
      auto const* protocol = given.has("udp") ? "udp" : "tcp";
      if (given.has("udp")) type = SOCK_DGRAM;
      auto& in = reinterpret_cast<sockaddr_in&>(address);
      in.sin_family = AF_INET;
      in.sin_port = htons(static_cast<unsigned short>(given.number(protocol, 0)));
      in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      size = sizeof in;
    } else if (given.has("unix")) {
      auto& un = reinterpret_cast<sockaddr_un&>(address);
      un.sun_family = AF_UNIX;
      auto const path = given.text("unix");
      if (path.size() >= sizeof un.sun_path) given.fail("path too long");
      std::memcpy(un.sun_path, path.c_str(), path.size() + 1);
      size = sizeof un;
    } else
      given.fail("where? --tcp, --udp or --unix");
  }

  bool is_tcp() const { return address.ss_family == AF_INET && type == SOCK_STREAM; }
  bool is_udp() const { return type == SOCK_DGRAM; }
  char const* path() const { return reinterpret_cast<sockaddr_un const&>(address).sun_path; }
  sockaddr const* data() const { return reinterpret_cast<sockaddr const*>(&address); }
};

inline void set_no_delay(int fd)
{
  int const on = 1;
  check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

class listener
{
public:
  explicit listener(endpoint const& where) : where_(where)
  {
    fd_ = check(socket(where.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    int const on = 1;
    check(setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    if (where.address.ss_family == AF_UNIX) unlink(where.path());
    check(bind(fd_, where.data(), where.size), "bind");
    check(listen(fd_, SOMAXCONN), "listen");
  }
  ~listener()
  {
    close(fd_);
    if (where_.address.ss_family == AF_UNIX) unlink(where_.path());
  }
  listener(listener const&) = delete;
  listener& operator=(listener const&) = delete;

  int fd() const { return fd_; }
  void tune(int accepted) const
  {
    if (where_.is_tcp()) set_no_delay(accepted);
  }

private:
  endpoint where_;
  int fd_;
};

// Sends everything. Waiting in here for a full socket is fine: the load generator always reads.
inline bool send_all(int fd, char const* data, std::size_t size)
{
  while (size) {
    auto const sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      data += sent;
      size -= static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      pollfd writable{fd, POLLOUT, 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR)
      return false;
  }
  return true;
}

inline volatile std::sig_atomic_t stopped = 0;

// SIGINT and SIGTERM interrupt the wait, so that main returns.
inline void stop_on_signal()
{
  struct sigaction action
  {};
  action.sa_handler = [](int) { stopped = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

} // namespace bench

#endif
