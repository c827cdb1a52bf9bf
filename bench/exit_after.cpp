// Preloaded into a server, ends it when it closes the last of EXIT_AFTER connections. A signal cannot do that
// under valgrind, which does not let one interrupt io_uring_enter.
#include <cstdlib>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" int close(int fd)
{
  static auto const* const wanted = std::getenv("EXIT_AFTER");
  static long left = wanted ? std::atol(wanted) : 0;
  int listening = 0;
  socklen_t size = sizeof listening;
  bool const is_socket = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0;
  if (is_socket && !listening && --left == 0) _exit(0);
  return static_cast<int>(syscall(SYS_close, fd));
}
