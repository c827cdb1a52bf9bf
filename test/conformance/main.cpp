// test/conformance/main.cpp: prints what I/O objects do, scenario by scenario.
//
//   conformance [name]    all scenarios, or those whose name contains `name`
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "report.hpp"
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <unistd.h>

int main(int argc, char** argv)
{
  // Whoever writes to a broken pipe of a descriptor gets SIGPIPE, with and without us.
  std::signal(SIGPIPE, SIG_IGN);
  ::alarm(240);

  // UNIX sockets and files by short relative names.
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
