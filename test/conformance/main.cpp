// test/conformance/main.cpp: prints what I/O objects do, scenario by scenario.
//
//   conformance [name]    all scenarios, or those whose name contains `name`
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "report.hpp"
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// A raw socket receives every packet of its network. If the process may open one, it may also have a network
// of its own, where no other program sends packets.
static void own_network()
{
  if (::unshare(CLONE_NEWNET) < 0) return;
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq loopback{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
  if (::ioctl(fd, SIOCGIFFLAGS, &loopback) == 0) {
    loopback.ifr_flags |= IFF_UP;
    ::ioctl(fd, SIOCSIFFLAGS, &loopback);
  }
  ::close(fd);
}

int main(int argc, char** argv)
{
  // Writing to a descriptor's broken pipe raises SIGPIPE, on stock Asio as well.
  std::signal(SIGPIPE, SIG_IGN);
  ::alarm(240);
  own_network();

  // UNIX sockets and files have short relative names.
  std::string directory = (std::filesystem::temp_directory_path() / "conformance.XXXXXX").string();
  if (!::mkdtemp(directory.data())) return 1;
  std::filesystem::current_path(directory);

  auto& all = report::scenarios();
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, run] : all) {
    if (argc > 1 && name.find(argv[1]) == std::string::npos) continue;
    std::cout << name << std::endl;
    report::ports().clear();
    try {
      run();
    } catch (const std::exception& e) {
      report::values("ended by exception", e.what());
    }
  }
  std::filesystem::current_path("/");
  std::filesystem::remove_all(directory);
}
