// test/whole_program/exercise_main.cpp [same|other] [LIBRARY]: a program and a shared library that both use
// Boost.Asio. `same`: both have as_default.hpp, or both have not; `other`: one has. LIBRARY is loaded by
// name.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "exercise.hpp"

#include <dlfcn.h>
#include <filesystem>
#include <iostream>

namespace {

int rings()
{
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code vanished;
    found += read_symlink(entry.path(), vanished) == "anon_inode:[io_uring]";
  }
  return found;
}

bool right = true;
void expect(std::string_view what, bool so, std::string_view detail = {})
{
  if (!so) std::cerr << what << ' ' << detail << '\n';
  right = right && so;
}

/// Finds the function of the library at that path, or of the one that the program is linked with.
auto library_function(const char* path)
{
  void* const library = path ? ::dlopen(path, RTLD_NOW) : RTLD_DEFAULT;
  void* const function = path && !library ? nullptr : ::dlsym(library, "exercise_in_library");
  if (!function) {
    std::cerr << ::dlerror() << '\n';
    std::exit(1);
  }
  return reinterpret_cast<decltype(&exercise_in_library)>(function);
}

} // namespace

int main(int argc, char** argv)
{
  const bool same = argc > 1 && argv[1] == std::string_view("same");
  const auto library = library_function(argc > 2 ? argv[2] : nullptr);
  asio::io_context context;
  const auto program_is_right = [&](std::string_view when) {
    const std::string failures = exercise(context).run();
    expect("the program", failures.empty(), failures);
    if (!failures.empty()) std::cerr << when << '\n';
  };
  const auto library_is_right = [&](void* where, std::string_view when) {
    const library_report report = library(where);
    expect(when, !*report.failures, report.failures);
    expect("size of a socket", (report.size_of_socket == sizeof(tcp::socket)) == same);
  };

  program_is_right("at first");
  library_is_right(nullptr, "the library, on a context of its own:");
  program_is_right("after the library");
  const int before = rings();
  library_is_right(&context, "the library, on the program's context:");
  if (same) expect("one context has several rings", rings() == before);
  program_is_right("at last");
  return right ? 0 : 1;
}
