// tools/dear_calls.cpp: runs a command for which every system call is expensive.
//
// Containers filter system calls (seccomp), and hardened kernels change page tables at each: a call costs
// five to ten times as much there. This program installs filters that allow everything but take as long.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

/// Returns how many nanoseconds the cheapest call takes, the best of several tries.
double cost_of_a_call()
{
  constexpr int calls = 2000, tries = 25;
  double best = 1e9;
  for (int i = 0; i < tries; ++i) {
    const auto before = std::chrono::steady_clock::now();
    for (int n = 0; n < calls; ++n)
      ::syscall(SYS_getppid);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - before;
    best = std::min(best, took.count() / calls);
  }
  return best;
}

/// Installs filters with that many multiplications in total.
bool make_dear(unsigned multiplications)
{
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  while (multiplications > 0) {
    constexpr unsigned most = 4000; // a filter has 4096 instructions at most
    const unsigned n = std::min(multiplications, most);
    std::vector<sock_filter> program;
    // The kernel caches results that depend on the call's number alone, and then runs no filter: depend on an
    // argument.
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)));
    program.insert(program.end(), n, BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return false;
    multiplications -= n;
  }
  return true;
}

/// Measures what a call costs with these filters, in a child, since a filter cannot be removed.
double cost_with(unsigned multiplications)
{
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) {
    const double cost = make_dear(multiplications) ? cost_of_a_call() : -1;
    ::_exit(::write(ends[1], &cost, sizeof(cost)) == sizeof(cost) ? 0 : 1);
  }
  double cost = -1;
  ::close(ends[1]);
  if (child < 0 || ::read(ends[0], &cost, sizeof(cost)) != sizeof(cost)) cost = -1;
  ::close(ends[0]);
  if (child > 0) ::waitpid(child, nullptr, 0);
  return cost;
}

} // namespace

int main(int argc, char** argv)
{
  char* end = nullptr;
  const double wanted = argc > 2 ? std::strtod(argv[1], &end) : 0;
  if (argc < 3 || *end || !(wanted >= 1) || wanted > 20'000) {
    std::fprintf(
        stderr,
        "usage: dear_calls NS COMMAND [ARGUMENT...]\n"
        "Runs the command where the cheapest system call costs NS nanoseconds (1 to 20000), if it\n"
        "costs less here. io_uring's own threads and what the kernel does within a call cost as before.\n");
    return 2;
  }
  const double before = cost_of_a_call();
  constexpr unsigned most = 30'000; // the kernel accepts 32768 instructions in total
  unsigned multiplications = 0;
  double cost = before;
  for (int i = 0; i < 8 && (cost < wanted * 0.98 || cost > wanted * 1.02) && wanted > before; ++i) {
    constexpr double first_guess = 1.0; // nanoseconds each
    const double each = multiplications ? (cost - before) / multiplications : first_guess;
    multiplications =
        static_cast<unsigned>(std::clamp((wanted - before) / std::max(each, 0.05), 1.0, double(most)));
    cost = cost_with(multiplications);
    if (cost < 0) {
      std::fprintf(stderr, "dear_calls: no seccomp filter can be had: %s\n", std::strerror(errno));
      return 1;
    }
  }
  std::fprintf(stderr, "dear_calls: a system call costs %.0f ns here, %.0f ns for the command\n", before,
               cost);
  if (multiplications && !make_dear(multiplications)) {
    std::fprintf(stderr, "dear_calls: no seccomp filter can be had: %s\n", std::strerror(errno));
    return 1;
  }
  ::execvp(argv[2], argv + 2);
  std::fprintf(stderr, "dear_calls: %s: %s\n", argv[2], std::strerror(errno));
  return errno == ENOENT ? 127 : 126;
}
