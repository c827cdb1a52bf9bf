// test/whole_program/exercise_library.cpp: a shared library that uses Boost.Asio inside.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#include "exercise.hpp"

#include <cstring>

extern "C" [[gnu::visibility("default")]] library_report exercise_in_library(void* context)
{
  asio::io_context own;
  library_report report{sizeof(tcp::socket), {}};
  std::string failures;
  try {
    failures = exercise(context ? *static_cast<asio::io_context*>(context) : own).run();
  } catch (const std::exception& e) {
    failures = e.what();
  }
  std::strncpy(report.failures, failures.c_str(), sizeof(report.failures) - 1);
  return report;
}
