#!/usr/bin/env bash
# Builds and runs, on Asio without Boost, the examples and tests that need nothing else of Boost but Boost.Test:
#
#   tools/test-standalone.sh [ASIO_INCLUDE_DIR]
#
# ASIO_INCLUDE_DIR    where asio.hpp is, 1.30 or newer; otherwise the system's (Debian's libasio-dev)
# Environment: CXXFLAGS, such as -DASIO_ENABLE_VERSION_NAMESPACE; JOBS, compilers at a time.
# With g++: to clang, which takes the library and echo_standalone, "namespace asio = boost::asio" of the sources is an error
# where asio is a namespace already.
# The last lines are CTest's summary, the exit code is CTest's.
set -euo pipefail
exec </dev/null
(($# < 2)) || { sed -n '2,/^set/{s/^# \?//p}' "$0" >&2; exit 2; }
include=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."

if [[ $include ]]; then tools/install-dependencies.sh; else tools/install-dependencies.sh libasio-dev; fi
rm -f build/standalone/CMakeCache.txt # it may have another Asio and other flags
cmake -S . -B build/standalone -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG= -DASIO_URING_STANDALONE=ON \
  ${include:+"-Dasio_INCLUDE_DIR=$include"}
cmake --build build/standalone --parallel "${JOBS:-$(nproc)}"
exec ctest --test-dir build/standalone --parallel 2 --output-on-failure --no-tests=error 2>&1
